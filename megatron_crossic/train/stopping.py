"""What asks a run to leave early or to save now, and how all ranks come to do it after one step.

    SIGTERM, SIGUSR1            to any rank: save and leave
    run_dir/STOP                the same; the file is removed, so that the next start goes on
    recovery.stop_file          the same; it belongs to somebody else and stays
    recovery.exit_after_minutes the same
    run_dir/SAVE                save and go on; the file is removed
    checkpoint.interval_minutes the same
    run_dir/slurm/owner         names another attempt than CROSSIC_ATTEMPT, where that is set: leave
                                without saving. This one runs on a node that Slurm has lost, and the
                                attempt that followed writes into the same folder

Signals may reach one rank and not another, and ranks see files and clocks at different times: so
files and clocks are rank 0's alone, and after every step all ranks take the most urgent of what any
of them knows.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import torch

from megatron_crossic.checkpoint.saving import Progress
from megatron_crossic.config import RunConfig
from megatron_crossic.errors import ConfigError
from megatron_crossic.files import remove_quietly
from megatron_crossic.train.agreement import largest

STOP_FILE = "STOP"
SAVE_FILE = "SAVE"
SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
OWNER_FILE = "slurm/owner"
ATTEMPT_VARIABLE = "CROSSIC_ATTEMPT"
_GO_ON = 0
_REASONS = (
    "",
    "SIGTERM",
    "SIGUSR1",
    "the file STOP",
    "recovery.stop_file",
    "its time is over",
    "the run belongs to another attempt",
)
_SIGTERM, _SIGUSR1, _STOP_FILE, _OTHER_FILE, _TIME, _OTHER_ATTEMPT = range(1, len(_REASONS))


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What all ranks do after a step."""

    stop: str
    """Why the run saves and leaves; empty where it goes on."""
    is_other_attempt: bool
    """Whether it leaves without saving: an attempt that followed owns the run."""
    save: bool
    """Whether it saves, beside the regular checkpoints."""
    finish_save: bool
    """Whether every rank has written its part of the pending checkpoint, or one has failed to."""


class Requests:
    """Collects what asks this rank; use `listening`."""

    def __init__(self, config: RunConfig, *, is_main: bool) -> None:
        self._config = config
        self._is_main = is_main
        self._attempt = os.environ.get(ATTEMPT_VARIABLE)
        self._signal = _GO_ON
        self._started = self._saved = time.monotonic()
        self._answered: int | None = None
        """When the file SAVE was made that the last save answers."""

    def receive(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Signal handler: remembers, and interrupts nothing."""
        self._signal = _SIGTERM if number == signal.SIGTERM else _SIGUSR1

    def decide(self, device: torch.device, progress: Progress = Progress.NONE) -> Decision:
        """What any rank was asked for, on all ranks; they call this together.

        `progress` is how far this rank is with the pending checkpoint.
        """
        stop, save, slowest = largest([self._stop(), self._save(), progress], device)
        finish_save = slowest in (Progress.WRITTEN, Progress.FAILED)
        return Decision(
            stop=_REASONS[stop],
            is_other_attempt=stop == _OTHER_ATTEMPT,
            save=bool(save),
            finish_save=finish_save,
        )

    def saving(self) -> None:
        """A checkpoint is begun: it answers the file there is; one made from now on asks again."""
        self._saved = time.monotonic()
        self._answered = self._asked()

    def saved(self) -> None:
        """The checkpoint is complete: rank 0 removes the file that asked for it."""
        self._saved = time.monotonic()
        if self._is_main and self._asked() == self._answered:
            remove_quietly(self._file(SAVE_FILE))

    def leaving(self, reason: str) -> None:
        """The run has saved and ends: rank 0 removes the file, if it was what asked for it.

        One that was made during the save asks the next start, which must find it.
        """
        if self._is_main and reason == _REASONS[_STOP_FILE]:
            remove_quietly(self._file(STOP_FILE))

    def _stop(self) -> int:
        if self._is_main and self._is_other_attempt():
            return _OTHER_ATTEMPT
        if self._signal or not self._is_main:
            return self._signal
        recovery = self._config.recovery
        if self._file(STOP_FILE).exists():
            return _STOP_FILE
        if recovery.stop_file is not None and recovery.stop_file.exists():
            return _OTHER_FILE
        return _TIME if _is_over(self._started, recovery.exit_after_minutes) else _GO_ON

    def _is_other_attempt(self) -> bool:
        try:
            owner = self._file(OWNER_FILE).read_text(encoding="utf-8").strip()
        except OSError:
            return False
        return self._attempt is not None and owner not in ("", self._attempt)

    def _save(self) -> bool:
        if not self._is_main:
            return False
        minutes = self._config.checkpoint.interval_minutes
        asked = self._asked()
        return (asked is not None and asked != self._answered) or _is_over(self._saved, minutes)

    def _asked(self) -> int | None:
        """When the file SAVE was made, in nanoseconds; None where there is none."""
        try:
            return self._file(SAVE_FILE).stat().st_mtime_ns
        except OSError:
            return None

    def _file(self, name: str) -> Path:
        return self._config.run_dir / name


def _is_over(since: float, minutes: float | None) -> bool:
    return minutes is not None and time.monotonic() - since >= 60 * minutes


@contextmanager
def listening(config: RunConfig, *, is_main: bool) -> Iterator[Requests]:
    """Collect requests until the end of the context; then signals mean what they did before."""
    if threading.current_thread() is not threading.main_thread():
        raise ConfigError(
            "training must run in the main thread of its process, got "
            f"{threading.current_thread().name}. Only there can it receive signals."
        )
    requests = Requests(config, is_main=is_main)
    before = {number: signal.signal(number, requests.receive) for number in SIGNALS}
    try:
        yield requests
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
