"""How far each stage is, for whoever shows it."""

from collections.abc import Callable, Iterable
from pathlib import Path

from megatron_crossic.data.inputs import file_size
from megatron_crossic.data.unpack import OnBytes

Progress = Callable[[str, int, int], None]
"""Called with the stage, the bytes of its input files consumed so far and all of them."""


def no_progress(_stage: str, _done: int, _total: int) -> None:
    """A `Progress` for callers without a display."""


def meter(progress: Progress, stage: str, *, total: int) -> OnBytes:
    """Add up the bytes of one stage for `progress`."""
    done = 0

    def on_bytes(num_bytes: int) -> None:
        nonlocal done
        done += num_bytes
        progress(stage, done, total)

    return on_bytes


def file_meter(progress: Progress, stage: str, paths: Iterable[Path]) -> OnBytes:
    """A `meter` for whole files; raises `DataError` where one cannot be read."""
    return meter(progress, stage, total=sum(map(file_size, paths)))
