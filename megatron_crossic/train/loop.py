"""The training loop: what happens in which order. Each step of it is a named function."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from torch import Tensor

from megatron_crossic.backend import Backend
from megatron_crossic.checkpoint.folder import CheckpointInfo, remove_leftovers
from megatron_crossic.checkpoint.state import (
    TrainingState,
    load_state,
    load_weights,
    save_checkpoint,
)
from megatron_crossic.errors import CrossicError, DamagedCheckpointError
from megatron_crossic.files import write_text_atomically
from megatron_crossic.model.build import build_model
from megatron_crossic.parallel import Rank, parallel_groups
from megatron_crossic.train.agreement import largest
from megatron_crossic.train.batches import Batch, windows_to_batch
from megatron_crossic.train.guard import Guard
from megatron_crossic.train.metrics import MetricsLog, SilentLog, StepMetrics, open_metrics
from megatron_crossic.train.optimizer import (
    build_optimizer,
    gradient_norm,
    set_rate,
    update,
    wrap_for_training,
)
from megatron_crossic.train.options import to_yaml
from megatron_crossic.train.order import BatchShare, WindowOrder
from megatron_crossic.train.plan import RunPlan, layout_details, resume_details, without_damaged
from megatron_crossic.train.schedule import learning_rate
from megatron_crossic.train.step import StepShape, run_microbatches
from megatron_crossic.train.stopping import Requests, listening
from megatron_crossic.train.suspects import describe, find_windows
from megatron_crossic.train.validate import validate
from megatron_crossic.train.watch import Watch, watching
from megatron_crossic.train.weight_check import check_weights


def train(plan: RunPlan, backend: Backend) -> None:
    """Run the plan to its last step; every rank calls this."""
    config = plan.config
    minutes = config.recovery.timeout_minutes
    # The watch speaks first, and knows more than a call that times out.
    timeout = timedelta(minutes=1 + 1.5 * minutes)
    with (
        parallel_groups(config.parallel, backend, seed=config.seed, timeout=timeout) as rank,
        listening(config, is_main=rank.is_main) as requests,
        watching(minutes=minutes) as watch,
    ):
        run = _set_up(plan, rank, backend, watch)
        with _metrics(run.plan, rank) as metrics:
            _run_steps(run, metrics, requests)


def _run_steps(run: "Run", metrics: SilentLog, requests: Requests) -> None:
    """From the first step that is not done yet to the last, or to the one that is asked to end."""
    plan, config = run.plan, run.plan.config
    for message in _opening(plan):
        metrics.say(message)
    if not plan.resumes:
        run.validate(metrics, step=0)
    for step in range(plan.first_step, config.last_step + 1):
        metrics.step(run.step(step, metrics))
        decision = requests.decide(run.shape.device)
        is_last = bool(decision.stop) or step == config.last_step
        if step == config.last_step or step % config.validation_interval == 0:
            run.validate(metrics, step=step)
        if is_last or decision.save or step % config.checkpoint.interval == 0:
            run.save(metrics, step=step)
            requests.saved()
        if decision.stop:
            metrics.say(f"leaving after step {step}: {decision.stop}; the same command goes on")
            requests.leaving()
            return


@dataclass(kw_only=True, slots=True)
class Run:
    """A run in progress on one rank."""

    plan: RunPlan
    backend: Backend
    state: TrainingState
    order: WindowOrder
    share: BatchShare
    shape: StepShape
    num_tokens: int
    """Tokens with loss seen so far, over all ranks."""
    newest: Path
    """Newest checkpoint of the run, or the one it started from."""
    guard: Guard
    watch: Watch

    def step(self, step: int, metrics: SilentLog) -> StepMetrics:
        """Forward, backward, and an update unless the step is bad."""
        started = time.perf_counter()
        config = self.plan.config
        rate = learning_rate(config.schedule, step=step, num_steps=config.num_steps)
        self.state.model.zero_grad_buffer()
        self.state.optimizer.zero_grad()
        passes: list[Tensor] = []
        report = run_microbatches(
            self.state.model,
            self._batches(step),
            self.shape,
            num_microbatches=self.plan.num_microbatches,
            passes=passes,
        )
        self.watch.at(f"step {step}, update")
        set_rate(self.state.optimizer, config.optimizer, rate=rate)
        grad_norm = gradient_norm(self.state.optimizer)
        skipped = self._is_skipped(step, report.loss, grad_norm, passes, metrics)
        if not skipped:
            update(self.state.optimizer, config.optimizer, grad_norm=grad_norm)
            self.guard.updated(report.loss)
        self._compare_weights(step)
        self.backend.synchronize()
        self.watch.rest()
        self.num_tokens += report.num_tokens
        seconds = time.perf_counter() - started
        return StepMetrics(
            step=step,
            loss=report.loss,
            loss_by_language=report.loss_by_language,
            grad_norm=grad_norm,
            learning_rate=rate,
            num_tokens=report.num_tokens,
            num_tokens_total=self.num_tokens,
            tokens_per_second=config.global_batch_size * self.shape.seq_length / seconds,
            seconds=seconds,
            peak_memory_bytes=self.backend.peak_memory_bytes(),
            skipped=skipped,
            num_skipped=self.guard.num_skipped,
        )

    def _is_skipped(
        self,
        step: int,
        loss: float,
        grad_norm: float,
        passes: Sequence[Tensor],
        metrics: SilentLog,
    ) -> bool:
        """Whether all ranks leave out this update; `CrossicError` where a bad one ends the run."""
        if self.guard.is_listed(step):
            self.guard.skipped(bad=False)
            metrics.say(f"step {step} makes no update: it is in recovery.skip_steps")
            return True
        complaint = self.guard.complaint(loss=loss, grad_norm=grad_norm)
        (is_bad,) = largest([complaint is not None], self.shape.device)
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
        config = self.plan.config
        windows = self.order.global_batch(step=step, size=config.global_batch_size)
        found = find_windows(passes, windows, self.share)
        metrics.say(f"warning: {complaint} at step {step}; it read")
        metrics.suspects(
            lambda: describe(self.plan.data.train, found, step=step, complaint=complaint)
        )

    def _compare_weights(self, step: int) -> None:
        """Every some steps, whether the data ranks still hold the same weights."""
        interval = self.plan.config.recovery.weight_check_interval
        if interval is not None and step % interval == 0:
            check_weights(self.state.model.module, step=step)

    def _batches(self, step: int) -> Iterator[Batch]:
        """This rank's microbatches of `step`, made one by one."""
        config = self.plan.config
        windows = self.order.global_batch(step=step, size=config.global_batch_size)
        for count, numbers in enumerate(self.share.microbatches(windows), start=1):
            self.watch.at(f"step {step}, reading the windows of pass {count}")
            batch = windows_to_batch(
                [self.plan.data.train[int(number)] for number in numbers],
                split_loss=config.data.split_loss,
            )
            self.watch.at(f"step {step}, pass {count}")
            yield batch

    def validate(self, metrics: SilentLog, *, step: int) -> None:
        """Record the loss on the held-out windows, if there are any."""
        if len(self.plan.data.validation):
            report = validate(
                self.state.model,
                self.plan.data.validation,
                self.share,
                self.shape,
                split_loss=self.plan.config.data.split_loss,
            )
            metrics.validation(step, report)

    def save(self, metrics: SilentLog, *, step: int) -> None:
        """Write a checkpoint that this run, or another, can go on from."""
        plan = self.plan
        info = CheckpointInfo(
            step=step,
            num_tokens=self.num_tokens,
            architecture=plan.architecture,
            details={
                "resume": resume_details(plan),
                "layout": layout_details(plan),
                "num_windows": step * plan.config.global_batch_size,
                "guard": self.guard.memory(),
            },
        )
        self.newest = save_checkpoint(
            plan.checkpoints,
            self.state,
            info,
            config_yaml=to_yaml(plan.config),
            hf_source=self.newest,
            keep_last=plan.config.checkpoint.keep_last,
            keep_every=plan.config.checkpoint.keep_every,
        )
        metrics.say(f"saved {self.newest}")


