"""Measures the memory of preprocessing on a large input, process by process.

The input is made by repetition with changes. Resident memory (RSS) and the share of it that a
process has for itself or its part of what it shares (PSS) are sampled while our tool runs. Ends
with exit code 3 where a process had more RSS than the limit.

    python benchmarks/preprocess_memory.py --pairs data/*.jsonl --tokenizer models/Qwen2.5-1.5B \\
        --gigabytes 5
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil
from compared_tools import Inputs, Tool, last_words, our_tool
from repeated_pairs import RepeatedPairs, write_repeated

from megatron_crossic.commandline import ArgumentParser, run
from megatron_crossic.data.packing import ASSEMBLIES
from megatron_crossic.errors import ConfigError, DataError

MIB = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Peak:
    """The most memory a process was seen with, in bytes."""

    rss: int = 0
    pss: int = 0
    samples: int = 0

    def with_sample(self, *, rss: int, pss: int) -> "Peak":
        return Peak(rss=max(self.rss, rss), pss=max(self.pss, pss), samples=self.samples + 1)


def main() -> None:
    """Make the input, run, print."""
    options = parse(sys.argv[1:])
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="memory-") as name:
        inputs, written = make_input(options, Path(name))
        sys.stderr.write(f"input of {written.num_bytes / 1e9:.2f} GB written\n")
        started = time.perf_counter()
        peaks = watch(our_tool(inputs), interval=options.interval)
        seconds = time.perf_counter() - started
    print("\n".join(table(peaks)))
    print(f"{written.num_bytes / 1e9:.2f} GB, {written.num_pairs:,} pairs in {seconds:.1f} s")
    if options.json is not None:
        report = {
            "pair_bytes": written.num_bytes,
            "pairs": written.num_pairs,
            "workers": options.workers,
            "wall_seconds": round(seconds, 2),
            "peak_mib": {
                name: {"rss": peak.rss // MIB, "pss": peak.pss // MIB, "samples": peak.samples}
                for name, peak in peaks.items()
            },
        }
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    refuse_above(peaks, limit=int(options.limit_gib * 1024 * MIB))


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--pairs", type=Path, nargs="+", required=True, help="files of pair records")
    add("--tokenizer", type=Path, required=True, help="Hugging Face folder or .model file")
    add("--gigabytes", type=float, default=5.0, help="size of the input, in 1e9 bytes")
    add("--workers", type=int, default=2, help="processes of our tool")
    add("--seq-length", type=int, default=4096, help="tokens of a window")
    add("--assembly", choices=tuple(ASSEMBLIES), default="best_fit", help="window filling")
    add("--interval", type=float, default=0.2, help="seconds between samples")
    add("--limit-gib", type=float, default=1.0, help="RSS no process may exceed, in 2^30 bytes")
    add("--folder", type=Path, help="where the temporary folder goes (default: the system's)")
    add("--json", type=Path, help="also write the report to this JSON file")
    options = parser.parse_args(arguments)
    for name in ("gigabytes", "workers", "interval", "limit_gib"):
        if getattr(options, name) <= 0:
            raise ConfigError(
                f"--{name.replace('_', '-')} must be above 0, got {getattr(options, name)}. "
                "Leave it out for its default."
            )
    return options


def make_input(options: argparse.Namespace, folder: Path) -> tuple[Inputs, RepeatedPairs]:
    pairs = folder / "pairs.jsonl"
    written = write_repeated(pairs, options.pairs, num_bytes=int(options.gigabytes * 1e9))
    inputs = Inputs(
        pairs=pairs,
        documents=folder / "unused",
        num_documents=2 * written.num_pairs,
        tokenizer=options.tokenizer.absolute(),
        folder=folder,
        workers=options.workers,
        seq_length=options.seq_length,
        assembly=options.assembly,
    )
    return inputs, written


def watch(tool: Tool, *, interval: float) -> dict[str, Peak]:
    """Run a tool and sample it and everything it starts; raises `DataError` where it fails."""
    with tempfile.TemporaryFile("w+") as printed, start(tool, printed) as process:
        names: dict[int, str] = {process.pid: "main process"}
        peaks: dict[str, Peak] = {}
        while process.poll() is None:
            sample(psutil.Process(process.pid), names, peaks)
            time.sleep(interval)
        printed.seek(0)
        said = printed.read()
    if process.returncode:
        raise DataError(
            f"{tool.command[1]} must end well, got exit code {process.returncode}: "
            f"{last_words(said)}. Run it by hand: {' '.join(tool.command)}"
        )
    return peaks


def start(tool: Tool, printed: IO[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        tool.command,
        env=os.environ | tool.environment,
        stdout=printed,
        stderr=subprocess.STDOUT,
    )


def sample(root: psutil.Process, names: dict[int, str], peaks: dict[str, Peak]) -> None:
    """Enter the present memory of a process and its descendants; those that just ended are not."""
    with suppress(psutil.Error):
        for process in [root, *root.children(recursive=True)]:
            name = names.setdefault(process.pid, f"process {len(names)}")
            with suppress(psutil.Error):
                memory = process.memory_full_info()
                peaks[name] = peaks.get(name, Peak()).with_sample(rss=memory.rss, pss=memory.pss)


def table(peaks: Mapping[str, Peak]) -> list[str]:
    """Peaks in MiB, one line a process."""
    rows = [
        f"{name:16}{peak.rss / MIB:>12,.0f}{peak.pss / MIB:>12,.0f}{peak.samples:>10,}"
        for name, peak in peaks.items()
    ]
    return [f"{'peak of':16}{'RSS, MiB':>12}{'PSS, MiB':>12}{'samples':>10}", *rows]


def refuse_above(peaks: Mapping[str, Peak], *, limit: int) -> None:
    """Raise `DataError` for the largest process where it is above the limit."""
    if not peaks:
        raise DataError(
            "run must last long enough to be sampled, got no sample. Make the input larger."
        )
    name, peak = max(peaks.items(), key=lambda item: item[1].rss)
    if peak.rss > limit:
        raise DataError(
            f"memory of every process must stay within {limit / MIB:,.0f} MiB, got "
            f"{peak.rss / MIB:,.0f} MiB for the {name}. It is a defect: report it."
        )


if __name__ == "__main__":
    run(main)
