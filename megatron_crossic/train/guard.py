"""Which updates are made: not those of a loss that is no number, or that jumps out of line.

A jump is measured against the median of the last losses, which one odd step does not move: with
losses of 2.0 2.1 2.0 9.0 2.0 it is 2.0, their mean 3.4.

What the guard remembers goes into every checkpoint. A resumed run so judges as the uninterrupted
one would.
"""

import math
from collections import deque
from collections.abc import Mapping
from statistics import median
from typing import Any

from megatron_crossic.config import RecoveryConfig


class Guard:
    """Judges every step before its update."""

    def __init__(self, config: RecoveryConfig, memory: Mapping[str, Any]) -> None:
        """`memory` is that of the checkpoint the run goes on from; empty for a new run."""
        self._config = config
        self._losses = deque(memory.get("losses", ()), maxlen=config.spike_window)
        self._bad_in_a_row = int(memory.get("bad_in_a_row", 0))
        self.num_skipped = int(memory.get("num_skipped", 0))
        """Steps without update since the first step of the run."""

    def memory(self) -> dict[str, Any]:
        """What a checkpoint keeps of the guard."""
        return {
            "losses": list(self._losses) if self._config.spike_factor else [],
            "bad_in_a_row": self._bad_in_a_row,
            "num_skipped": self.num_skipped,
        }

    def is_listed(self, step: int) -> bool:
        """Whether the user wants this step left out."""
        return step in self._config.skip_steps

    def complaint(self, *, loss: float, grad_norm: float) -> str | None:
        """What is wrong with a step, as the start of an error message; None where nothing is."""
        for name, value in (("loss", loss), ("gradient norm", grad_norm)):
            if not math.isfinite(value):
                return f"{name} must be finite, got {value}"
        if not self._config.spike_factor or len(self._losses) < self._config.spike_window:
            return None
        usual = median(self._losses)
        if loss <= self._config.spike_factor * usual:
            return None
        return (
            f"loss must be at most recovery.spike_factor * the median of the last "
            f"{self._config.spike_window}, got {loss:.4f} with {self._config.spike_factor:g} * "
            f"{usual:.4f}"
        )

    def updated(self, loss: float) -> None:
        """The update was made."""
        self._losses.append(loss)
        self._bad_in_a_row = 0

    def skipped(self, *, bad: bool) -> None:
        """The update was left out, because its loss is bad or its step listed."""
        self.num_skipped += 1
        self._bad_in_a_row += bad

    @property
    def gives_up(self) -> bool:
        """Whether a bad step ends the run: by choice, or because too many followed each other."""
        return (
            self._config.on_bad_loss == "stop" or self._bad_in_a_row >= self._config.max_bad_steps
        )
