"""The whole stack on one machine: wiki dumps -> pairs -> windows -> training -> Hugging Face.

Every step is a command of `tools/`, printed as it runs, so that each can be copied and changed.
A step whose output is there is passed over: a second run ends in seconds, and an interrupted one
goes on where it stopped.
"""

import argparse
import os
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from report import write_report

EXAMPLE = Path(__file__).resolve().parent
TOOLS = EXAMPLE.parent.parent / "tools"
DUMPS = EXAMPLE / "dumps"
CONFIG = EXAMPLE / "pretrain.yaml"

LANGUAGES = ("es", "ja", "ar")
NUM_STEPS = 300
STEP_OF_CHANGE = 150
"""Up to this step two ranks share every layer (tensor); from here on each has half the layers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One command of the demo and the file that shows it has been done."""

    title: str
    command: list[str]
    output: Path
    num_processes: int = 1


def words(*parts: str | Path) -> list[str]:
    """A command line: texts are split at spaces, paths stay whole."""
    return [
        word for part in parts for word in ([str(part)] if isinstance(part, Path) else part.split())
    ]


def steps(output: Path) -> list[Step]:
    """The demo as a list; paths below `output`."""
    pairs = {language: output / f"en-{language}.jsonl" for language in LANGUAGES}
    tokenizer, windows = output / "tokenizer", output / "windows"
    base, megatron = output / "hf-base", output / "megatron-base"
    checkpoints, exported = output / "run" / "checkpoints", output / "hf-trained"
    pretrain = words(
        TOOLS / "pretrain.py", "--config", CONFIG, "--run_dir", output / "run",
        "--checkpoint.initial", megatron,
        f'--data.train=["{windows}"] --data.validation=["{windows}-validation"]',
    )  # fmt: skip
    return [
        *(pair_with(language, output=path) for language, path in pairs.items()),
        Step(
            title="train a tokenizer on all four languages",
            command=words(
                TOOLS / "train_tokenizer.py", "--vocab-size 4096 --type bpe",
                "--pairs", *pairs.values(), "--output", tokenizer,
            ),
            output=tokenizer / "tokenizer_config.json",
        ),
        Step(
            title="interleave the pairs in windows of 256 tokens",
            command=words(
                TOOLS / "preprocess_data.py", "--mode crossic --seq-length 256",
                "--assembly best_fit --validation-fraction 0.15", "--pairs", *pairs.values(),
                "--tokenizer", tokenizer, "--output-prefix", windows,
            ),
            output=output / "windows-validation.manifest.json",
        ),
        Step(
            title="make a small random base model in Hugging Face format",
            command=words(EXAMPLE / "make_model.py", "--tokenizer", tokenizer, "--output", base),
            output=base / "tokenizer_config.json",
        ),
        Step(
            title="import it: Hugging Face -> Megatron",
            command=words(
                TOOLS / "convert_checkpoint.py", "from-hf --hf", base, "--output", megatron
            ),
            output=megatron / "latest",
        ),
        Step(
            title=f"train steps 1 to {STEP_OF_CHANGE} with tensor parallelism over two processes",
            command=[*pretrain, *words(f"--parallel.tensor 2 --stop_after_step {STEP_OF_CHANGE}")],
            output=checkpoints / f"step_{STEP_OF_CHANGE:07d}" / "checkpoint.json",
            num_processes=2,
        ),
        Step(
            title=f"resume to step {NUM_STEPS} with pipeline parallelism over two processes",
            command=[*pretrain, *words("--parallel.pipeline 2")],
            output=checkpoints / f"step_{NUM_STEPS:07d}" / "checkpoint.json",
            num_processes=2,
        ),
        Step(
            title="export it: Megatron -> Hugging Face, and compare the logits of both",
            command=words(
                TOOLS / "convert_checkpoint.py", "to-hf --check", "--checkpoint", checkpoints,
                "--output", exported,
            ),
            output=output / "hf-trained.parity.json",
        ),
    ]  # fmt: skip


def pair_with(language: str, *, output: Path) -> Step:
    """Pair the English sample dump with that of another language."""
    return Step(
        title=f"pair English and {language} articles by their language links",
        command=words(
            TOOLS / "build_pairs.py", f"wikipedia --source-lang en --target-lang {language}",
            "--licence CC0-1.0 --min-characters 100",
            "--source-dump", DUMPS / "enwiki-pages-articles.xml",
            "--target-dump", DUMPS / f"{language}wiki-pages-articles.xml",
            "--langlinks", DUMPS / f"{language}wiki-langlinks.sql", "--output", output,
        ),
        output=output.with_name(output.name + ".manifest.json"),
    )  # fmt: skip


def run_step(step: Step) -> None:
    """Run one step, its output passed through; end the demo where it fails."""
    launcher = [sys.executable]
    environment = dict(os.environ)
    if step.num_processes > 1:
        launcher += words("-m torch.distributed.run --standalone --nproc-per-node")
        launcher += [str(step.num_processes)]
        environment["OMP_NUM_THREADS"] = "1"
    command = [*launcher, *step.command]
    print(f"  $ {shlex.join(command)}", flush=True)
    code = subprocess.run(command, env=environment, check=False).returncode
    if code:
        sys.exit(f"error: this step failed with exit code {code}; its message is above")


def main() -> None:
    """Run what is missing, then report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("runs/tiny"))
    output = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)

    started = time.monotonic()
    todo = steps(output)
    for number, step in enumerate(todo, start=1):
        done = step.output.exists()
        state = "already there" if done else f"{time.monotonic() - started:.0f} s so far"
        print(f"[{number}/{len(todo)}] {step.title} ({state})", flush=True)
        if not done:
            run_step(step)
    report = output / "report.md"
    if not report.exists() or report.stat().st_mtime < todo[-1].output.stat().st_mtime:
        write_report(output, languages=("en", *LANGUAGES))
    print(report.read_text(encoding="utf-8"))
    print(f"all done in {time.monotonic() - started:.0f} s; this report: {report}")


if __name__ == "__main__":
    main()
