"""The tools that are measured beside each other: how each is called and what it says of its time.

Every tool gets the same number of workers: processes, or threads where it has threads.
Megatron-LM's tools are in no package, so their trees are given by path; the Python that runs them
may be another one (newer trees import triton and ask for Python 3.12).
"""

import json
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from megatron_crossic.errors import DataError

PROJECT = Path(__file__).parents[1]
OUR_TOOL = PROJECT / "tools" / "preprocess_data.py"
OUR_ENVIRONMENT = {"PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Inputs:
    """What all tools are given."""

    pairs: Path
    documents: Path
    """The same texts as lines of {"text"}."""
    num_documents: int
    tokenizer: Path
    folder: Path
    """Where outputs go."""
    workers: int
    seq_length: int
    assembly: str
    """How our tool fills windows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """One run of one tool."""

    wall_seconds: float
    """The whole process, start of Python and imports included."""
    cpu_seconds: float
    """User and system time of the process and its workers."""
    inner_seconds: float | None
    """What the tool itself reports, imports left out; None where it does not say."""
    stages: Mapping[str, float]
    """Seconds by stage, added up over the workers; empty where the tool does not say."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tool:
    """A command line and how to read the time it reports."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    output: Path
    """Prefix of the `.bin` and `.idx` it writes."""
    read_times: Callable[[str], tuple[float | None, Mapping[str, float]]]
    """What it prints -> seconds and seconds by stage."""

    def measure(self) -> Measurement:
        """Run once, from nothing; raises `DataError` with its last words where it fails."""
        self.remove_output()
        cpu, started = _cpu_of_children(), time.perf_counter()
        done = subprocess.run(
            self.command,
            env=os.environ | self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        wall, cpu = time.perf_counter() - started, _cpu_of_children() - cpu
        # One of Megatron's tools ends with 0 where its workers failed.
        if done.returncode or not Path(f"{self.output}.idx").is_file():
            raise DataError(
                f"{self.command[1]} must end well and write {self.output.name}.idx, got exit code "
                f"{done.returncode}: {last_words(done.stdout)}. "
                f"Run it by hand: {' '.join(self.command)}"
            )
        inner, stages = self.read_times(done.stdout)
        return Measurement(wall_seconds=wall, cpu_seconds=cpu, inner_seconds=inner, stages=stages)

    def remove_output(self) -> None:
        for path in self.output.parent.glob(f"{self.output.name}.*"):
            path.unlink()


def our_tool(inputs: Inputs) -> Tool:
    """Chunks and windows as for a training, but every token kept, so that all can be compared."""
    output, timings = inputs.folder / "ours", inputs.folder / "timings.json"
    arguments = {"--workers": str(inputs.workers), "--timings": str(timings)}
    known = options_of(OUR_TOOL)
    return Tool(
        command=(
            *(sys.executable, str(OUR_TOOL), "--pairs", str(inputs.pairs)),
            *("--tokenizer", str(inputs.tokenizer), "--output-prefix", str(output)),
            *("--seq-length", str(inputs.seq_length), "--assembly", inputs.assembly),
            *("--length-ratio-rule", "keep"),
            *(word for name, value in arguments.items() if name in known for word in (name, value)),
        ),
        environment=OUR_ENVIRONMENT,
        output=output,
        read_times=lambda _: times_of_file(timings),
    )


def megatron_v016(tree: Path, python: Path, inputs: Inputs) -> Tool:
    """`tools/preprocess_data.py` of core_v0.16: a pool of processes, one document a call."""
    own = ("--workers", str(inputs.workers), "--log-interval", str(inputs.num_documents))
    command = _megatron_command(tree / "tools" / "preprocess_data.py", python, inputs, "v016")
    return Tool(
        command=(*command, *own),
        environment=_megatron_environment(tree, inputs),
        output=inputs.folder / "v016_text_document",
        read_times=lambda printed: (seconds_of_v016(printed), {}),
    )


def megatron_main(tree: Path, python: Path, inputs: Inputs) -> Tool:
    """`tools/preprocess_data_fast.py` of the main branch: gigatoken's threads over one file."""
    command = _megatron_command(tree / "tools" / "preprocess_data_fast.py", python, inputs, "main")
    return Tool(
        command=(*command, "--use-gigatoken"),
        environment=_megatron_environment(tree, inputs),
        output=inputs.folder / "main_text_document",
        read_times=lambda printed: (seconds_of_main(printed), {}),
    )


def _megatron_command(tool: Path, python: Path, inputs: Inputs, name: str) -> tuple[str, ...]:
    return (
        *(str(python), str(tool), "--input", str(inputs.documents), "--append-eod"),
        *("--output-prefix", str(inputs.folder / name)),
        *("--tokenizer-type", "HuggingFaceTokenizer", "--tokenizer-model", str(inputs.tokenizer)),
    )


def _megatron_environment(tree: Path, inputs: Inputs) -> dict[str, str]:
    # The path comes first: the tools append it, and an installed megatron-core would win.
    return {
        "PYTHONPATH": str(tree),
        "PYTHONWARNINGS": "ignore",
        "OMP_NUM_THREADS": "1",
        "RAYON_NUM_THREADS": str(inputs.workers),
        "HF_HUB_OFFLINE": "1",
    }


def seconds_of_v016(printed: str) -> float | None:
    """From the last "Processed N documents (R docs/s": without start-up, which it prints apart."""
    lines = re.findall(r"Processed (\d+) documents \(([\d.]+) docs/s", printed)
    return int(lines[-1][0]) / float(lines[-1][1]) if lines else None


def seconds_of_main(printed: str) -> float | None:
    """From "Elapsed time: S seconds": with building the tokenizer, without imports."""
    found = re.search(r"Elapsed time: ([\d.]+) seconds", printed)
    return float(found[1]) if found else None


def times_of_file(path: Path) -> tuple[float | None, Mapping[str, float]]:
    """The JSON {"total": seconds, "stages": {name: seconds}} of our tool, if it wrote one."""
    if not path.is_file():
        return None, {}
    record: dict[str, Any] = json.loads(path.read_bytes())
    stages = {str(name): float(seconds) for name, seconds in record["stages"].items()}
    return float(record["total"]), stages


def options_of(tool: Path) -> set[str]:
    """The long options that a tool's --help names."""
    done = subprocess.run(
        [sys.executable, str(tool), "--help"],
        env=os.environ | OUR_ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(re.findall(r"--[a-z][a-z-]+", done.stdout))


def last_words(printed: str) -> str:
    """The last lines a program printed, on one line."""
    return " / ".join(line.strip() for line in printed.strip().splitlines()[-3:]) or "nothing said"


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
