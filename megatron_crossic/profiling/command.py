"""What `tools/profile_throughput.py` does, without its printing."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from megatron_crossic.backend import select_backend
from megatron_crossic.errors import ConfigError, CrossicError
from megatron_crossic.files import atomic_output, refuse_existing, write_text_atomically
from megatron_crossic.profiling.claim import POINTS_FOLDER, clear
from megatron_crossic.profiling.compare import compare
from megatron_crossic.profiling.compare import to_markdown as comparison
from megatron_crossic.profiling.document import (
    PROFILE_FILE,
    Point,
    measured,
    read_profile,
    write_profile,
)
from megatron_crossic.profiling.failure import told_failure
from megatron_crossic.profiling.launch import num_nodes
from megatron_crossic.profiling.measure import measure
from megatron_crossic.profiling.picture import to_png
from megatron_crossic.profiling.planning import MeasureOptions, plan_profile
from megatron_crossic.profiling.point import layout_name, to_point
from megatron_crossic.profiling.points import SweepPoint, sweep_points
from megatron_crossic.profiling.sweep import Sweep, run_sweep
from megatron_crossic.profiling.table import to_markdown
from megatron_crossic.train.options import parse

TABLE_FILE = "profile.md"
PICTURE_FILE = "profile.png"


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What a command line asks for."""

    script: Path
    folder: Path
    options: tuple[str, ...]
    """Those of pretrain.py."""
    own_options: tuple[str, ...]
    """Those that a sweep hands on to its points."""
    measure: MeasureOptions
    name: str | None = None
    sweep: tuple[str, ...] = ()
    launcher: str | None = None
    processes: int | None = None
    retry: bool = False
    overwrite: bool = False

    @property
    def starts_processes(self) -> bool:
        """Whether this process starts others instead of measuring itself."""
        asked = bool(self.sweep or self.launcher or self.processes)
        if "RANK" in os.environ:
            if asked:
                raise ConfigError(
                    "--sweep, --launcher and --processes must be given outside of torchrun, got "
                    "them inside. Start the command with python: it starts torchrun itself."
                )
            return False
        return asked or num_nodes() > 1


def profile(request: Request) -> str | None:
    """Measure, write the results and return the table; None on all ranks but the first."""
    with told_failure():
        points = _sweep(request) if request.starts_processes else _measure(request)
    if points is None:
        return None
    write_profile(request.folder, points)
    text = to_markdown(points)
    write_text_atomically(request.folder / TABLE_FILE, text)
    picture = to_png(points)
    if picture is not None:
        with atomic_output(request.folder / PICTURE_FILE) as file:
            file.write(picture)
    _check_any(points, request.folder)
    return text


def _check_any(points: Sequence[Point], folder: Path) -> None:
    """A profile of nothing is an error; where trying again does not help, a `ConfigError`."""
    if measured(points):
        return
    told = f"{points[0]['name']}: {points[0]['status']}, {points[0]['reason']}"
    refused = all(point["status"] == "refused" for point in points)
    raise (ConfigError if refused else CrossicError)(
        f"a profile must measure one point at least, got {told}. {folder / POINTS_FOLDER} has what "
        "the processes said."
    )


def _measure(request: Request) -> list[Point] | None:
    """This process is a rank."""
    refuse_existing(request.folder / PROFILE_FILE, overwrite=request.overwrite)
    config = parse(request.options).config
    backend = select_backend(config.backend)
    plan = plan_profile(
        config,
        request.measure,
        backend,
        world_size=int(os.environ.get("WORLD_SIZE", "1")),
        folder=request.folder,
    )
    found = measure(plan, request.measure, backend, request.folder)
    if os.environ.get("RANK", "0") != "0":
        return None
    name = request.name or layout_name(found.plan)
    return [to_point(found, request.measure, backend, name=name)]


def _sweep(request: Request) -> list[Point]:
    """This process starts the ranks of every point."""
    if request.sweep and request.name is not None:
        raise ConfigError(
            f"--name must go with one point, got {request.name} with --sweep. Leave it out: the "
            "points of a sweep are named by their values."
        )
    points = sweep_points(request.sweep)
    if not request.sweep:
        points = [SweepPoint(name=request.name or "one point", settings={})]
        if request.overwrite:
            clear(request.folder)
    sweep = Sweep(
        folder=request.folder,
        script=request.script,
        options=request.options,
        own_options=request.own_options,
        launcher=request.launcher,
        processes=request.processes,
        retry=request.retry,
        name=None if request.sweep else points[0].name,
    )
    return run_sweep(sweep, points)


def compare_profiles(first: Path, second: Path) -> str:
    """The comparison of two results as a table."""
    return comparison(compare(read_profile(first), read_profile(second)))
