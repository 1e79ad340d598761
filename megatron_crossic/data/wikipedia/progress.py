"""How far each stage is, for whoever shows it."""

from collections.abc import Callable, Sequence
from pathlib import Path

from megatron_crossic.data.unpack import OnBytes
from megatron_crossic.files import unreadable

Progress = Callable[[str, int, int], None]
"""Called with the stage, how much of its input is consumed and how much there is (bytes; of Parquet
files rows)."""


def no_progress(_stage: str, _done: int, _total: int) -> None:
    """A `Progress` for callers without a display."""


def meter(progress: Progress, stage: str, paths: Sequence[Path]) -> OnBytes:
    """Add up the bytes of one stage for `progress`."""
    try:
        total = sum(path.stat().st_size for path in paths)
    except OSError as error:
        raise unreadable(Path(str(error.filename)), error) from error
    return counter(progress, stage, total)


def counter(progress: Progress, stage: str, total: int) -> OnBytes:
    """Add up whatever is counted in one stage for `progress`."""
    done = 0

    def on_more(more: int) -> None:
        nonlocal done
        done += more
        progress(stage, done, total)

    return on_more
