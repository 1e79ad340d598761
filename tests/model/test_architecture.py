"""What `config.json` means, in both dialects of transformers, and what is refused."""

from typing import Any

import pytest
import transformers

from megatron_crossic.config import ParallelConfig
from megatron_crossic.errors import ConfigError
from megatron_crossic.model.architecture import (
    ModelArchitecture,
    RopeScaling,
    architecture_from_hf,
)
from megatron_crossic.model.layout import layout_problems

LLAMA31_8B: dict[str, Any] = {
    "model_type": "llama",
    "hidden_act": "silu",
    "attention_bias": False,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "rms_norm_eps": 1e-5,
    "rope_theta": 500000.0,
    "rope_scaling": {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    },
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
}


def test_llama_31_8b() -> None:
    architecture = architecture_from_hf(LLAMA31_8B)
    assert architecture == ModelArchitecture(
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
        rope_scaling=RopeScaling(factor=8.0),
        norm_epsilon=1e-5,
        tie_embeddings=False,
        qkv_bias=False,
        dtype="bfloat16",
    )
    assert architecture.padded_vocab_size == 128256
    assert ModelArchitecture.from_json(architecture.to_json()) == architecture


def test_the_dialect_of_transformers_5_means_the_same() -> None:
    old = {k: v for k, v in LLAMA31_8B.items() if k not in ("rope_theta", "torch_dtype")}
    rope = {**old.pop("rope_scaling"), "rope_theta": 500000.0}
    new = {**old, "rope_parameters": rope, "dtype": "bfloat16"}
    assert architecture_from_hf(new) == architecture_from_hf(LLAMA31_8B)


def test_a_configuration_written_by_transformers() -> None:
    config = transformers.Qwen2Config(
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=1000,
        tie_word_embeddings=True,
    )
    architecture = architecture_from_hf(config.to_dict())
    assert architecture.qkv_bias
    assert architecture.tie_embeddings
    assert architecture.head_dim == 16
    assert architecture.padded_vocab_size == 1024


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "mamba"}, "model_type must be one of llama, qwen2, got 'mamba'"),
        ({"hidden_act": "gelu"}, "hidden_act must be 'silu' for llama, got 'gelu'"),
        ({"attention_bias": True}, "attention_bias must be False for llama, got True"),
        ({"hidden_size": "4096"}, "hidden_size must be a whole number above 0, got '4096'"),
        ({"num_key_value_heads": 0}, "num_key_value_heads must be a whole number above 0, got 0"),
        ({"mlp_bias": True}, "mlp_bias must be False for llama, got True"),
        ({"torch_dtype": "float8"}, "dtype must be float32, bfloat16 or float16, got 'float8'"),
        (
            {"rope_scaling": {"type": "linear", "factor": 2.0}},
            "rope_type must be default or llama3, got 'linear'",
        ),
        (
            {"rope_scaling": {**LLAMA31_8B["rope_scaling"], "high_freq_factor": 8.0}},
            r"high_freq_factor must be 4\.0, got 8\.0",
        ),
        ({"quantization_config": {"bits": 4}}, "quantization_config must be None for llama"),
    ],
)
def test_what_is_not_mapped_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        architecture_from_hf({**LLAMA31_8B, **change})


def test_every_problem_is_told_at_once() -> None:
    config = {**LLAMA31_8B, "hidden_act": "gelu", "attention_bias": True}
    del config["hidden_size"]
    with pytest.raises(ConfigError) as caught:
        architecture_from_hf(config)
    assert str(caught.value).count("config.json") >= 3


def test_qwen2_sliding_window_is_refused() -> None:
    config = {**LLAMA31_8B, "model_type": "qwen2", "use_sliding_window": True}
    with pytest.raises(ConfigError, match="use_sliding_window must be False for qwen2, got True"):
        architecture_from_hf(config)


def test_layouts_must_divide_the_model() -> None:
    architecture = architecture_from_hf(LLAMA31_8B)
    assert layout_problems(architecture, ParallelConfig(tensor=8, pipeline=4)) == []
    problems = layout_problems(architecture, ParallelConfig(tensor=3, pipeline=5))
    assert "parallel.tensor must divide the model's attention heads, got 3 with 32" in problems[0]
    assert "parallel.pipeline must divide the model's layers, got 5 with 32" in problems[-1]
    assert len(problems) == 4  # 14336 and 128256 = 3 * 42752 leave the vocabulary out
