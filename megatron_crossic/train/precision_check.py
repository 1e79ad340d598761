"""Whether a number format trains like one with more digits: the same steps both ways, compared.

Both start from the same weights (or checkpoint) and read the same windows in the same order. What
decides is the mean loss of the later half of the steps: the first losses are those of the weights,
whatever the format. Nothing is saved but `precision_check.json`.
"""

import gc
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean

from megatron_crossic.backend import Backend
from megatron_crossic.config import PrecisionConfig
from megatron_crossic.errors import ConfigError, CrossicError
from megatron_crossic.files import write_text_atomically
from megatron_crossic.jsonl import to_json_line
from megatron_crossic.parallel import seed_everything
from megatron_crossic.train.loop import Crew, joined
from megatron_crossic.train.metrics import SilentLog, StepMetrics
from megatron_crossic.train.plan import RunPlan
from megatron_crossic.train.setup import set_up

RESULT_FILE = "precision_check.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class PrecisionReport:
    """What both formats gave."""

    compute: str
    reference: str
    first_step: int
    losses: list[float]
    reference_losses: list[float]
    limit: float

    @property
    def gap(self) -> float:
        """Difference of the mean losses of the later half, in nats a token."""
        return abs(_later_half(self.losses) - _later_half(self.reference_losses))

    @property
    def passes(self) -> bool:
        """Whether the gap is small enough; a loss that is no number never is."""
        return self.gap <= self.limit


def _later_half(losses: Sequence[float]) -> float:
    return fmean(losses[len(losses) // 2 :])


def check_precision(plan: RunPlan, backend: Backend) -> str:
    """Run both ways; the table to print, or `CrossicError` where they differ too much.

    Every rank calls this. Needs the time of two runs of `precision.check_steps` steps.
    """
    precision = plan.config.precision
    assert precision.check is not None, "the caller looks first"
    if precision.check == "fp32" and plan.resumes:
        raise ConfigError(
            "precision.check must be made before the first step where it is fp32, got a run that "
            f"resumes from {plan.source}, whose optimizer state is that of bf16. Use a new run_dir."
        )
    with joined(plan, backend) as crew:
        reference = _losses_of(_with(plan, _reference(precision)), backend, crew)
        losses = _losses_of(_with(plan, precision), backend, crew)
    report = PrecisionReport(
        compute=precision.compute,
        reference=precision.check,
        first_step=plan.first_step,
        losses=losses,
        reference_losses=reference,
        limit=precision.check_gap,
    )
    if crew.rank.is_main:
        values = {**asdict(report), "gap": report.gap, "passes": report.passes}
        write_text_atomically(plan.config.run_dir / RESULT_FILE, to_json_line(values).decode())
    if not report.passes:
        raise CrossicError(
            f"precision.compute {report.compute} must lose at most {report.limit:g} nats a token "
            f"against {report.reference}, got {report.gap:.4f}. Use {report.reference}, or another "
            f"precision.recipe.\n{_table(report)}"
        )
    return _table(report)


def _reference(precision: PrecisionConfig) -> PrecisionConfig:
    """The same options in the format that is compared with, less what belongs to the other."""
    assert precision.check is not None, "the caller looks first"
    fp32 = precision.check == "fp32"
    return replace(
        PrecisionConfig(compute=precision.check, check_steps=precision.check_steps),
        grad_reduce="fp32" if fp32 else precision.grad_reduce,
    )


def _with(plan: RunPlan, precision: PrecisionConfig) -> RunPlan:
    """The plan of a run in another format that ends after the steps of the check."""
    last_step = plan.first_step - 1 + precision.check_steps
    return replace(
        plan, config=replace(plan.config, precision=precision, stop_after_step=last_step)
    )


def _losses_of(plan: RunPlan, backend: Backend, crew: Crew) -> list[float]:
    """The losses of every step; no validation, no checkpoint, no log."""
    seed_everything(plan.config.seed)
    log = _Progress(plan.config.precision.compute) if crew.rank.is_main else SilentLog()
    run = set_up(plan, crew.rank, backend, crew.watch)
    losses = []
    for step in range(plan.first_step, plan.config.last_step + 1):
        metrics = run.step(step, log)
        log.step(metrics)
        losses.append(metrics.loss)
        if reason := crew.requests.decide(run.shape.device).stop:
            raise CrossicError(
                f"precision.check must run all its steps, got a request to stop: {reason}. "
                "Start it again."
            )
    del run
    gc.collect()  # gradient buffers have references to themselves; the next run needs the room
    return losses


class _Progress(SilentLog):
    """A line every tenth step."""

    def __init__(self, compute: str) -> None:
        self._compute = compute

    def say(self, message: str) -> None:
        sys.stderr.write(message + "\n")

    def step(self, metrics: StepMetrics) -> None:
        if metrics.step % 10 == 0:
            self.say(f"{self._compute}: step {metrics.step}, loss {metrics.loss:.4f}")


def _table(report: PrecisionReport) -> str:
    """The losses of about ten steps side by side, and the verdict."""
    count = len(report.losses)
    shown = sorted({*range(0, count, -(-count // 10)), count - 1})
    rows = [
        f"{report.first_step + i:6}  {report.losses[i]:10.5f}  {report.reference_losses[i]:10.5f}  "
        f"{report.losses[i] - report.reference_losses[i]:+10.5f}"
        for i in shown
    ]
    return "\n".join(
        (
            f"{'step':>6}  {report.compute:>10}  {report.reference:>10}  {'difference':>10}",
            *rows,
            f"mean of the later half: gap {report.gap:.5f}, limit {report.limit:g}: "
            f"{'passes' if report.passes else 'fails'}",
        )
    )
