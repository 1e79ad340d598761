"""Measures points one after the other, each in processes of its own.

    folder/
      sweep.json               what all points have in common
      points/NAME/log.txt      what its processes said
      points/NAME/profile.json its figures, or
      points/NAME/failure.json why there are none
      profile.json, .md, .png  all points so far

A point that fails costs itself only. The same command goes on with the points that are missing;
more values of `--sweep` add points to those that are there. A request to stop ends the sweep and
leaves nothing of the point it met.
"""

import json
import math
import os
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from megatron_crossic.errors import ConfigError
from megatron_crossic.files import remove_quietly, write_text_atomically
from megatron_crossic.profiling.claim import POINTS_FOLDER, claim, resolved
from megatron_crossic.profiling.document import (
    PROFILE_FILE,
    Point,
    read_profile,
    write_profile,
)
from megatron_crossic.profiling.failure import (
    FAILURE_FILE,
    FAILURE_VARIABLE,
    StoppedError,
    failure_of,
)
from megatron_crossic.profiling.launch import launch_words, num_nodes, run_logged
from megatron_crossic.profiling.points import SweepPoint
from megatron_crossic.train.options import parse

LOG_FILE = "log.txt"
_LATEST_SIGHT = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Sweep:
    """What all points share."""

    folder: Path
    script: Path
    """The command line that measures one point."""
    options: tuple[str, ...]
    """Options of pretrain.py, before those of a point."""
    own_options: tuple[str, ...]
    """Options of the script itself, without folder and name."""
    launcher: str | None
    processes: int | None
    """Processes on each node; None: a GPU each, or on the CPU as few as a layout needs."""
    retry: bool
    """Whether points that gave nothing are measured again."""
    name: str | None = None
    """That of the only point, where there is no sweep."""


def run_sweep(sweep: Sweep, points: Sequence[SweepPoint]) -> list[Point]:
    """Measure what is missing; all points, with their reasons where they failed."""
    common = {
        "options": list(sweep.options),
        "own_options": list(sweep.own_options),
        "processes": sweep.processes,
        "nodes": num_nodes(),
        "name": sweep.name,
        "config": resolved(sweep.options),
    }
    claim(sweep.folder, common)
    missing = [point for point in points if _found(sweep, point, retry=sweep.retry) is None]
    if len(missing) < len(points):
        _say(f"{len(points) - len(missing)} of {len(points)} points are there already")
    started = time.monotonic()
    for number, point in enumerate(missing, start=1):
        found = _measure(sweep, point)
        seconds = (time.monotonic() - started) / number * (len(missing) - number)
        _say(f"{number} of {len(missing)}: {_line(found)}; about {seconds:,.0f} s to go")
        write_profile(sweep.folder, _all(sweep, points))
    return _all(sweep, points)


def _all(sweep: Sweep, points: Iterable[SweepPoint]) -> list[Point]:
    found = (_found(sweep, point) for point in points)
    return [point for point in found if point is not None]


def _line(found: Point) -> str:
    if found["reason"] is not None:
        return f"{found['name']}: {found['status']}"
    return (
        f"{found['name']}: {1e3 * found['step_seconds']['median']:,.1f} ms a step, "
        f"{found['tokens_per_second']:,.0f} tokens/s"
    )


def _found(sweep: Sweep, point: SweepPoint, *, retry: bool = False) -> Point | None:
    """What is known of a point; None where it is to be measured."""
    folder = sweep.folder / POINTS_FOLDER / point.folder
    if (folder / PROFILE_FILE).exists():
        (found,) = read_profile(folder)
        return {**found, "settings": point.settings}
    failure = folder / FAILURE_FILE
    if not failure.exists() or retry:
        return None
    told: dict[str, Any] = json.loads(failure.read_bytes())
    return {"name": point.name, "settings": point.settings, **told}


def _measure(sweep: Sweep, point: SweepPoint) -> Point:
    """Start the processes of a point and wait for them."""
    folder = sweep.folder / POINTS_FOLDER / point.folder
    folder.mkdir(parents=True, exist_ok=True)
    failure, running = folder / FAILURE_FILE, folder / f"{FAILURE_FILE}.running"
    remove_quietly(failure, running)
    log = folder / LOG_FILE
    told = _refusal(sweep, point)
    if told is None:
        code = _start(sweep, point, log=log, failure=running)
        if not appears(folder / PROFILE_FILE, patience=_patience(code)):
            told = dict(failure_of(running, exit_code=code, log=log))
    remove_quietly(running)
    if told is not None:
        if told["status"] == "stopped":
            raise StoppedError(
                f"a sweep must measure all its points, got a stop in {point.name}: "
                f"{told['reason'].rstrip('.')}. Start the same command again: it goes on "
                "with this point."
            )
        write_text_atomically(failure, json.dumps(told))
    found = _found(sweep, point)
    assert found is not None, "a point has figures or a reason"
    return found


def _patience(exit_code: int) -> float:
    """Seconds in which a file that another node has written must be seen here."""
    return _LATEST_SIGHT if exit_code == 0 and num_nodes() > 1 else 0.0


def appears(path: Path, *, patience: float) -> bool:
    """Whether the file is there within so many seconds; a network file system may show it late."""
    end = time.monotonic() + patience
    while not path.exists():
        if time.monotonic() >= end:
            return False
        time.sleep(min(1.0, patience))
        os.listdir(path.parent)  # makes NFS look again
    return True


def _refusal(sweep: Sweep, point: SweepPoint) -> dict[str, Any] | None:
    """What the values alone show to be wrong needs no process."""
    try:
        parse([*sweep.options, *point.options])
    except ConfigError as error:
        return {"status": "refused", "reason": str(error)}
    return None


def _start(sweep: Sweep, point: SweepPoint, *, log: Path, failure: Path) -> int:
    nodes = num_nodes()
    processes = sweep.processes or default_processes(
        parse([*sweep.options, *point.options]).config.parallel.model_size, nodes=nodes
    )
    command = [
        *launch_words(sweep.launcher, processes=processes, nodes=nodes),
        str(sweep.script),
        *sweep.own_options,
        "--name",
        point.name,
        "--output-folder",
        str(log.parent),
        *sweep.options,
        *point.options,
    ]
    environment = {FAILURE_VARIABLE: str(failure)}
    if cpus := os.environ.get("SLURM_CPUS_PER_TASK"):
        environment["SRUN_CPUS_PER_TASK"] = cpus  # srun does not take it from the job by itself
    return run_logged(command, log=log, environment=environment)


def _say(message: str) -> None:
    sys.stderr.write(message + "\n")
    sys.stderr.flush()


def default_processes(model_size: int, *, nodes: int) -> int:
    """Processes on each node: a GPU each, or on the CPU as few as hold the model once."""
    if torch.cuda.is_available():
        return torch.cuda.device_count()
    return math.ceil(model_size / nodes)
