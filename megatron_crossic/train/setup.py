"""Builds the model and the optimizer of a run and fills them from its checkpoint."""

from pathlib import Path

from megatron_crossic.backend import Backend
from megatron_crossic.checkpoint.folder import remove_leftovers
from megatron_crossic.checkpoint.state import TrainingState, load_state, load_weights
from megatron_crossic.errors import DamagedCheckpointError
from megatron_crossic.model.build import build_chunks
from megatron_crossic.model.lora import add_adapters
from megatron_crossic.parallel import Rank
from megatron_crossic.train.clock import StepClock
from megatron_crossic.train.gradients import GradientNorms
from megatron_crossic.train.guard import Guard
from megatron_crossic.train.optimizer import (
    build_optimizer,
    reload_main_weights,
    wrap_for_training,
)
from megatron_crossic.train.order import BatchShare
from megatron_crossic.train.plan import RunPlan, without_damaged
from megatron_crossic.train.probes import make_probes
from megatron_crossic.train.run import Run
from megatron_crossic.train.saves import Saves
from megatron_crossic.train.speed import speed_of
from megatron_crossic.train.step import StepShape
from megatron_crossic.train.watch import Watch


def set_up(plan: RunPlan, rank: Rank, backend: Backend, watch: Watch) -> Run:
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
    if rank.is_main:
        remove_leftovers(plan.checkpoints)
    if not plan.resumes or config.lora is not None:
        weights = load_weights(plan.base, *models)
    if plan.resumes:
        plan = _resume(plan, state)
    else:
        reload_main_weights(optimizer, weights if config.precision.fp8_param_gather else None)
    clock = StepClock(backend)
    clock.attend(chunks[0].config)
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
        probes=make_probes(
            plan.data.validation,
            plan.data.languages,
            num_chunks=config.data.transfer_chunks,
            seq_length=plan.data.seq_length,
        ),
        num_tokens=plan.num_tokens,
        saves=Saves(newest=plan.source),
        guard=Guard(config.recovery, plan.guard_memory),
        watch=watch,
        norms=GradientNorms(chunks, optimizer),
        clock=clock,
        speed=speed_of(plan, backend),
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
