"""What megatron-core is told, as its own configuration objects."""

from dataclasses import dataclass

import pytest
import torch
from megatron.core.distributed import DistributedDataParallelConfig
from megatron.core.transformer import TransformerConfig
from tiny_architecture import TINY

from megatron_crossic.backend import Backend, cuda, select_backend
from megatron_crossic.config import MemoryConfig, ParallelConfig, PrecisionConfig
from megatron_crossic.model.build import transformer_config
from megatron_crossic.model.settings import buffer_settings


def configured(
    *,
    parallel: ParallelConfig | None = None,
    precision: PrecisionConfig | None = None,
    memory: MemoryConfig | None = None,
    backend: Backend | None = None,
) -> TransformerConfig:
    return transformer_config(
        TINY,
        parallel or ParallelConfig(),
        precision or PrecisionConfig(compute="fp8"),
        backend or select_backend("cpu"),
        memory=memory or MemoryConfig(),
        initialize=False,
    )


def test_tensorwise_is_hybrid_with_the_outer_layers_in_bf16() -> None:
    config = configured()
    assert (config.fp8, config.fp8_recipe) == ("hybrid", "tensorwise")
    assert config.first_last_layers_bf16
    assert (config.num_layers_at_start_in_bf16, config.num_layers_at_end_in_bf16) == (1, 1)
    assert config.bf16
    assert config.params_dtype == torch.bfloat16
    assert not config.fp8_param


def test_delayed_looks_back_1024_steps() -> None:
    config = configured(precision=PrecisionConfig(compute="fp8", recipe="delayed"))
    assert (config.fp8, config.fp8_recipe) == ("hybrid", "delayed")
    assert (config.fp8_amax_history_len, config.fp8_amax_compute_algo) == (1024, "max")
    assert not config.first_last_layers_bf16  # megatron-core refuses it there


def test_blockwise_has_every_layer_in_fp8() -> None:
    config = configured(precision=PrecisionConfig(compute="fp8", recipe="blockwise"))
    assert (config.fp8, config.fp8_recipe) == ("hybrid", "blockwise")
    assert not config.first_last_layers_bf16


@pytest.mark.parametrize("compute", ["fp32", "bf16"])
def test_without_fp8_nothing_is_in_fp8(compute: str) -> None:
    precision = PrecisionConfig(compute=compute)  # type: ignore[arg-type]
    config = configured(precision=precision)
    assert config.fp8 is None
    assert not config.first_last_layers_bf16


def test_weights_are_gathered_in_fp8_on_both_sides() -> None:
    parallel = ParallelConfig(distributed_optimizer=True)
    precision = PrecisionConfig(compute="fp8", fp8_param_gather=True)
    assert configured(parallel=parallel, precision=precision).fp8_param
    buffers = DistributedDataParallelConfig(**buffer_settings(parallel, precision))
    assert buffers.fp8_param_gather
    assert buffers.use_distributed_optimizer


@pytest.mark.parametrize("grad_reduce", ["fp32", "bf16"])
def test_gradients_are_reduced_in_the_format_asked_for(grad_reduce: str) -> None:
    precision = PrecisionConfig(grad_reduce=grad_reduce)  # type: ignore[arg-type]
    parallel = ParallelConfig(overlap_grad_reduce=True)
    buffers = DistributedDataParallelConfig(**buffer_settings(parallel, precision))
    assert buffers.grad_reduce_in_fp32 == (grad_reduce == "fp32")
    assert buffers.overlap_grad_reduce
    assert not buffers.overlap_param_gather


def test_interleaved_stages_never_batch_their_messages() -> None:
    """With two stages in one batch the gradients would be wrong, silently."""
    plain = configured(parallel=ParallelConfig(pipeline=2))
    assert plain.virtual_pipeline_model_parallel_size is None
    assert (plain.overlap_p2p_comm, plain.batch_p2p_comm) == (False, True)
    for stages in (1, 2):
        parallel = ParallelConfig(pipeline=stages, virtual_pipeline=2)
        chunked = configured(parallel=parallel)
        assert chunked.virtual_pipeline_model_parallel_size == 2
        assert (chunked.overlap_p2p_comm, chunked.batch_p2p_comm) == (True, False)


def test_recompute_has_megatron_cores_names() -> None:
    assert configured().recompute_granularity is None
    selective = configured(memory=MemoryConfig(recompute="selective"))
    assert selective.recompute_granularity == "selective"
    assert selective.recompute_modules == ["mlp"]
    full = configured(
        memory=MemoryConfig(recompute="full", recompute_method="block", recompute_num_layers=2)
    )
    assert full.recompute_granularity == "full"
    assert (full.recompute_method, full.recompute_num_layers) == ("block", 2)


@dataclass
class Gpu:
    """A GPU with NVIDIA's apex, as far as the model asks."""

    NAME: str = "cuda"

    def has_transformer_engine(self) -> bool:
        """megatron-core looks for itself whether it is there, so: no."""
        return False

    def has_fused_gradients(self) -> bool:
        return True


def test_a_gpu_gets_its_fused_gradients_and_overlap() -> None:
    parallel = ParallelConfig(tensor=2, sequence=True, tp_comm_overlap=True)
    config = configured(parallel=parallel, backend=Gpu())  # type: ignore[arg-type]
    assert config.gradient_accumulation_fusion
    assert not config.use_cpu_initialization
    assert config.tp_comm_overlap
    assert not configured(backend=cuda).tp_comm_overlap
