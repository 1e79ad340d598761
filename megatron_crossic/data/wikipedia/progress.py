"""What a long run says of itself: a stage, and the bytes of its input files behind it."""

from collections.abc import Callable

from megatron_crossic.data.unpack import OnBytes

Progress = Callable[[str, int, int], None]
"""Called with the stage, the bytes of its input consumed so far and all of them."""


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
