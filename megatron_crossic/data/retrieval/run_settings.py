"""How mining is run; none of it changes the pairs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from megatron_crossic.data.retrieval.index.exact import Progress
from megatron_crossic.errors import ConfigError

Display = Callable[[str, int, int], None]
"""Called with the stage, what is done of it and all there is."""


def _show_nothing(_stage: str, _done: int, _total: int) -> None:
    """For callers without a display."""


def _say_nothing(_line: str) -> None:
    """For those who read the manifest."""


def _show_no_report(_data: Path) -> None:
    """For those who make it later."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSettings:
    """Shares of work, and who is told about it."""

    workers: int = 1
    """Processes that encode; a pre-trained encoder works in this process alone."""
    threads: int | None = None
    """Of FAISS and BLAS; None: as many as there are cores."""
    shard: tuple[int, int] | None = None
    """(i, n): the i-th of n shares of a step, which another run finishes."""
    overwrite: bool = False
    """Make folders of other options, and the output, anew."""
    show: Display = _show_nothing
    say: Callable[[str], None] = _say_nothing
    """Called with a line that a person should read."""
    report: Callable[[Path], None] = _show_no_report
    """Called with the data of the report once they are there, before the pairs are."""

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ConfigError(f"workers must be positive, got {self.workers}. Use --workers 1.")
        if self.threads is not None and self.threads < 1:
            raise ConfigError(f"threads must be positive, got {self.threads}. Use for example 8.")
        if self.shard and self.overwrite:
            raise ConfigError(
                "overwrite must be done by one run, got a shard: tasks that begin together would "
                "remove each other's work. Remove the work folder, then start them without."
            )

    def stage(self, name: str) -> Progress:
        """Progress of one stage."""
        return lambda done, total: self.show(name, done, total)

    def is_ours(self, number: int) -> bool:
        """Whether a segment is of this share."""
        index, count = self.shard or (0, 1)
        return number % count == index