def _set_up(plan: RunPlan, rank: Rank, backend: Backend, watch: Watch) -> Run:
    """Build model and optimizer and fill them from the plan's checkpoint."""
    config = plan.config
    stage = build_model(
        plan.architecture,
        parallel=config.parallel,
        precision=config.precision,
        backend=backend,
        max_sequence_length=plan.data.seq_length,
        initialize=False,
    )
    model = wrap_for_training(stage, config.parallel)
    optimizer = build_optimizer(
        model, config.optimizer, parallel=config.parallel, precision=config.precision
    )
    state = TrainingState(model=model, optimizer=optimizer)
    if rank.is_main:
        remove_leftovers(plan.checkpoints)
    if plan.resumes:
        plan = _resume(plan, state)
    else:
        load_weights(plan.source, stage)
        optimizer.reload_model_params()
    return Run(
        plan=plan,
        backend=backend,
        state=state,
        order=WindowOrder(num_windows=len(plan.data.train), seed=config.data.seed),
        share=BatchShare(
            data_rank=rank.data_rank,
            data_size=rank.data_size,
            micro_batch_size=config.micro_batch_size,
        ),
        shape=StepShape(
            languages=plan.data.languages,
            micro_batch_size=config.micro_batch_size,
            seq_length=plan.data.seq_length,
            device=backend.device(),
        ),
        num_tokens=plan.num_tokens,
        newest=plan.source,
        guard=Guard(config.recovery, plan.guard_memory),
        watch=watch,
    )


def _resume(plan: RunPlan, state: TrainingState) -> RunPlan:
    """Load the newest checkpoint whose bytes are right; the plan that starts there."""
    damaged: dict[Path, str] = {}
    while True:
        updates = plan.info.step - plan.guard_memory.get("num_skipped", 0)
        try:
            load_state(plan.source, state, step=updates, with_rng=plan.same_layout)
        except DamagedCheckpointError as error:
            damaged[plan.source] = str(error)
            plan = without_damaged(plan, damaged)
        else:
            return plan


def _metrics(plan: RunPlan, rank: Rank) -> AbstractContextManager[SilentLog | MetricsLog]:
    """Rank 0's log, and the configuration beside it."""
    if not rank.is_main:
        return nullcontext(SilentLog())
    config = plan.config
    write_text_atomically(config.run_dir / "config.yaml", to_yaml(config))
    return open_metrics(
        config.run_dir,
        resumed_step=plan.first_step - 1,
        num_steps=config.num_steps,
        log_interval=config.log_interval,
        progress=sys.stderr,
    )


def _opening(plan: RunPlan) -> Iterator[str]:
    """Where the run starts, and why not elsewhere."""
    for warning in plan.warnings:
        yield f"warning: {warning}"
    if not plan.resumes:
        yield f"starting from the weights in {plan.source}"
    elif plan.first_step > plan.config.last_step:
        yield f"nothing to do: {plan.source} is at step {plan.info.step}, the last one asked for"
    else:
        yield f"resuming after step {plan.info.step} from {plan.source}"
