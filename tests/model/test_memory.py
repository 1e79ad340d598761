"""The estimate against counted weights, buffers and sums one can do by hand."""

from dataclasses import replace

import pytest
from megatron.core.transformer import TransformerConfig
from tiny_architecture import TINY

from megatron_crossic.backend import select_backend
from megatron_crossic.config import LoraConfig, MemoryConfig, ParallelConfig, PrecisionConfig
from megatron_crossic.model.adapter_layout import adapter_layout
from megatron_crossic.model.architecture import ModelArchitecture
from megatron_crossic.model.build import build_model
from megatron_crossic.model.memory import (
    Load,
    MemoryEstimate,
    estimate_memory,
    microbatches_in_flight,
    num_parameters,
)
from megatron_crossic.optimization_config import LoraTarget
from megatron_crossic.parallel import parallel_groups

LOAD = Load(seq_length=16, micro_batch_size=2, num_microbatches=8, data_size=4)
FP32, BF16 = PrecisionConfig(compute="fp32"), PrecisionConfig(compute="bf16")
ONE = ParallelConfig()


def estimate(
    parallel: ParallelConfig = ONE,
    precision: PrecisionConfig = FP32,
    memory: MemoryConfig | None = None,
    architecture: ModelArchitecture = TINY,
    lora: LoraConfig | None = None,
) -> MemoryEstimate:
    return estimate_memory(
        architecture,
        parallel=parallel,
        precision=precision,
        memory=memory or MemoryConfig(),
        load=LOAD,
        lora=lora,
    )


@pytest.mark.parametrize("tied", [True, False])
def test_parameters_are_those_of_the_model(tied: bool) -> None:
    architecture = replace(TINY, tie_embeddings=tied)
    backend = select_backend("cpu")
    with parallel_groups(ONE, backend, seed=1):
        model = build_model(
            architecture, parallel=ONE, precision=FP32, backend=backend, max_sequence_length=16
        )
        counted = sum(parameter.numel() for parameter in model.parameters())
    assert num_parameters(architecture, ONE, stage=0) == counted
    found = estimate(architecture=architecture)
    assert (found.parameters, found.gradients, found.optimizer) == (
        4 * counted,
        4 * counted,
        8 * counted,
    )


@pytest.mark.parametrize("targets", [LoraConfig().targets, ("linear_proj",)])
@pytest.mark.parametrize("tensor", [1, 2])
def test_adapters_are_all_a_lora_run_trains(tensor: int, targets: tuple[LoraTarget, ...]) -> None:
    lora = LoraConfig(rank=4, targets=targets)
    parallel = ParallelConfig(tensor=tensor)
    layer = sum(
        numel for target in targets for numel in adapter_numels(target, lora, tensor_size=tensor)
    )
    base = num_parameters(TINY, parallel, stage=0)
    found = estimate(parallel, lora=lora)
    assert found.gradients == 4 * TINY.num_layers * layer
    assert (found.parameters, found.optimizer) == (4 * base + found.gradients, 2 * found.gradients)
    assert found.activations > estimate(parallel).activations


def adapter_numels(target: str, lora: LoraConfig, *, tensor_size: int) -> tuple[int, int]:
    """Of A and B on one rank, by the layout the adapters are built with."""
    config = TransformerConfig(
        num_layers=TINY.num_layers,
        hidden_size=TINY.hidden_size,
        ffn_hidden_size=TINY.ffn_hidden_size,
        num_attention_heads=TINY.num_attention_heads,
        num_query_groups=TINY.num_query_groups,
        kv_channels=TINY.head_dim,
    )
    layout = adapter_layout(target, config, tensor_size=tensor_size)
    inputs = layout.num_inputs // (1 if layout.is_column else tensor_size)
    return layout.num_projections * lora.rank * inputs, layout.num_local_outputs * lora.rank


def test_adapters_keep_their_inputs_and_what_is_between() -> None:
    lora = LoraConfig(rank=4, dropout=0.5, targets=("linear_qkv",))
    added = estimate(lora=lora).activations - estimate().activations
    assert added == 32 * TINY.num_layers * ((32 + 2 * 3 * 4) * 4 + 32)


def test_stages_share_the_layers_and_both_have_a_tied_table() -> None:
    whole = num_parameters(TINY, ONE, stage=0)
    two = ParallelConfig(pipeline=2)
    table = TINY.padded_vocab_size * TINY.hidden_size
    assert num_parameters(TINY, two, stage=0) + num_parameters(TINY, two, stage=1) == whole + table


def test_formats_and_the_distributed_optimizer_count() -> None:
    number = num_parameters(TINY, ONE, stage=0)
    found = estimate(ParallelConfig(distributed_optimizer=True), BF16)
    assert (found.parameters, found.gradients, found.optimizer) == (
        2 * number,
        4 * number,
        3 * number,  # 12 bytes over 4 data ranks
    )
    assert estimate(precision=replace(BF16, grad_reduce="bf16")).gradients == 2 * number


LOGITS = 32 * 128 * (4 + 4)  # 32 tokens, 128 rows, fp32 and once more
LAYER = 4 * 32 + 2 * (4 + 2) * 8 + 3 * 48  # 368 numbers: h 32, 4 + 2 heads of 8, f 48


@pytest.mark.parametrize(
    ("parallel", "memory", "numbers"),
    [
        (ONE, MemoryConfig(), 2 * LAYER),
        (ONE, MemoryConfig(recompute="selective"), 2 * (LAYER - 3 * 48)),
        (ONE, MemoryConfig(recompute="full"), 2 * 32 + LAYER),
        (ONE, MemoryConfig(recompute="full", recompute_num_layers=2), 32 + 2 * LAYER),
        (ONE, MemoryConfig(recompute="full", recompute_method="block"), 32 + LAYER + LAYER),
        (ParallelConfig(tensor=2, sequence=True), MemoryConfig(), LAYER),
        (ParallelConfig(tensor=2), MemoryConfig(), 4 * 32 * 2 + (LAYER - 4 * 32)),
    ],
)
def test_activations_follow_the_formula(
    parallel: ParallelConfig, memory: MemoryConfig, numbers: int
) -> None:
    found = estimate(parallel, memory=memory).activations
    assert found == 32 * 4 * numbers + LOGITS // parallel.tensor


def test_early_stages_hold_more_microbatches() -> None:
    four = ParallelConfig(pipeline=4)
    assert [microbatches_in_flight(four, 8, stage=stage) for stage in range(4)] == [4, 3, 2, 1]
    assert microbatches_in_flight(four, 2, stage=0) == 2
    chunked = replace(four, virtual_pipeline=2)
    assert microbatches_in_flight(chunked, 8, stage=0) == 4 * (1 + 3 / 8)


@pytest.mark.parametrize(("vocab_size", "fullest"), [(100, 0), (4000, 1)])
def test_the_estimate_is_that_of_the_fullest_stage(vocab_size: int, fullest: int) -> None:
    """The first holds two microbatches, the last the logits of one."""
    architecture, two = replace(TINY, vocab_size=vocab_size), ParallelConfig(pipeline=2)
    found = estimate(two, architecture=architecture)
    assert found.parameters == 4 * num_parameters(architecture, two, stage=fullest)
    assert found.total == sum(
        (found.parameters, found.gradients, found.optimizer, found.activations)
    )
