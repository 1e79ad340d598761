"""The checkpoints of a run in progress: at most one is being written at any time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from megatron_crossic.checkpoint.saving import (
    PendingCheckpoint,
    Progress,
    Surroundings,
    begin,
)
from megatron_crossic.checkpoint.state import TrainingState
from megatron_crossic.train.metrics import SilentLog


@dataclass(kw_only=True, slots=True)
class Saves:
    """The newest complete checkpoint, and the one on its way."""

    newest: Path
    """Newest complete checkpoint of the run, or the one it started from."""
    pending: PendingCheckpoint | None = None
    began: float = 0.0
    """When the pending one was begun, by the monotonic clock."""

    @property
    def progress(self) -> Progress:
        """How far this rank is with the pending checkpoint."""
        return Progress.NONE if self.pending is None else self.pending.progress

    def begin(self, state: TrainingState, surroundings: Surroundings, *, background: bool) -> None:
        """Begin the next one; the one before must be finished."""
        assert self.pending is None, "checkpoints are finished one by one"
        self.began = time.monotonic()
        self.pending = begin(state, surroundings, background=background)

    def finish(self, metrics: SilentLog, *, step: int) -> bool:
        """Complete the pending checkpoint after `step`; whether there was one.

        Every rank calls this together, and waits until all have written.
        """
        if self.pending is None:
            return False
        pending, self.pending = self.pending, None
        self.newest = pending.finish()
        beside = step - pending.step
        steps = "step" if beside == 1 else "steps"
        where = f", beside {beside} {steps}" if beside else ""
        metrics.say(f"saved {self.newest} in {time.monotonic() - self.began:.1f} s{where}")
        return True

    @contextmanager
    def salvaging(self, metrics: SilentLog) -> Iterator[None]:
        """An error inside still completes the pending checkpoint, if every rank has its part.

        Other ranks may know nothing of the error, so they are not asked to take part.
        """
        try:
            yield
        except Exception:
            if self.pending is not None:
                metrics.say(self.pending.salvage())
            raise
