"""Which paths a container sees, and where they lie outside of it.

A container sees the project's folder, at the same place, and what `CROSSIC_CONTAINER_MOUNTS` names:
`FROM:TO`, separated by commas. All else, though it is on every node, is missing inside.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from megatron_crossic.config import RunConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class Mount:
    """A folder and its name inside."""

    outside: Path
    inside: Path


def parse_mounts(
    text: str, *, project: Path, environment: Mapping[str, str] = os.environ
) -> tuple[Mount, ...]:
    """`/scratch/me:/data:ro,/models` and the project's folder; the innermost first."""
    # The shell may know the project's folder by another name, through a link.
    folders = {project, Path(environment.get("PWD", project))}
    same = [one for one in folders if one.exists() and one.samefile(project)]
    mounts = [Mount(outside=one, inside=one) for one in same]
    for entry in filter(None, text.split(",")):
        outside, _, rest = entry.partition(":")
        inside = rest.partition(":")[0] or outside
        mounts.append(Mount(outside=Path(outside), inside=Path(inside)))
    return tuple(sorted(mounts, key=lambda mount: -len(mount.inside.parts)))


def find_outside(path: Path, mounts: Sequence[Mount]) -> Path | None:
    """Where a path of the container lies on the host; None where it is not seen inside."""
    wanted = Path(os.path.abspath(path))
    for mount in mounts:
        if wanted.is_relative_to(mount.inside):
            found = mount.outside / wanted.relative_to(mount.inside)
            real = found.resolve()  # a link may lead out of what is mounted
            seen = any(real.is_relative_to(one.outside.resolve()) for one in mounts)
            return found if seen else None
    return None


def mount_problems(
    config: RunConfig, mounts: Sequence[Mount], *, config_file: Path | None
) -> list[str]:
    """Every path of a run that its container would not find."""
    found = []
    for name, path in _read_inside(config):
        if find_outside(path, mounts) is None:
            found.append(_not_seen(name, path))
    both = [("run_dir", config.run_dir)]
    both += [] if config_file is None else [("--config", config_file)]
    for name, path in both:
        outside = find_outside(path, mounts)
        if outside is None:
            found.append(_not_seen(name, path))
        elif outside != Path(os.path.abspath(path)):
            found.append(
                f"{name} must have one path inside and outside of the container, for the batch "
                f"script uses it too, got {path} for {outside}. Mount its folder under its own "
                "name."
            )
    return found


def on_host(config: RunConfig, mounts: Sequence[Mount]) -> RunConfig:
    """The configuration with the paths that can be looked at here."""

    def outside(path: Path) -> Path:
        found = find_outside(path, mounts)
        # Paths that are the same in both stay as they were written.
        return path if found is None or found == Path(os.path.abspath(path)) else found

    data, initial = config.data, config.checkpoint.initial
    moved = replace(
        data,
        train=tuple(map(outside, data.train)),
        validation=tuple(map(outside, data.validation)),
        retention=tuple(map(outside, data.retention)),
    )
    start = replace(config.checkpoint, initial=None if initial is None else outside(initial))
    return replace(config, data=moved, checkpoint=start)


def _read_inside(config: RunConfig) -> Iterator[tuple[str, Path]]:
    for name in ("train", "validation", "retention"):
        for path in getattr(config.data, name):
            yield f"data.{name}", path
    if config.checkpoint.initial is not None:
        yield "checkpoint.initial", config.checkpoint.initial


def _not_seen(name: str, path: Path) -> str:
    return (
        f"{name} must lie in what the container sees, got {path}, which is neither in the "
        "project's folder nor in a mount. Add its folder to CROSSIC_CONTAINER_MOUNTS, or correct "
        "the path."
    )
