"""How far each stage is, for whoever shows it."""

from collections.abc import Callable, Sequence
from pathlib import Path

from megatron_crossic.data.unpack import OnBytes
from megatron_crossic.files import unreadable

Progress = Callable[[str, int, int], None]
"""Called with the stage, the bytes of its input files consumed so far and all of them."""


def no_progress(_stage: str, _done: int, _total: int) -> None:
    """A `Progress` for callers without a display."""


def meter(progress: Progress, stage: str, paths: Sequence[Path]) -> OnBytes:
    """Add up the bytes of one stage for `progress`."""
    try:
        total = sum(path.stat().st_size for path in paths)
    except OSError as error:
        raise unreadable(Path(str(error.filename)), error) from error
    done = 0

    def on_bytes(num_bytes: int) -> None:
        nonlocal done
        done += num_bytes
        progress(stage, done, total)

    return on_bytes
