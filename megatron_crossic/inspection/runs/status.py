"""Where a run stands: read from its files alone, without torch, with or without Slurm.

The heartbeat of a run is the modification time of `metrics.jsonl`, or of its nodes' output before
the first step. A rank that hangs is ended after `recovery.timeout_minutes`, so a longer silence
means that nobody is running; writing a large checkpoint may take the five minutes on top.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from megatron_crossic.checkpoint.folder import INFO_FILE, candidates
from megatron_crossic.errors import DataError
from megatron_crossic.inspection.runs.attempts import Attempt, read_attempts
from megatron_crossic.inspection.runs.curves import METRICS_FILE, VALIDATION_FILE
from megatron_crossic.inspection.runs.tail import last_records, number_of

State = Literal["running", "waiting", "killed", "stopped", "failed", "idle", "done"]
"""waiting: Slurm starts it again; killed: ended from outside, and files do not tell what Slurm does
next; idle: no Slurm."""

CHECKPOINTS_FOLDER = "checkpoints"
RECENT_STEPS = 100
_GRACE_SECONDS = 300.0


@dataclass(frozen=True, kw_only=True, slots=True)
class SavedStep:
    """A complete checkpoint."""

    name: str
    step: int
    time: float


@dataclass(frozen=True, kw_only=True, slots=True)
class RunStatus:
    """Everything a look shows; what is not known is None. Times are seconds since 1970."""

    run_dir: str
    state: State
    attempts: tuple[Attempt, ...]
    heartbeat: float | None
    step: int
    last_step: int | None
    """Step this run ends after."""
    num_tokens: int | None
    """All tokens of the windows read so far, padding too."""
    token_budget: int | None
    num_tokens_with_loss: int | None
    loss: float | None
    validation_loss: float | None
    validation_step: int | None
    tokens_per_second: float | None
    """Over the recent steps; validation and checkpoints are not in it."""
    seconds_per_step: float | None
    num_devices: int | None
    remaining_seconds: float | None
    """At that speed."""
    checkpoint: SavedStep | None
    lost_steps: int
    """What a crash now would cost."""
    lost_seconds: float | None


def read_status(run_dir: Path, *, now: float | None = None) -> RunStatus:
    """Look at a run, finished or not; `DataError` where there is no such folder."""
    if not run_dir.is_dir():
        raise DataError(
            f"RUN_DIR must be the folder of a run, got {run_dir}. Give what the run has as run_dir."
        )
    now = time.time() if now is None else now
    config = _read_config(run_dir)
    steps = last_records(run_dir / METRICS_FILE, RECENT_STEPS)
    last = steps[-1] if steps else {}
    validation = next(iter(last_records(run_dir / VALIDATION_FILE, 1)), {})
    attempts = read_attempts(run_dir)
    checkpoint = _newest_checkpoint(run_dir / CHECKPOINTS_FOLDER)
    step, last_step = int(number_of(last, "step") or 0), _last_step(config)
    heartbeat = _heartbeat(run_dir, attempts)
    silence = _section(config, "recovery").get("timeout_minutes") or 10.0
    saved = checkpoint.step if checkpoint else 0
    running = heartbeat is not None and now - heartbeat < 60 * silence + _GRACE_SECONDS
    per_step, per_second = _speed(steps)
    tokens = None if per_step is None or per_second is None else round(per_second * per_step)
    return RunStatus(
        run_dir=str(run_dir),
        state=_state(attempts, is_done=_is_done(attempts, saved, last_step), is_fresh=running),
        attempts=attempts,
        heartbeat=heartbeat,
        step=max(step, saved),
        last_step=last_step,
        num_tokens=None if tokens is None else tokens * step,
        token_budget=None if tokens is None or last_step is None else tokens * last_step,
        num_tokens_with_loss=_whole(number_of(last, "num_tokens_total")),
        loss=number_of(last, "loss"),
        validation_loss=number_of(validation, "loss"),
        validation_step=_whole(number_of(validation, "step")),
        tokens_per_second=per_second,
        seconds_per_step=per_step,
        num_devices=_num_devices(last),
        remaining_seconds=(
            None if per_step is None or last_step is None else max(0, last_step - step) * per_step
        ),
        checkpoint=checkpoint,
        lost_steps=max(0, step - saved),
        lost_seconds=None if per_step is None else max(0, step - saved) * per_step,
    )


def _state(attempts: Sequence[Attempt], *, is_done: bool, is_fresh: bool) -> State:
    if not attempts:
        return "done" if is_done else "running" if is_fresh else "idle"
    last = attempts[-1]
    if last.ended is None and last.next is None:
        return "running" if is_fresh else "done" if is_done else "killed"
    if is_done:
        return "done"
    if last.next == "requeue":
        return "waiting"
    if last.next == "slurm":
        return "killed"
    return "stopped" if last.outcome == "left" else "failed"


def _is_done(attempts: Sequence[Attempt], saved: int, last_step: int | None) -> bool:
    """Whether the last step is saved; where nobody wrote the configuration, what was noted."""
    if last_step is not None:
        return saved >= last_step
    return bool(attempts) and attempts[-1].outcome == "done"


def _heartbeat(run_dir: Path, attempts: Sequence[Attempt]) -> float | None:
    """The latest sign of life; of a run with attempts, one since the last of them started."""
    signs = [_modified(run_dir / METRICS_FILE)]
    if attempts:
        signs += [attempts[-1].started, attempts[-1].heard]
    return max((sign for sign in signs if sign is not None), default=None)


def _modified(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None


def _read_config(run_dir: Path) -> Mapping[str, Any]:
    """The resolved configuration; nothing where it cannot be read."""
    try:
        found = yaml.safe_load((run_dir / "config.yaml").read_bytes())
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = config.get(name)
    return found if isinstance(found, dict) else {}


def _last_step(config: Mapping[str, Any]) -> int | None:
    steps = _whole(number_of(config, "num_steps")) or None
    stop = _whole(number_of(config, "stop_after_step"))
    return steps if steps is None or stop is None else min(steps, stop)


def _newest_checkpoint(root: Path) -> SavedStep | None:
    for folder in candidates(root):
        saved = _modified(folder / INFO_FILE)
        number = folder.name.removeprefix("step_")
        if saved is not None and number.isdecimal():
            return SavedStep(name=folder.name, step=int(number), time=saved)
    return None


def _speed(steps: Sequence[Mapping[str, Any]]) -> tuple[float | None, float | None]:
    """Seconds a step and tokens a second over these steps.

    Two steps of 100 tokens in 1 s and 3 s are 50 tokens/s, not the mean of 100 and 33.
    """
    known = [
        (seconds, rate * seconds)
        for record in steps
        if (seconds := number_of(record, "seconds"))
        and (rate := number_of(record, "tokens_per_second"))
    ]
    total = sum(seconds for seconds, _ in known)
    if not total:
        return None, None
    return total / len(known), sum(tokens for _, tokens in known) / total


def _num_devices(record: Mapping[str, Any]) -> int | None:
    """Devices the last step ran on, from its two speeds."""
    together = number_of(record, "tokens_per_second")
    each = number_of(record, "tokens_per_second_per_device")
    return round(together / each) if together and each else None


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
