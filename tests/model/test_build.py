"""The model in one process: attention against the textbook, losses against the vocabulary."""

import math

import pytest
import torch
from megatron.core.transformer import TransformerConfig
from tiny_architecture import TINY

from megatron_crossic.backend import select_backend
from megatron_crossic.config import ParallelConfig, PrecisionConfig
from megatron_crossic.errors import ConfigError
from megatron_crossic.model.attention import SdpaAttention, SequenceParallelRMSNorm
from megatron_crossic.model.build import build_model
from megatron_crossic.parallel import parallel_groups


def test_padded_vocabulary_takes_no_probability() -> None:
    backend = select_backend("cpu")
    parallel, precision = ParallelConfig(), PrecisionConfig(compute="fp32")
    with parallel_groups(parallel, backend, seed=1):
        model = build_model(
            TINY, parallel=parallel, precision=precision, backend=backend, max_sequence_length=16
        )
        tokens = torch.randint(0, 100, (2, 16))
        labels = torch.randint(0, 100, (2, 16))
        positions = torch.arange(16).expand(2, 16)
        loss = model(tokens, positions, None, labels=labels)
        logits = model(tokens, positions, None)
    assert logits.shape == (2, 16, 128)
    assert loss.shape == (2, 16)
    unpadded = torch.nn.functional.cross_entropy(
        logits[..., :100].flatten(0, 1), labels.flatten(), reduction="none"
    )
    padded = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), reduction="none"
    )
    torch.testing.assert_close(loss.flatten(), unpadded)
    assert (padded - unpadded).min() > 0.1  # the padding would have been seen


def test_layout_and_backend_problems_are_raised_together() -> None:
    backend = select_backend("cpu")
    with (
        parallel_groups(ParallelConfig(), backend, seed=1),
        pytest.raises(ConfigError, match="(?s)attention heads, got 3 .* got fp8"),
    ):
        build_model(
            TINY,
            parallel=ParallelConfig(tensor=3),
            precision=PrecisionConfig(compute="fp8"),
            backend=backend,
            max_sequence_length=16,
        )


def config(**changes: object) -> TransformerConfig:
    values = {
        "num_layers": 1,
        "hidden_size": 24,
        "num_attention_heads": 3,
        "attention_dropout": 0.0,
        **changes,
    }
    return TransformerConfig(**values)  # type: ignore[arg-type]


def test_attention_is_causal_softmax_attention() -> None:
    query, key, value = torch.randn(3, 5, 2, 3, 8).unbind()  # [seq 5, batch 2, heads 3, dim 8]
    context = SdpaAttention(config(), 1)(query, key, value)
    scores = torch.einsum("sbhd,tbhd->bhst", query, key) / math.sqrt(8)
    future = torch.ones(5, 5, dtype=torch.bool).triu(1)
    weights = scores.masked_fill(future, -math.inf).softmax(-1)
    expected = torch.einsum("bhst,tbhd->sbhd", weights, value).flatten(2)
    torch.testing.assert_close(context, expected)


def test_grouped_heads_share_keys_and_values() -> None:
    query = torch.randn(5, 2, 4, 8)
    key, value = torch.randn(2, 5, 2, 2, 8).unbind()
    attend = SdpaAttention(config(hidden_size=32, num_attention_heads=4), 1)
    repeated = (side.repeat_interleave(2, dim=2) for side in (key, value))
    torch.testing.assert_close(attend(query, key, value), attend(query, *repeated))


def test_attention_refuses_what_it_does_not_do() -> None:
    with pytest.raises(ConfigError, match=r"attention_dropout must be 0 .* got 0\.1"):
        SdpaAttention(config(attention_dropout=0.1), 1)
    side = torch.randn(5, 2, 3, 8)
    with pytest.raises(ConfigError, match="attention_mask must be None"):
        SdpaAttention(config(), 1)(side, side, side, torch.ones(1))


def test_the_norm_marks_its_weight_for_sequence_parallelism() -> None:
    norm = SequenceParallelRMSNorm(config(normalization="RMSNorm"), 24, eps=1e-6)
    assert norm.weight.sequence_parallel is False
    x = torch.randn(4, 24)
    expected = x / (x.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt()
    torch.testing.assert_close(norm(x), expected)
