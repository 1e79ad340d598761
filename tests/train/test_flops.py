"""Operations a token, by hand and as others publish them."""

import re
from dataclasses import replace

import pytest
from tiny_architecture import TINY

from megatron_crossic.model.architecture import ModelArchitecture
from megatron_crossic.train.flops import PEAKS, matrix_weights, model_flops_per_token, peak_flops

LLAMA_8B = ModelArchitecture(
    family="llama",
    num_layers=32,
    hidden_size=4096,
    ffn_hidden_size=14336,
    num_attention_heads=32,
    num_query_groups=8,
    head_dim=128,
    vocab_size=128256,
    max_position_embeddings=131072,
    rotary_base=500000.0,
    rope_scaling=None,
    norm_epsilon=1e-5,
    tie_embeddings=False,
    qkv_bias=False,
    dtype="bfloat16",
)


def test_a_tiny_model_counted_by_hand() -> None:
    # A layer: query 32 x 32, key and value 32 x 16 each, output 32 x 32; gate, up, down 32 x 48.
    layer = 1024 + 2 * 512 + 1024 + 3 * 1536
    assert layer == 7680
    assert matrix_weights(TINY) == 2 * layer + 100 * 32 == 18560
    # Attention of a query over 64 keys in 2 layers: scores and mixture, 2 * 32 * 64 each, times 3.
    assert model_flops_per_token(TINY, 64, causal=False) == 6 * 18560 + 2 * 3 * 2 * (2 * 32 * 64)
    assert model_flops_per_token(TINY, 64) == 111_360 + 24_576


def test_frozen_weights_have_no_gradients_of_their_own() -> None:
    frozen = model_flops_per_token(TINY, 64, frozen_weights=True)
    assert frozen == 4 * 18560 + 24_576


def test_tied_embeddings_change_nothing() -> None:
    untied = replace(TINY, tie_embeddings=False)
    assert model_flops_per_token(untied, 64) == model_flops_per_token(TINY, 64)


QWEN_1_5B = replace(
    LLAMA_8B,
    family="qwen2",
    num_layers=28,
    hidden_size=1536,
    ffn_hidden_size=8960,
    num_attention_heads=12,
    num_query_groups=2,
    vocab_size=151936,
    tie_embeddings=True,
    qkv_bias=True,
)
QWEN_7B = replace(
    QWEN_1_5B,
    hidden_size=3584,
    ffn_hidden_size=18944,
    num_attention_heads=28,
    num_query_groups=4,
    vocab_size=152064,
    tie_embeddings=False,
)


def test_llama_8b_term_by_term() -> None:
    query, key, value, output = 4096 * 4096, 4096 * 1024, 4096 * 1024, 4096 * 4096
    gate = up = down = 4096 * 14336
    layer = query + key + value + output + gate + up + down
    assert layer == 218_103_808
    weights = 32 * layer + 128_256 * 4096
    assert matrix_weights(LLAMA_8B) == weights == 7_504_658_432
    # Scores and mixture of 8,192 keys, 2 operations each, 3 for forward and backward.
    attention = 32 * 3 * 2 * (2 * 4096 * 8192)
    assert model_flops_per_token(LLAMA_8B, 8192, causal=False) == 6 * weights + attention
    assert model_flops_per_token(LLAMA_8B, 8192) == 6 * weights + attention // 2 == 51_470_401_536


def test_qwen_1_5b_term_by_term() -> None:
    query, key, value, output = 1536 * 1536, 1536 * 256, 1536 * 256, 1536 * 1536
    gate = up = down = 1536 * 8960
    layer = query + key + value + output + gate + up + down
    assert layer == 46_792_704
    embedding_as_output = 151_936 * 1536
    weights = 28 * layer + embedding_as_output
    assert matrix_weights(QWEN_1_5B) == weights == 1_543_569_408
    attention = 28 * 3 * 2 * (2 * 1536 * 4096)
    assert attention == 2_113_929_216
    full = 6 * weights + attention
    assert model_flops_per_token(QWEN_1_5B, 4096, causal=False) == full == 11_375_345_664
    assert model_flops_per_token(QWEN_1_5B, 4096) == full - attention // 2 == 10_318_381_056


def test_qwen_7b_term_by_term() -> None:
    query, key, value, output = 3584 * 3584, 3584 * 512, 3584 * 512, 3584 * 3584
    gate = up = down = 3584 * 18944
    layer = query + key + value + output + gate + up + down
    assert layer == 233_046_016
    weights = 28 * layer + 152_064 * 3584
    assert matrix_weights(QWEN_7B) == weights == 7_070_285_824
    attention = 28 * 3 * 2 * (2 * 3584 * 4096)
    assert attention == 4_932_501_504
    full = 6 * weights + attention
    assert model_flops_per_token(QWEN_7B, 4096, causal=False) == full == 47_354_216_448
    assert model_flops_per_token(QWEN_7B, 4096) == full - attention // 2 == 44_887_965_696


@pytest.mark.parametrize(
    ("seq_length", "causal", "published"),
    [(8192, True, 51.47e9), (8192, False, 57.91e9), (4096, True, 48.25e9), (4096, False, 51.47e9)],
)
def test_llama_8b_as_published(seq_length: int, causal: bool, published: float) -> None:
    found = model_flops_per_token(LLAMA_8B, seq_length, causal=causal)
    assert found == pytest.approx(published, rel=1e-4)


@pytest.mark.parametrize(
    ("name", "bf16", "fp8"),
    [
        ("NVIDIA H100 80GB HBM3", 989e12, 1979e12),
        ("NVIDIA H100 PCIe", 756e12, 1513e12),
        ("NVIDIA H100 NVL", 835e12, 1671e12),
        ("NVIDIA H200", 989e12, 1979e12),
        ("NVIDIA GH200 480GB", 989e12, 1979e12),
        ("NVIDIA B200", 2250e12, 4500e12),
        ("NVIDIA GB200", 2500e12, 5000e12),
        ("NVIDIA A100-SXM4-80GB", 312e12, None),
        ("NVIDIA L40S", 362e12, 733e12),
        ("NVIDIA L4", 121e12, 242e12),
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", None, None),
        ("NVIDIA H20", None, None),
        ("cpu", None, None),
    ],
)
def test_peaks_by_device_name(name: str, bf16: float | None, fp8: float | None) -> None:
    assert (peak_flops(name, "bf16"), peak_flops(name, "fp8")) == (bf16, fp8)
    assert peak_flops(name, "fp32") is None


def test_every_peak_has_a_source_and_a_valid_pattern() -> None:
    for peak in PEAKS:
        assert re.compile(peak.name)
        assert "data sheet" in peak.source
        assert peak.fp8 is None or 1.9 < peak.fp8 / peak.bf16 < 2.1
