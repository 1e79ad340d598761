"""The training loop: what happens in which order. Each step of it is a named function."""

import math
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from megatron_crossic.backend import Backend
from megatron_crossic.checkpoint.folder import CheckpointInfo
from megatron_crossic.checkpoint.state import (
    TrainingState,
    load_state,
    load_weights,
    save_checkpoint,
)
from megatron_crossic.errors import CrossicError
from megatron_crossic.files import write_text_atomically
from megatron_crossic.model.build import build_chunks
from megatron_crossic.model.lora import add_adapters, seed_window
from megatron_crossic.parallel import Rank, parallel_groups
from megatron_crossic.train.batches import Batch, windows_to_batch
from megatron_crossic.train.metrics import MetricsLog, SilentLog, StepMetrics, open_metrics
from megatron_crossic.train.optimizer import (
    build_optimizer,
    gathered_weights,
    reload_main_weights,
    set_rate,
    wrap_for_training,
)
from megatron_crossic.train.options import to_yaml
from megatron_crossic.train.order import BatchShare, Order
from megatron_crossic.train.plan import RunPlan, layout_details, lora_details, resume_details
from megatron_crossic.train.schedule import learning_rate
from megatron_crossic.train.step import StepShape, run_microbatches
from megatron_crossic.train.validate import validate


def train(plan: RunPlan, backend: Backend) -> None:
    """Run the plan to its last step; every rank calls this."""
    config = plan.config
    with (
        parallel_groups(config.parallel, backend, seed=config.seed) as rank,
        _metrics(plan, rank) as metrics,
    ):
        run = _set_up(plan, rank, backend)
        for message in _opening(plan):
            metrics.say(message)
        if not plan.resumes:
            run.validate(metrics, step=0)
        for step in range(plan.first_step, config.last_step + 1):
            metrics.step(run.step(step))
            is_last = step == config.last_step
            if is_last or step % config.validation_interval == 0:
                run.validate(metrics, step=step)
            if is_last or step % config.checkpoint.interval == 0:
                run.save(metrics, step=step)


@dataclass(kw_only=True, slots=True)
class Run:
    """A run in progress on one rank."""

    plan: RunPlan
    backend: Backend
    state: TrainingState
    order: Order
    share: BatchShare
    shape: StepShape
    num_tokens: int
    """Tokens with loss seen so far, over all ranks."""
    newest: Path
    """Newest checkpoint of the run, or the one it started from."""

    def step(self, step: int) -> StepMetrics:
        """Forward, backward, update."""
        started = time.perf_counter()
        config = self.plan.config
        rate = learning_rate(config.schedule, step=step, num_steps=config.num_steps)
        for chunk in self.state.chunks:
            chunk.zero_grad_buffer()
        self.state.optimizer.zero_grad()
        report = run_microbatches(
            self.state.chunks,
            self._batches(step),
            self.shape,
            num_microbatches=self.plan.num_microbatches,
            before_pass=partial(self._before_pass, step),
        )
        _require_finite("loss", report.loss, step)
        set_rate(self.state.optimizer, config.optimizer, rate=rate)
        _, grad_norm, _ = self.state.optimizer.step()
        _require_finite("gradient norm", grad_norm, step)
        self.backend.synchronize()
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
            num_windows_by_set=self.plan.data.train.count_by_set(
                self.order.global_batch(step=step, size=config.global_batch_size)
            ),
            tokens_per_second=config.global_batch_size * self.shape.seq_length / seconds,
            seconds=seconds,
            peak_memory_bytes=self.backend.peak_memory_bytes(),
        )

    def _before_pass(self, step: int, number: int) -> None:
        """Adapters drop by the windows they see."""
        config = self.plan.config
        if config.lora is not None:
            done = (step - 1) * config.global_batch_size
            seed_window(done + self.share.first_position(microbatch=number))

    def _batches(self, step: int) -> Iterator[Batch]:
        """This rank's microbatches of `step`, made one by one."""
        config = self.plan.config
        windows = self.order.global_batch(step=step, size=config.global_batch_size)
        for numbers in self.share.microbatches(windows):
            yield windows_to_batch(
                [self.plan.data.train[int(number)] for number in numbers],
                split_loss=config.data.split_loss,
                loss_on=config.data.loss_on,
                attention_scope=config.data.attention_scope,
            )

    def validate(self, metrics: SilentLog, *, step: int) -> None:
        """Record the loss on the held-out windows, if there are any."""
        if len(self.plan.data.validation):
            report = validate(
                self.state.chunks,
                self.plan.data.validation,
                self.share,
                self.shape,
                split_loss=self.plan.config.data.split_loss,
                loss_on=self.plan.config.data.loss_on,
                attention_scope=self.plan.config.data.attention_scope,
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
                **lora_details(plan),
            },
        )
        with gathered_weights(self.state.chunks):
            self.newest = save_checkpoint(
                plan.checkpoints,
                self.state,
                info,
                config_yaml=to_yaml(plan.config),
                hf_source=self.newest,
                keep_last=plan.config.checkpoint.keep_last,
            )
        metrics.say(f"saved {self.newest}")


def _set_up(plan: RunPlan, rank: Rank, backend: Backend) -> Run:
    """Build model and optimizer and fill them from the plan's checkpoint."""
    config = plan.config
    if config.parallel.tp_comm_overlap:
        backend.share_buffers(
            (plan.tokens_per_pass, plan.architecture.hidden_size),
            tensor=config.parallel.tensor,
            fp8=config.precision.compute == "fp8",
        )
    models = build_chunks(
        plan.architecture,
        parallel=config.parallel,
        precision=config.precision,
        memory=config.memory,
        backend=backend,
        max_sequence_length=plan.data.seq_length,
        initialize=False,
    )
    if config.lora is not None:
        for model in models:
            add_adapters(model, config.lora, seed=config.seed)
    chunks = wrap_for_training(models, config.parallel, config.precision)
    optimizer = build_optimizer(
        chunks, config.optimizer, parallel=config.parallel, precision=config.precision
    )
    state = TrainingState(chunks=chunks, optimizer=optimizer)
    if not plan.resumes or config.lora is not None:
        weights = load_weights(plan.base, *models)
    if plan.resumes:
        load_state(plan.source, state, step=plan.info.step, with_rng=plan.same_layout)
    else:
        reload_main_weights(optimizer, weights if config.precision.fp8_param_gather else None)
    return Run(
        plan=plan,
        backend=backend,
        state=state,
        order=plan.order,
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
            has_segments=config.data.attention_scope != "window",
        ),
        num_tokens=plan.num_tokens,
        newest=plan.source,
    )


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


def _require_finite(name: str, value: float, step: int) -> None:
    """Stop before a broken update reaches a checkpoint."""
    if not math.isfinite(value):
        raise CrossicError(
            f"{name} must be finite, got {value} at step {step}. Lower schedule.peak, or look "
            "for windows without text in data.train; the last checkpoint is intact."
        )
