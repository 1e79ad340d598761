"""Options -> megatron-core's names for them; pure arithmetic on configurations.

NVIDIA's values where it has published some; what each is for stands beside it.
"""

from typing import Any

from megatron_crossic.config import MemoryConfig, ParallelConfig, PrecisionConfig


def layout_settings(parallel: ParallelConfig) -> dict[str, Any]:
    """How `TransformerConfig` names the groups of ranks."""
    interleaved = parallel.virtual_pipeline > 1
    return {
        "tensor_model_parallel_size": parallel.tensor,
        "pipeline_model_parallel_size": parallel.pipeline,
        "virtual_pipeline_model_parallel_size": parallel.virtual_pipeline if interleaved else None,
        "context_parallel_size": parallel.context,
        "sequence_parallel": parallel.sequence,
        "tp_comm_overlap": parallel.tp_comm_overlap,
        # In one batch, the two messages that two interleaved stages send each other are taken for
        # one another: the gradients come out wrong without an error (norm 7.96 instead of 0.95).
        "overlap_p2p_comm": interleaved,
        "batch_p2p_comm": not interleaved,
    }


def precision_settings(precision: PrecisionConfig) -> dict[str, Any]:
    """How `TransformerConfig` names the FP8 recipe; {} without FP8."""
    if precision.compute != "fp8":
        return {}
    common = {"fp8": "hybrid", "fp8_recipe": precision.recipe}  # e4m3 forward, e5m2 gradients
    if precision.recipe == "delayed":
        # megatron-core's own default is a history of one step.
        return {**common, "fp8_amax_history_len": 1024, "fp8_amax_compute_algo": "max"}
    if precision.recipe == "blockwise":
        return common
    return {
        **common,
        "first_last_layers_bf16": True,
        "num_layers_at_start_in_bf16": 1,
        "num_layers_at_end_in_bf16": 1,
        "fp8_param": precision.fp8_param_gather,
    }


def recompute_settings(memory: MemoryConfig) -> dict[str, Any]:
    """How `TransformerConfig` names what the backward pass computes again; {} for nothing."""
    if memory.recompute == "none":
        return {}
    if memory.recompute == "selective":
        return {
            "recompute_granularity": "selective",
            "recompute_modules": list(memory.recompute_modules),
        }
    return {
        "recompute_granularity": "full",
        "recompute_method": memory.recompute_method,
        "recompute_num_layers": memory.recompute_num_layers,
    }


def buffer_settings(parallel: ParallelConfig, precision: PrecisionConfig) -> dict[str, Any]:
    """How `DistributedDataParallelConfig` names format and reduction of the gradients."""
    return {
        "grad_reduce_in_fp32": precision.grad_reduce == "fp32",
        "use_distributed_optimizer": parallel.distributed_optimizer,
        "overlap_grad_reduce": parallel.overlap_grad_reduce,
        "overlap_param_gather": parallel.overlap_param_gather,
        "fp8_param_gather": precision.fp8_param_gather,
    }
