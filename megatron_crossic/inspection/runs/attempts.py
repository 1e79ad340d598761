"""The attempts of a run under Slurm: what the batch script and the run itself noted about each.

    RUN_DIR/slurm/attempts.jsonl   {"event": "start", "job": 17, "restart": 0, "step": 0, …}
                                   {"event": "end", "job": 17, "restart": 0, "step": 120, …}
    RUN_DIR/slurm/17.0/outcome     `4 error`, and on a second line the reason
    RUN_DIR/slurm/17.0/unhealthy   `node03 2 uncorrected memory errors`, one line a bad node

An attempt without an end was killed from outside, or is running. One without a start was asked to
stop while it waited in the queue.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from megatron_crossic.inspection.marks import visible_line
from megatron_crossic.inspection.runs.tail import all_records, number_of

SLURM_FOLDER = "slurm"
ATTEMPTS_FILE = "attempts.jsonl"
_MOST_BYTES = 1 << 14
"""Of a note that somebody else wrote, a beginning is enough."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One start of the batch script: a job, and how often Slurm had restarted it."""

    job: str
    restart: int
    nodes: str
    started: float | None
    """Seconds since 1970, as all times here."""
    ended: float | None = None
    first_step: int = 0
    """Step of the newest checkpoint when it started."""
    last_step: int | None = None
    """The same when it ended."""
    exit_code: int | None = None
    outcome: str | None = None
    """done, left, error, crash or unhealthy; None where nobody noted it."""
    next: str | None = None
    """requeue or stop; slurm where it was ended from outside and Slurm decides."""
    message: str = ""
    """The error, or why it left."""
    unhealthy: tuple[str, ...] = ()
    """A line for each bad node."""
    heard: float | None = None
    """When the output of one of its nodes grew last."""

    @property
    def name(self) -> str:
        """`17.0`, which is also its folder."""
        return f"{self.job}.{self.restart}"


def read_attempts(run_dir: Path) -> tuple[Attempt, ...]:
    """All attempts, oldest first; none for a run without Slurm."""
    folder = run_dir / SLURM_FOLDER
    starts: dict[tuple[str, int], Mapping[str, Any]] = {}
    ends: dict[tuple[str, int], Mapping[str, Any]] = {}
    keys: dict[tuple[str, int], None] = {}
    for record in all_records(folder / ATTEMPTS_FILE):
        key = (visible_line(str(record.get("job", "?"))), int(number_of(record, "restart") or 0))
        keys[key] = None
        (ends if record.get("event") == "end" else starts)[key] = record
    return tuple(
        _attempt(folder, key, starts.get(key, {}), ends.get(key, {}))
        for key in keys  # by their first line
    )


def _attempt(
    folder: Path, key: tuple[str, int], start: Mapping[str, Any], end: Mapping[str, Any]
) -> Attempt:
    job, restart = key
    notes = folder / f"{job}.{restart}" if "/" not in job else folder
    noted, message = _outcome(notes / "outcome")
    return Attempt(
        job=job,
        restart=restart,
        nodes=visible_line(str(start.get("nodes", "?"))),
        started=number_of(start, "time"),
        ended=number_of(end, "time"),
        first_step=_whole(start or end, "step") or 0,
        last_step=_whole(end, "step"),
        exit_code=_whole(end, "exit_code"),
        outcome=visible_line(str(end["outcome"])) if "outcome" in end else noted,
        next=visible_line(str(end["next"])) if "next" in end else None,
        message=message,
        unhealthy=tuple(visible_line(line) for line in _beginning(notes / "unhealthy")),
        heard=max((_modified(path) for path in notes.glob("*.log")), default=None),
    )


def _outcome(path: Path) -> tuple[str | None, str]:
    """What tools/pretrain.py wrote: `4 error`, then a line of reason."""
    first, *others = [*_beginning(path), ""]
    _, _, word = first.partition(" ")
    return visible_line(word.strip()) or None, visible_line(others[0] if others else "")


def _beginning(path: Path) -> list[str]:
    """Lines that are not blank; none without a file."""
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return []
    return [line.strip() for line in text.splitlines() if line.strip()]


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # removed meanwhile
        return 0.0


def _whole(record: Mapping[str, Any], name: str) -> int | None:
    value = number_of(record, name)
    return None if value is None else int(value)
