"""What a model is too small, or too odd, for."""

from dataclasses import replace

import pytest
from tiny_architecture import TINY

from megatron_crossic.config import (
    MemoryConfig,
    ParallelConfig,
    PrecisionConfig,
    raise_problems,
)
from megatron_crossic.errors import ConfigError
from megatron_crossic.model.architecture import ModelArchitecture
from megatron_crossic.model.layout import fp8_problems, layout_problems, recompute_problems

QWEN = replace(  # Qwen2.5-1.5B
    TINY,
    num_layers=28,
    hidden_size=1536,
    ffn_hidden_size=8960,
    num_attention_heads=12,
    num_query_groups=2,
    head_dim=128,
    vocab_size=151936,
)


def test_chunks_must_divide_the_layers() -> None:
    assert layout_problems(QWEN, ParallelConfig(pipeline=2, virtual_pipeline=7)) == []
    (problem,) = layout_problems(QWEN, ParallelConfig(pipeline=4, virtual_pipeline=2))
    assert problem.startswith(
        "parallel.pipeline * virtual_pipeline must divide the model's layers, got 4 * 2 = 8 with 28"
    )
    (problem,) = layout_problems(QWEN, ParallelConfig(pipeline=3, virtual_pipeline=2))
    assert "parallel.pipeline must divide" in problem  # said once


def test_recompute_is_by_layers_of_a_chunk() -> None:
    memory = MemoryConfig(recompute="full", recompute_method="block", recompute_num_layers=7)
    assert recompute_problems(QWEN, ParallelConfig(pipeline=4), memory) == []
    parallel = ParallelConfig(pipeline=2, virtual_pipeline=7)
    (problem,) = recompute_problems(QWEN, parallel, memory)
    assert "must be at most the layers of a pipeline chunk, got 7 with 2. Lower it." in problem
    assert recompute_problems(QWEN, parallel, MemoryConfig(recompute="selective")) == []


def problems(
    architecture: ModelArchitecture = QWEN,
    parallel: ParallelConfig | None = None,
    recipe: str = "tensorwise",
    compute: str = "fp8",
    seq_length: int = 4096,
    micro_batch_size: int = 1,
) -> list[str]:
    return fp8_problems(
        architecture,
        parallel or ParallelConfig(),
        PrecisionConfig(compute=compute, recipe=recipe),  # type: ignore[arg-type]
        seq_length=seq_length,
        micro_batch_size=micro_batch_size,
    )


@pytest.mark.parametrize("recipe", ["tensorwise", "delayed", "blockwise"])
def test_a_real_model_fits_fp8(recipe: str) -> None:
    assert problems(recipe=recipe) == []
    assert problems(recipe=recipe, parallel=ParallelConfig(tensor=2, sequence=True)) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"architecture": replace(QWEN, hidden_size=1528)},
            "the model's hidden_size must be a multiple of 16 with precision.compute fp8 and "
            "recipe tensorwise, got 1528. Change precision.compute",
        ),
        (
            {"architecture": replace(QWEN, ffn_hidden_size=8968)},
            "ffn_hidden_size / parallel.tensor must be a multiple of 16 .* got 8968",
        ),
        (
            {"architecture": replace(QWEN, head_dim=4, num_query_groups=1)},
            r"num_query_groups\) \* head_dim / parallel.tensor .* got 56",
        ),
        (
            {"recipe": "blockwise", "parallel": ParallelConfig(tensor=4)},
            "ffn_hidden_size / parallel.tensor must be a multiple of 128 .* got 2240",
        ),
        (
            {"seq_length": 1000, "parallel": ParallelConfig(tensor=2, sequence=True)},
            "tokens of a microbatch on a rank must be a multiple of 16 .* got 500. Change "
            "micro_batch_size or --seq-length",
        ),
        ({"seq_length": 24, "parallel": ParallelConfig(context=2)}, "on a rank must .* got 12"),
    ],
)
def test_what_fp8_cannot_multiply_is_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        raise_problems(problems(**changes))  # type: ignore[arg-type]


def test_other_formats_multiply_everything() -> None:
    assert problems(compute="bf16", seq_length=1001) == []
