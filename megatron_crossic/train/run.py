"""A training run in progress on one rank: its step, its validation, its checkpoint."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from megatron_crossic.backend import Backend
from megatron_crossic.checkpoint.folder import CheckpointInfo
from megatron_crossic.checkpoint.saving import Surroundings
from megatron_crossic.checkpoint.state import TrainingState
from megatron_crossic.errors import CrossicError
from megatron_crossic.model.lora import seed_window
from megatron_crossic.train.agreement import largest
from megatron_crossic.train.batches import Batch, windows_to_batch
from megatron_crossic.train.clock import Spent, StepClock
from megatron_crossic.train.gradients import GradientNorms
from megatron_crossic.train.guard import Guard
from megatron_crossic.train.held_out import validate_all
from megatron_crossic.train.loss import LossReport
from megatron_crossic.train.metrics import SilentLog, StepMetrics
from megatron_crossic.train.optimizer import gathered_weights, set_rate, update
from megatron_crossic.train.options import to_yaml
from megatron_crossic.train.order import BatchShare, Order
from megatron_crossic.train.plan import RunPlan, layout_details, lora_details, resume_details
from megatron_crossic.train.probes import Probes
from megatron_crossic.train.saves import Saves
from megatron_crossic.train.schedule import learning_rate
from megatron_crossic.train.speed import Speed
from megatron_crossic.train.step import StepShape, run_microbatches
from megatron_crossic.train.stragglers import (
    find_stragglers,
    gather_times,
    time_probe,
    to_record,
)
from megatron_crossic.train.suspects import describe, find_windows
from megatron_crossic.train.watch import Watch
from megatron_crossic.train.weight_check import check_weights


@dataclass(kw_only=True, slots=True)
class Run:
    """A run in progress on one rank."""

    plan: RunPlan
    backend: Backend
    state: TrainingState
    order: Order
    share: BatchShare
    shape: StepShape
    probes: Probes | None
    """Chunks of data.validation on which the transfer gain is measured."""
    num_tokens: int
    """Tokens with loss seen so far, over all ranks."""
    saves: Saves
    guard: Guard
    watch: Watch
    norms: GradientNorms
    clock: StepClock
    speed: Speed
    is_warm: bool = False
    """Whether this process has made a pass."""

    def step(self, step: int, metrics: SilentLog) -> StepMetrics:
        """Forward, backward, and an update unless the step is bad."""
        started = time.perf_counter()
        self.clock.start()
        rate = self._set_rate(step)
        self._warm_up(step)
        passes: list[Tensor] = []
        report = self._pass(step, passes)
        passed = time.perf_counter()
        self.watch.at(f"step {step}, update")
        with self.clock.phase("norm"):
            norm = self.norms.measure()
        complaint = self.guard.complaint(loss=report.loss, grad_norm=norm.total)
        with self.clock.phase("agreement"):
            is_bad, *spent = largest(
                [complaint is not None, *self.clock.microseconds()], self.shape.device
            )
        skipped = self._is_skipped(step, complaint, bool(is_bad), passes, metrics)
        if not skipped:
            self._update(loss=report.loss, grad_norm=norm.total)
        self.backend.synchronize()
        updated = time.perf_counter()
        self._compare_weights(step)
        self.watch.rest()
        self.num_tokens += report.num_tokens
        return StepMetrics(
            step=step,
            loss=report.loss,
            loss_by_language=report.loss_by_language,
            loss_by_part=report.loss_by_part,
            grad_norm=norm.total,
            grad_norm_by_group=norm.by_group,
            learning_rate=rate,
            num_tokens=report.num_tokens,
            num_tokens_total=self.num_tokens,
            num_windows_by_set=self.plan.data.train.count_by_set(self._windows(step)),
            skipped=skipped,
            num_skipped=self.guard.num_skipped,
            speed=self.speed.figures(
                self.backend,
                Spent.from_largest(spent),
                num_tokens=self.plan.config.global_batch_size * self.shape.seq_length,
                seconds=time.perf_counter() - started,
                update_seconds=updated - passed,
            ),
        )

    def _update(self, *, loss: float, grad_norm: float) -> None:
        with self.clock.phase("update"):
            update(self.state.optimizer, self.plan.config.optimizer, grad_norm=grad_norm)
        self.guard.updated(loss)

    def _warm_up(self, step: int) -> None:
        """Delayed scaling needs the maxima of passes before; checkpoints do not hold them.

        With a scale of 1 the first update after a start or a resume would be made of FP8 numbers
        that are nearly all rounded to zero. So the first pass is made twice.
        """
        precision = self.plan.config.precision
        if not self.is_warm and (precision.compute, precision.recipe) == ("fp8", "delayed"):
            self._pass(step, [])
        self.is_warm = True

    def _set_rate(self, step: int) -> float:
        config = self.plan.config
        rate = learning_rate(config.schedule, step=step, num_steps=config.num_steps)
        set_rate(self.state.optimizer, config.optimizer, rate=rate)
        return rate

    def _pass(self, step: int, passes: list[Tensor]) -> LossReport:
        """Leave the reduced gradients of a step; `passes` gets the report of each microbatch."""
        with self.clock.phase("zeroing"):
            for chunk in self.state.chunks:
                chunk.zero_grad_buffer()
            self.state.optimizer.zero_grad()
        with self.clock.phase("losses"):  # what is left of it is the all-reduce of the losses
            report = run_microbatches(
                self.state.chunks,
                self._batches(step),
                self.shape,
                num_microbatches=self.plan.num_microbatches,
                before_pass=partial(self._before_pass, step),
                passes=passes,
            )
        self.clock.added()
        return report

    def _windows(self, step: int) -> NDArray[np.int64]:
        """Numbers of the windows of a step's global batch."""
        return self.order.global_batch(step=step, size=self.plan.config.global_batch_size)

    def _before_pass(self, step: int, number: int) -> None:
        """Say where this rank is; adapters drop by the windows they see."""
        self.watch.at(f"step {step}, pass {number + 1}")
        config = self.plan.config
        if config.lora is not None:
            done = (step - 1) * config.global_batch_size
            seed_window(done + self.share.first_position(microbatch=number))

    def _is_skipped(
        self,
        step: int,
        complaint: str | None,
        is_bad: bool,
        passes: Sequence[Tensor],
        metrics: SilentLog,
    ) -> bool:
        """Whether all ranks leave out this update; `CrossicError` where a bad one ends the run."""
        if self.guard.is_listed(step):
            self.guard.skipped(bad=False)
            metrics.say(f"step {step} makes no update: it is in recovery.skip_steps")
            return True
        if not is_bad:
            return False
        self.guard.skipped(bad=True)
        complaint = complaint or "loss and gradient norm must be good on all ranks, got others"
        self._name_suspects(step, complaint, passes, metrics)
        if self.guard.gives_up:
            raise CrossicError(
                f"{complaint} at step {step}. Lower schedule.peak, look at the windows named "
                f"above, leave the step out (--recovery.skip_steps [{step}]) or every bad one "
                "(--recovery.on_bad_loss skip); the last checkpoint is intact."
            )
        metrics.say(f"step {step} makes no update")
        return True

    def _name_suspects(
        self, step: int, complaint: str, passes: Sequence[Tensor], metrics: SilentLog
    ) -> None:
        """Say which windows a bad step read."""
        windows = self._windows(step)
        found = find_windows(passes, windows, self.share)
        metrics.say(f"warning: {complaint} at step {step}; it read")
        metrics.suspects(
            lambda: describe(self.plan.data.train, found, step=step, complaint=complaint)
        )

    def _compare_weights(self, step: int) -> None:
        """Every some steps, whether the data ranks still hold the same weights."""
        interval = self.plan.config.recovery.weight_check_interval
        if interval is not None and step % interval == 0:
            with gathered_weights(self.state.chunks):
                check_weights(self.state.models, step=step)

    def _batches(self, step: int) -> Iterator[Batch]:
        """This rank's microbatches of `step`, made one by one."""
        config = self.plan.config
        for count, numbers in enumerate(self.share.microbatches(self._windows(step)), start=1):
            self.watch.at(f"step {step}, reading the windows of pass {count}")
            with self.clock.reading():
                batch = windows_to_batch(
                    [self.plan.data.train[int(number)] for number in numbers],
                    split_loss=config.data.split_loss,
                    loss_on=config.data.loss_on,
                    attention_scope=config.data.attention_scope,
                )
            yield batch

    def look_for_stragglers(self, metrics: SilentLog, *, step: int) -> None:
        """Every some steps, whether a rank's machine is slower than the others'."""
        recovery = self.plan.config.recovery
        if recovery.straggler_interval is None or step % recovery.straggler_interval:
            return
        self.watch.at(f"step {step}, looking for stragglers")
        ranks = gather_times(
            probe_seconds=time_probe(self.backend),
            data_seconds=self.clock.mean_data(),
            device=self.speed.device_name,
        )
        self.watch.rest()
        found = find_stragglers(ranks, factor=recovery.straggler_factor)
        metrics.stragglers(found, to_record(ranks, found, step=step))

    def validate(self, metrics: SilentLog, *, step: int) -> None:
        """Record what the held-out windows tell, if there are any."""
        data = self.plan.data
        if len(data.validation) or data.retention:
            report = validate_all(
                self.state.chunks,
                data,
                self.probes,
                self.share,
                self.shape,
                self.plan.config.data,
            )
            metrics.validation(step, report)

    def save(self, *, step: int, background: bool) -> None:
        """Begin a checkpoint that this run, or another, can go on from; `saves` finishes it."""
        plan = self.plan
        info = CheckpointInfo(
            step=step,
            num_tokens=self.num_tokens,
            architecture=plan.architecture,
            details={
                "resume": resume_details(plan),
                "layout": layout_details(plan),
                "num_windows": step * plan.config.global_batch_size,
                **lora_details(plan),
                "guard": self.guard.memory(),
            },
        )
        surroundings = Surroundings(
            root=plan.checkpoints,
            info=info,
            config_yaml=to_yaml(plan.config),
            hf_source=self.saves.newest,
            keep_last=plan.config.checkpoint.keep_last,
            keep_every=plan.config.checkpoint.keep_every,
        )
        with gathered_weights(self.state.chunks):
            self.saves.begin(self.state, surroundings, background=background)
