"""The state of runs in words: one screen a run, or one line each."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from megatron_crossic.inspection.marks import visible_line
from megatron_crossic.inspection.runs.attempts import Attempt
from megatron_crossic.inspection.runs.status import RunStatus

SHOWN_ATTEMPTS, SHOWN_ERRORS = 10, 3
_FAILURES = ("error", "crash", "unhealthy")


def screen(status: RunStatus, *, now: float) -> str:
    """Everything about one run; the last line says what there is to do."""
    rows = [
        ("run", visible_line(status.run_dir)),
        ("state", f"{status.state}, {_heartbeat(status, now)}"),
        ("step", _steps(status)),
        ("tokens", _tokens(status)),
        ("loss", _losses(status)),
        ("speed", _speed(status)),
        ("ETA", _eta(status, now)),
        ("checkpoint", _checkpoint(status, now)),
    ]
    lines = [f"{name:<11}{text}" for name, text in rows]
    lines += _attempt_lines(status.attempts, status.state)
    lines += [f"{'error':<11}{line}" for line in last_errors(status)]
    return "\n".join([*lines, f"{'to do':<11}{advice(status)}"])


def table(statuses: Sequence[RunStatus], *, now: float) -> str:
    """One line a run."""
    rows = [("run", "state", "step", "loss", "tokens/s", "ETA", "saved", "attempts")]
    for status in statuses:
        eta = status.remaining_seconds if status.state == "running" else None
        rows.append(
            (
                visible_line(status.run_dir),
                status.state,
                f"{status.step:,}/{_number(status.last_step)}",
                "-" if status.loss is None else f"{status.loss:.4f}",
                _number(status.tokens_per_second),
                "-" if eta is None else _date(now + eta),
                "-" if status.checkpoint is None else f"{status.checkpoint.step:,}",
                str(len(status.attempts)) if status.attempts else "-",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def advice(status: RunStatus) -> str:
    """What the user should do, if anything."""
    last = status.attempts[-1] if status.attempts else None
    again = (
        f"it goes on from step {status.checkpoint.step:,}"
        if status.checkpoint
        else ("it starts anew: there is no checkpoint yet")
    )
    if status.state == "done":
        return "nothing: it is done"
    if status.state == "running":
        return "nothing: it is running"
    if last is None:
        if status.heartbeat is None:
            return "start it: nothing has happened here yet"
        return f"run the same command again, unless it was meant to stop: {again}"
    if status.state == "waiting":
        return (
            f"nothing, while `squeue --job {last.job}` shows it: Slurm starts it again, and "
            f"{again}; where it is gone, sbatch again{_left_out_nodes(status)}"
        )
    if status.state == "killed":
        return (
            f"look at `squeue --job {last.job}`: attempt {last.name} was ended from "
            f"outside, and Slurm starts it again unless it was cancelled; where it is gone, sbatch "
            f"again: {again}{_left_out_nodes(status)}"
        )
    if status.state == "stopped":
        return f"sbatch again to go on, for it was asked to leave{_unless_queued(last)}: {again}"
    reason = (last_errors(status) or [f"exit code {last.exit_code}"])[-1]
    unless = "" if last.outcome == "error" else _unless_queued(last)
    return f"it has stopped for good{unless}: {reason}; mend that and sbatch again: {again}"


def _unless_queued(last: Attempt) -> str:
    """Slurm may put a job back by itself, after the batch script gave up or was asked to leave."""
    return f", unless `squeue --job {last.job}` shows it"


def _left_out_nodes(status: RunStatus) -> str:
    """A job may wait for ever once too many nodes have failed its check."""
    job = status.attempts[-1].job
    if not any(one.job == job and one.outcome == "unhealthy" for one in status.attempts):
        return ""
    return (
        f"; where it does not start, look at ExcNodeList in `scontrol show job {job}`: nodes that "
        "failed the check are left out"
    )


def last_errors(status: RunStatus) -> list[str]:
    """The last failures, oldest first: attempt and reason, then unhealthy nodes."""
    found = []
    for attempt in status.attempts:
        if attempt.outcome in _FAILURES:
            reason = attempt.message or f"no message, exit code {attempt.exit_code}"
            if attempt.unhealthy and not attempt.message:
                reason = "; ".join(attempt.unhealthy)
            found.append(f"{attempt.name} {attempt.outcome}: {reason}")
    return found[-SHOWN_ERRORS:]


def _attempt_lines(attempts: Sequence[Attempt], state: str) -> Iterator[str]:
    left_out = len(attempts) - SHOWN_ATTEMPTS
    if left_out > 0:
        yield f"{'attempts':<11}{left_out} earlier ones"
    for attempt in attempts[-SHOWN_ATTEMPTS:]:
        is_last = attempt is attempts[-1]
        if attempt.ended is None and attempt.next is None:
            ended = "running" if is_last and state == "running" else "killed from outside"
        else:
            ended = f"{attempt.outcome or '?'} (exit code {attempt.exit_code})"
            following = "what Slurm decides" if attempt.next == "slurm" else attempt.next
            ended += f", then {following}" if following else ""
        steps = f"step {attempt.first_step:,} to {_number(attempt.last_step)}"
        when = f"{_date(attempt.started)} to {_date(attempt.ended)}"
        yield f"{'attempt':<11}{attempt.name} on {attempt.nodes}: {steps}, {when}: {ended}"


def _heartbeat(status: RunStatus, now: float) -> str:
    if status.heartbeat is None:
        return "no sign of life yet"
    return f"last sign of life {_age(now - status.heartbeat)} ago"


def _steps(status: RunStatus) -> str:
    if not status.last_step:
        return f"{status.step:,}"
    return f"{status.step:,} of {status.last_step:,} ({status.step / status.last_step:.1%})"


def _tokens(status: RunStatus) -> str:
    if status.num_tokens is None:
        return "-"
    with_loss = _number(status.num_tokens_with_loss)
    return f"{status.num_tokens:,} of {_number(status.token_budget)}; {with_loss} had loss"


def _losses(status: RunStatus) -> str:
    training = "-" if status.loss is None else f"{status.loss:.4f}"
    if status.validation_loss is None:
        return training
    return (
        f"{training}, validation {status.validation_loss:.4f} after step {status.validation_step}"
    )


def _speed(status: RunStatus) -> str:
    if status.tokens_per_second is None or status.seconds_per_step is None:
        return "-"
    devices = f" on {status.num_devices} devices" if status.num_devices else ""
    return (
        f"{status.tokens_per_second:,.0f} tokens/s{devices}, {status.seconds_per_step:.3g} s a "
        "step, over the last 100 steps or fewer"
    )


def _eta(status: RunStatus, now: float) -> str:
    if status.remaining_seconds is None:
        return "-"
    if status.state == "done":
        return "done"
    left = f"{_age(status.remaining_seconds)} of steps to go"
    if status.state == "running":
        return f"{_date(now + status.remaining_seconds)}, {left}"
    return left


def _checkpoint(status: RunStatus, now: float) -> str:
    lost = f"{status.lost_steps:,} steps"
    if status.lost_seconds is not None:
        lost += f", {status.lost_seconds / 60:.1f} minutes"
    losing = f"a crash now would lose {lost}"
    if status.checkpoint is None:
        return f"none; {losing}"
    return f"{status.checkpoint.name}, {_age(now - status.checkpoint.time)} old; {losing}"


def _age(seconds: float) -> str:
    """`2 days, 3:04:05`."""
    return str(timedelta(seconds=max(0, round(seconds))))


def _date(moment: float | None) -> str:
    if moment is None:
        return "?"
    return datetime.fromtimestamp(moment).astimezone().strftime("%Y-%m-%d %H:%M")


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:,.0f}"
