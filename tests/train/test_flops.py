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
