"""megatron-core's gradient buffers and optimizer around a model stage."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from megatron.core.distributed import (
    DistributedDataParallel,
    DistributedDataParallelConfig,
    finalize_model_grads,
)
from megatron.core.models.gpt import GPTModel
from megatron.core.optimizer import MegatronOptimizer, get_megatron_optimizer
from megatron.core.optimizer import OptimizerConfig as MegatronOptimizerConfig
from megatron.core.optimizer.clip_grads import clip_grad_by_total_norm_fp32
from megatron.core.tensor_parallel import (
    ColumnParallelLinear,
    RowParallelLinear,
    VocabParallelEmbedding,
)

from megatron_crossic.config import OptimizerConfig, ParallelConfig, PrecisionConfig
from megatron_crossic.model.settings import buffer_settings


def wrap_for_training(
    chunks: Sequence[GPTModel], parallel: ParallelConfig, precision: PrecisionConfig
) -> list[DistributedDataParallel]:
    """Give this rank's chunks gradient buffers that are reduced over data ranks."""
    config = chunks[0].config  # all chunks share it
    buffers = DistributedDataParallelConfig(**buffer_settings(parallel, precision))
    for chunk in chunks:
        _mark_shards(chunk)
    # Later chunks are reduced while earlier ones still compute, so one bucket each is enough.
    wrapped = [
        DistributedDataParallel(config, buffers, chunk, disable_bucketing=number > 0)
        for number, chunk in enumerate(chunks)
    ]
    config.finalize_model_grads_func = finalize_model_grads
    if parallel.overlap_grad_reduce:
        # Nothing is reduced before the last microbatch of each chunk.
        no_sync = [chunk.no_sync for chunk in wrapped]
        config.no_sync_func = no_sync if len(no_sync) > 1 else no_sync[0]
    return wrapped


@contextmanager
def gathered_weights(chunks: Sequence[DistributedDataParallel]) -> Iterator[None]:
    """Inside, the weights are those of the last update on every rank.

    Under parallel.overlap_param_gather they otherwise arrive during the next forward pass.
    """
    lazy = [chunk for chunk in chunks if chunk.ddp_config.overlap_param_gather]
    for chunk in lazy:
        chunk.disable_forward_pre_hook()
    try:
        yield
    finally:
        for chunk in lazy:
            chunk.enable_forward_pre_hook()


def _mark_shards(model: GPTModel) -> None:
    """Mark the weights that tensor ranks share, so that the gradient norm counts every part.

    megatron-core marks them while it fills them with random numbers, which is skipped where a
    checkpoint follows; unmarked, the parts of all ranks but the first would be left out.
    """
    for module in model.modules():
        sharded = isinstance(
            module, ColumnParallelLinear | RowParallelLinear | VocabParallelEmbedding
        )
        if sharded and module.weight is not None:
            module.weight.tensor_model_parallel = True


def build_optimizer(
    chunks: Sequence[DistributedDataParallel],
    config: OptimizerConfig,
    *,
    parallel: ParallelConfig,
    precision: PrecisionConfig,
) -> MegatronOptimizer:
    """AdamW over fp32 main weights. Call `set_rate` before every step."""
    reduced = precision.compute != "fp32"
    return get_megatron_optimizer(
        MegatronOptimizerConfig(
            optimizer="adam",
            decoupled_weight_decay=True,
            lr=0.0,
            weight_decay=config.weight_decay,
            adam_beta1=config.beta1,
            adam_beta2=config.beta2,
            adam_eps=config.epsilon,
            clip_grad=config.clip_grad,
            bf16=reduced,
            params_dtype=torch.bfloat16 if reduced else torch.float32,
            use_distributed_optimizer=parallel.distributed_optimizer,
            overlap_param_gather=parallel.overlap_param_gather,
            fp8_recipe=precision.recipe if precision.compute == "fp8" else None,
        ),
        list(chunks),
    )


def reload_main_weights(
    optimizer: MegatronOptimizer, weights: Sequence[Mapping[str, Any]] | None
) -> None:
    """Start the optimizer from the model's weights, or from `weights` of each chunk instead.

    Only the distributed optimizer takes the latter: where the model's own are rounded to FP8.
    """
    if weights is None:
        optimizer.reload_model_params()
        return
    single = len(weights) == 1
    optimizer.reload_model_params(
        state_dict={
            "model" if single else f"model{number}": dict(chunk)
            for number, chunk in enumerate(weights)
        }
    )


def update(optimizer: MegatronOptimizer, config: OptimizerConfig, *, grad_norm: float) -> None:
    """Clip and change the weights, after `GradientNorms.measure`.

    megatron-core's own `step` does both at once and leaves no time to look at the norm.
    """
    for inner in optimizer.chained_optimizers:
        if config.clip_grad > 0 and (parameters := inner.get_parameters()):
            clip_grad_by_total_norm_fp32(
                parameters,
                max_norm=config.clip_grad,
                total_norm=grad_norm,
                use_decoupled_grad=inner.config.use_precision_aware_optimizer_no_fp8_or_ds_fp8,
            )
    optimizer.step_with_ready_grads()


def set_rate(optimizer: MegatronOptimizer, config: OptimizerConfig, *, rate: float) -> None:
    """Set the learning rate of the next step, and every other value from the configuration.

    A loaded checkpoint brings the values of the run that wrote it; the configuration wins.
    megatron-core marks biases and norms with `wd_mult` 0 and leaves it to the caller to use it.
    """
    for group in optimizer.param_groups:
        group["lr"] = rate * group["lr_mult"]
        group["weight_decay"] = config.weight_decay * group["wd_mult"]
        group["betas"] = (config.beta1, config.beta2)
        group["eps"] = config.epsilon
        if "fused" in group:  # torch's AdamW: one kernel a tensor instead of a dozen
            group["fused"], group["foreach"] = True, False
