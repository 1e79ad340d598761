"""What a dry run prints."""

from megatron_crossic.model.memory import Load, estimate_memory
from megatron_crossic.train.options import to_yaml
from megatron_crossic.train.plan import RunPlan


def describe(plan: RunPlan) -> str:
    """The resolved configuration, the arithmetic of the batch and the layout."""
    return f"{to_yaml(plan.config)}\n{summary(plan)}"


def summary(plan: RunPlan) -> str:
    """The arithmetic of the batch, the layout and the memory, a line each."""
    config = plan.config
    parallel = config.parallel
    tokens_per_step = config.global_batch_size * plan.data.seq_length
    epochs = config.num_steps * config.global_batch_size / len(plan.data.train)
    start = f"step {plan.info.step} of this run" if plan.resumes else "weights only"
    num_windows = config.num_steps * config.global_batch_size
    lines = {
        "model": f"{plan.architecture.family}, {plan.architecture.num_layers} layers, "
        f"hidden size {plan.architecture.hidden_size}, from {plan.source} ({start})",
        "data": f"{len(plan.data.train):,} windows of {plan.data.seq_length:,} tokens for "
        f"training, {len(plan.data.validation):,} for validation "
        f"({', '.join(plan.data.languages)})",
        "batch": f"{config.global_batch_size} windows = {plan.num_microbatches} microbatches * "
        f"{config.micro_batch_size} windows * {plan.data_size} data ranks "
        f"= {tokens_per_step:,} tokens a step",
        "run": f"{config.num_steps:,} steps = {config.num_steps * tokens_per_step:,} tokens "
        f"= {epochs:.2f} epochs, starting with step {plan.first_step}"
        + ("" if plan.length_as_given.startswith("num_steps") else f" ({plan.length_as_given})"),
        "shares": _shares(plan, num_windows),
        "layout": f"tensor {parallel.tensor} * pipeline {parallel.pipeline} * "
        f"context {parallel.context} * data {plan.data_size} = {plan.world_size} processes "
        f"on {plan.device}{_chunks(plan)}",
        "memory": _memory(plan),
    }
    return "\n".join(f"{name:7} {text}" for name, text in lines.items())


def _shares(plan: RunPlan, num_windows: int) -> str:
    """`wiki 70.0 % = 700 windows = 1.40 epochs; …`: what the run reads of each data set."""
    train = plan.data.train
    return "; ".join(
        f"{name} {count / num_windows:.1%} = {count:,.0f} windows = {count / size:.2f} epochs"
        for name, size, count in zip(
            train.names, train.sizes, plan.order.counts(num_windows), strict=True
        )
    )


def _chunks(plan: RunPlan) -> str:
    parallel = plan.config.parallel
    if parallel.virtual_pipeline == 1:
        return ""
    layers = plan.architecture.num_layers // (parallel.pipeline * parallel.virtual_pipeline)
    return f", {parallel.virtual_pipeline} interleaved chunks of {layers} layers on each"


def _memory(plan: RunPlan) -> str:
    """The estimate for the rank that needs most; its formula is in `model.memory`."""
    estimate = estimate_memory(
        plan.architecture,
        parallel=plan.config.parallel,
        precision=plan.config.precision,
        memory=plan.config.memory,
        lora=plan.config.lora,
        load=Load(
            seq_length=plan.data.seq_length,
            micro_batch_size=plan.config.micro_batch_size,
            num_microbatches=plan.num_microbatches,
            data_size=plan.data_size,
        ),
    )
    return (
        f"{_gib(estimate.total)} a rank = parameters {_gib(estimate.parameters)} + gradients "
        f"{_gib(estimate.gradients)} + optimizer {_gib(estimate.optimizer)} + activations "
        f"{_gib(estimate.activations)}, by the formula in megatron_crossic/model/memory.py"
    )


def _gib(num_bytes: int) -> str:
    return f"{num_bytes / 2**30:.2f} GiB"
