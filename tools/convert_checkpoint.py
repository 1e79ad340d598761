"""Convert between Hugging Face folders and Megatron checkpoints.

    convert_checkpoint.py from-hf --hf DIR --output CHECKPOINTS [--check] [--overwrite]
    convert_checkpoint.py to-hf --checkpoint CHECKPOINTS --output DIR [--check] [--overwrite]
        [--adapter] [--base CHECKPOINTS]

The checkpoint of a LoRA run is merged with its base weights; `--adapter` writes a folder for `peft`
instead. `--check` compares both sides (bits of every tensor, logits and loss on
random windows), writes OUTPUT.parity.json and ends with exit code 4 where they differ.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from megatron_crossic.commandline import ArgumentParser, run
from megatron_crossic.convert.from_hf import import_checkpoint
from megatron_crossic.convert.parity import ParityReport, compare, write_report
from megatron_crossic.convert.to_hf import export_adapter, export_checkpoint

SECONDS_BETWEEN_LINES = 5.0


def main() -> None:
    """Parse, convert, print."""
    options = parse()
    options.convert(options)


def parse() -> argparse.Namespace:
    """The two subcommands and their options."""
    parser = ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(required=True)
    importing = commands.add_parser("from-hf", help="Hugging Face folder -> checkpoint")
    importing.add_argument("--hf", type=Path, required=True, help="folder with safetensors")
    importing.set_defaults(convert=from_hf)
    exporting = commands.add_parser("to-hf", help="checkpoint -> Hugging Face folder")
    exporting.add_argument(
        "--checkpoint", type=Path, required=True, help="step folder, or the folder of `latest`"
    )
    form = exporting.add_mutually_exclusive_group()
    form.add_argument("--adapter", action="store_true", help="LoRA run: only a folder for peft")
    form.add_argument("--check", action="store_true", help="compare both sides afterwards")
    exporting.add_argument("--base", type=Path, help="LoRA run: its base weights, if moved")
    importing.add_argument("--check", action="store_true", help="compare both sides afterwards")
    exporting.set_defaults(convert=to_hf)
    for command in (importing, exporting):
        command.add_argument("--output", type=Path, required=True, help="folder to make")
        command.add_argument(
            "--check-below", type=float, default=0.0, metavar="GB", help="--check for small models"
        )
        command.add_argument("--overwrite", action="store_true", help="replace the output")
    return parser.parse_args()


def from_hf(options: argparse.Namespace) -> None:
    """Import, and compare the checkpoint with its source."""
    report = import_checkpoint(
        hf=options.hf,
        output=options.output,
        overwrite=options.overwrite,
        progress=progress_line("import"),
    )
    formats = ", ".join(f"{count} {dtype}" for dtype, count in report.dtypes.items())
    print(f"{report.num_tensors} tensors ({formats}), {report.num_parameters:,} parameters")
    for name in report.left_out:
        print(f"left out {name}: the configuration implies it")
    print(f"checkpoint: {report.checkpoint}")
    if is_checked(options, options.hf):
        check(compare(hf=options.hf, checkpoint=report.checkpoint), options.output)


def to_hf(options: argparse.Namespace) -> None:
    """Export, and compare the folder with its source."""
    if options.adapter:
        places = {"checkpoint": options.checkpoint, "output": options.output}
        count = export_adapter(**places, base=options.base, overwrite=options.overwrite)
        print(f"{count} tensors of adapters\nfolder: {options.output}")
        return
    report = export_checkpoint(
        checkpoint=options.checkpoint,
        output=options.output,
        base=options.base,
        overwrite=options.overwrite,
        progress=progress_line("export"),
    )
    print(f"{report.num_tensors} tensors in {report.num_files} files")
    for change in sorted(set(report.cast.values())):
        number = list(report.cast.values()).count(change)
        print(f"{number} tensors cast {change}, the format of the original")
    print(f"folder: {report.folder}")
    if is_checked(options, report.folder):
        found = compare(hf=report.folder, checkpoint=options.checkpoint, base=options.base)
        check(found, options.output)


def is_checked(options: argparse.Namespace, hf: Path) -> bool:
    """Whether to compare: because it is asked for, or because the weights in `hf` are few."""
    num_bytes = sum(path.stat().st_size for path in hf.glob("*.safetensors"))
    return bool(options.check) or num_bytes < options.check_below * 1e9


def check(report: ParityReport, output: Path) -> None:
    """Print and keep the parity report, then refuse what differs."""
    path = output.with_name(output.name + ".parity.json")
    write_report(path, report)
    rows = {
        "tensors equal bit for bit": f"{report.num_equal} of {report.num_tensors}",
        "tokens compared": f"{report.num_tokens}",
        "largest logit difference": f"{report.max_absolute:.3g}",
        "relative to the largest logit": f"{report.max_relative:.3g}",
        "same most likely token": f"{report.top1_agreement:.2%}",
        "loss (transformers)": f"{report.hf_loss:.6f}",
        "loss (megatron)": f"{report.megatron_loss:.6f}",
    }
    for name, value in rows.items():
        print(f"  {name:<30} {value:>14}")
    print(f"parity: {path}")
    report.check()


def progress_line(verb: str) -> Callable[[int, int], None]:
    """A line on stderr every few seconds: share done, speed and time left."""
    start = last = time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < SECONDS_BETWEEN_LINES and done < total:
            return
        last = now
        seconds = max(now - start, 1e-9)
        left = seconds * (total - done) / done
        sys.stderr.write(
            f"{verb} {done / total:4.0%} of {total / 1e9:.2f} GB, "
            f"{done / seconds / 1e6:.0f} MB/s, {left:.0f} s left\n"
        )

    return show


if __name__ == "__main__":
    run(main)
