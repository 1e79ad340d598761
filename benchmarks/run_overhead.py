"""Whether a long run leaks memory, and how much of its time is not training.

    python benchmarks/run_overhead.py --steps 1000 -- --config examples/tiny/pretrain.yaml

What follows `--` are options of tools/pretrain.py; the run is a real one, with its logs, its data
and its agreements after each step. Checkpoints and validations are left out unless the options ask
for them: they take what the disk and the held-out windows take.

Training is forward, backward, gradient norm and update. The time the passes wait for their windows
counts as lost, like everything else between two steps. Memory is the resident set of rank 0; its
slope is the least-squares line through the later 80 % of the steps.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psutil

from megatron_crossic.commandline import ArgumentParser, run
from megatron_crossic.files import write_text_atomically
from megatron_crossic.train import run as run_module
from megatron_crossic.train.command import pretrain
from megatron_crossic.train.gradients import GradientNorms

WARM = 0.2
"""Share of the steps before memory counts: caches fill and the allocator settles."""


class Times:
    """Seconds of every step, and those of them that were training."""

    def __init__(self) -> None:
        self.training = 0.0
        self.waiting = 0.0
        self.steps: list[tuple[float, float, float]] = []
        """Training, whole step up to the start of the next, and resident bytes at its end."""
        self._process = psutil.Process()
        self._began = time.perf_counter()

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, whose time is training."""

        def call(*args: Any, **options: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(*args, **options)
            finally:
                self.training += time.perf_counter() - began

        return call

    def waited(self, batches: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        """The same generator, whose time is not."""

        def iterate(*args: Any) -> Iterator[Any]:
            source = batches(*args)
            while True:
                began = time.perf_counter()
                try:
                    batch = next(source)
                except StopIteration:
                    return
                finally:
                    self.waiting += time.perf_counter() - began
                yield batch

        return iterate

    def stepped(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """The same step; what passes until the next one is its own."""

        def call(*args: Any, **options: Any) -> Any:
            self.close()
            return step(*args, **options)

        return call

    def close(self) -> None:
        """End the step that is open."""
        now = time.perf_counter()
        trained = self.training - self.waiting
        self.steps.append((trained, now - self._began, self._process.memory_info().rss))
        self.training = self.waiting = 0.0
        self._began = now


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, measure, print."""
    options = parse(arguments)
    times = Times()
    with ExitStack() as stack:
        for owner, name in (
            (run_module, "run_microbatches"),
            (run_module, "update"),
            (GradientNorms, "measure"),
        ):
            timed = times.timed(getattr(owner, name))
            stack.enter_context(patch.object(owner, name, timed))
        for name, wrap in (("_batches", times.waited), ("step", times.stepped)):
            method = getattr(run_module.Run, name)
            stack.enter_context(patch.object(run_module.Run, name, wrap(method)))
        pretrain([*options.options, *quiet_options(options.steps)])
    times.close()
    report = summary(times.steps[1:-1])  # the first is the set-up, the last includes the end
    report["cores"], report["options"] = os.cpu_count(), options.options
    if os.environ.get("RANK", "0") == "0":
        sys.stdout.write(json.dumps(report, indent=2) + "\n")
        if options.output is not None:
            write_text_atomically(options.output, json.dumps(report, indent=2) + "\n")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--output", type=Path, metavar="FILE", help="the JSON file")
    parser.add_argument("options", nargs="*", help="those of tools/pretrain.py, after --")
    return parser.parse_args(arguments)


def quiet_options(steps: int) -> list[str]:
    """One checkpoint and one validation at the end."""
    intervals = ("--validation_interval", "--checkpoint.interval")
    return ["--num_steps", str(steps), *(part for name in intervals for part in (name, "1000000"))]


def summary(steps: Sequence[tuple[float, float, float]]) -> dict[str, Any]:
    """Shares of time, and the slope of the memory in bytes a step."""
    training, whole = (sum(step[i] for step in steps) for i in (0, 1))
    later = list(enumerate(step[2] for step in steps))[int(WARM * len(steps)) :]
    slope = statistics.linear_regression(*zip(*later, strict=True)).slope
    return {
        "num_steps": len(steps),
        "seconds": round(whole, 2),
        "median_step_ms": round(1000 * statistics.median(step[1] for step in steps), 3),
        "median_outside_ms": round(
            1000 * statistics.median(step[1] - step[0] for step in steps), 3
        ),
        "outside_share": round(1 - training / whole, 5),
        "rss_first_bytes": later[0][1],
        "rss_last_bytes": later[-1][1],
        "rss_slope_bytes_per_step": round(slope, 1),
    }


if __name__ == "__main__":
    run(main)
