"""The part of a run's configuration that keeps it alive: checkpoints, and what to do in trouble."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class CheckpointConfig:
    """Where weights come from and where the run's state goes."""

    initial: Path | None = None
    """A checkpoint made by `convert_checkpoint.py from-hf` or by another run; weights only.

    Once the run has a checkpoint of its own it goes on from that, and this is not read, except by
    a LoRA run: its own checkpoints hold adapters only.
    """
    interval: int = 100
    """Steps between two checkpoints; the last step is always saved."""
    interval_minutes: float | None = None
    """Longest time between two checkpoints, by rank 0's clock, beside `interval`."""
    keep_last: int = 2
    """Newest complete checkpoints that stay on disk."""
    keep_every: int | None = None
    """Checkpoints of steps that this number divides stay as well."""
    asynchronous: bool = False
    """Write checkpoints beside the next steps, from a copy in host memory.

    Off, the default, every rank waits for the disks and no copy is made. What is saved is the same
    bit for bit; the copy takes host memory of the size of a rank's part, and what it gains is the
    time of the write: half of the stall and more (benchmarks/results/checkpoint_stall.json).
    """

    def problems(self) -> list[str]:
        """Every rule the values break, as messages."""
        found = [
            f"checkpoint.{name} must be at least 1, got {value}. Raise it."
            for name in ("interval", "keep_last", "keep_every")
            if (value := getattr(self, name)) is not None and value < 1
        ]
        if self.interval_minutes is not None and self.interval_minutes <= 0:
            found.append(
                f"checkpoint.interval_minutes must be above 0, got {self.interval_minutes}. "
                "Raise it."
            )
        return found


@dataclass(frozen=True, kw_only=True)
class RecoveryConfig:
    """When a run leaves early, and what it does about bad steps and broken machines."""

    exit_after_minutes: float | None = None
    """Save and leave after this time, before a scheduler's limit."""
    stop_file: Path | None = None
    """Save and leave once this file exists, as with `STOP` in run_dir; it is not removed."""
    on_bad_loss: Literal["stop", "skip"] = "stop"
    """What to do about a loss or gradient norm that is no number, or a spike.

    stop ends the run with an error; skip leaves the update out and goes on. Both name the windows.
    """
    spike_factor: float = 0.0
    """A loss above this many medians of the last `spike_window` ones is a spike; 0 is off."""
    spike_window: int = 50
    """Losses that median is of; there are no spikes before there are so many."""
    max_bad_steps: int = 10
    """Bad steps in a row that end the run even with `on_bad_loss` skip."""
    skip_steps: tuple[int, ...] = ()
    """Steps that read their windows and make no update."""
    weight_check_interval: int | None = None
    """Steps between two comparisons of the weights of all data-parallel ranks."""
    straggler_interval: int | None = None
    """Steps between two looks for ranks whose device, or reading, is slower than the others'."""
    straggler_factor: float = 1.2
    """Such a rank is above this many medians of all ranks."""
    timeout_minutes: float = 10.0
    """How long a rank may wait for the others before the job ends and names who is missing."""

    def problems(self) -> list[str]:
        """Every rule the values break, as messages."""
        counts = {
            "spike_window": self.spike_window,
            "max_bad_steps": self.max_bad_steps,
            "weight_check_interval": self.weight_check_interval,
            "straggler_interval": self.straggler_interval,
            "skip_steps": min(self.skip_steps, default=None),
        }
        found = [
            f"recovery.{name} must be at least 1, got {value}. Raise it."
            for name, value in counts.items()
            if value is not None and value < 1
        ]
        times = {
            "exit_after_minutes": self.exit_after_minutes,
            "timeout_minutes": self.timeout_minutes,
        }
        found += [
            f"recovery.{name} must be above 0, got {value}. Raise it."
            for name, value in times.items()
            if value is not None and value <= 0
        ]
        if self.straggler_factor <= 1:
            found.append(
                f"recovery.straggler_factor must be above 1, got {self.straggler_factor}. Use 1.2."
            )
        if self.spike_factor and self.spike_factor <= 1:
            found.append(
                f"recovery.spike_factor must be above 1, or 0 for off, got {self.spike_factor}. "
                "Use 2 or more."
            )
        return found
