"""megatron-core's gradient buffers and optimizer around a model stage."""

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


def wrap_for_training(model: GPTModel, parallel: ParallelConfig) -> DistributedDataParallel:
    """Give the model fp32 gradient buffers that are reduced over data ranks."""
    buffers = DistributedDataParallelConfig(
        grad_reduce_in_fp32=True,
        use_distributed_optimizer=parallel.distributed_optimizer,
        overlap_grad_reduce=False,
    )
    model.config.finalize_model_grads_func = finalize_model_grads
    _mark_shards(model)
    return DistributedDataParallel(model.config, buffers, model)


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
    model: DistributedDataParallel,
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
        ),
        [model],
    )


def gradient_norm(optimizer: MegatronOptimizer) -> float:
    """Hand the gradients to the optimizer; their global norm, before clipping."""
    optimizer.prepare_grads()
    return float(optimizer.get_grad_norm())


def update(optimizer: MegatronOptimizer, config: OptimizerConfig, *, grad_norm: float) -> None:
    """Clip and change the weights, after `gradient_norm`.

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
