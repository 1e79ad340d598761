"""Lines of progress, and on a terminal a bar below them that is drawn again in place.

A file (the log of a Slurm job) gets the lines alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from tqdm import tqdm

_FORMAT = (
    "{percentage:3.0f}% |{bar}| step {n_fmt}/{total_fmt}  {elapsed} < ETA {remaining}{postfix}"
)


class Lines:
    """Progress in a file; use `open_progress`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def say(self, message: str) -> None:
        """Write one line."""
        self._stream.write(message + "\n")
        self._stream.flush()

    def step(self, step: int, summary: str) -> None:
        """A step is done."""


class Bar(Lines):
    """Progress on a terminal."""

    def __init__(self, stream: TextIO, bar: "tqdm[None]") -> None:
        super().__init__(stream)
        self._bar = bar

    def say(self, message: str) -> None:
        """Write one line above the bar."""
        self._bar.write(message, file=self._stream)

    def step(self, step: int, summary: str) -> None:
        """Draw the bar again, at most ten times a second."""
        self._bar.set_postfix_str(summary, refresh=False)
        self._bar.update(step - self._bar.n)


@contextmanager
def open_progress(stream: TextIO, *, first_step: int, num_steps: int) -> Iterator[Lines]:
    """A bar from the steps done before, where the stream is a terminal."""
    if not stream.isatty():
        yield Lines(stream)
        return
    with tqdm(
        total=num_steps,
        initial=first_step - 1,
        file=stream,
        bar_format=_FORMAT,
        dynamic_ncols=True,
        smoothing=0.05,  # the rate of the last 20 steps or so
    ) as bar:
        yield Bar(stream, bar)
