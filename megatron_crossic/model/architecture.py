"""What a Hugging Face `config.json` says about a model, in Megatron's words, or a refusal.

Every value that changes the numbers is either mapped or checked against the only value supported,
so that a model is never built that looks right and computes something else.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, cast

from megatron_crossic.config import raise_problems
from megatron_crossic.errors import ConfigError

Family = Literal["llama", "qwen2"]
FAMILIES: dict[str, Family] = {"llama": "llama", "qwen2": "qwen2"}
"""Hugging Face `model_type` -> family."""

VOCAB_MULTIPLE = 128
"""Rows of the embedding are padded to a multiple, so that every usual tensor size divides them.

Llama-3.1 (128,256 = 1002 * 128) and Qwen2.5 (151,936 or 152,064) need no padding.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class RopeScaling:
    """Llama-3's scaling of rotary frequencies."""

    factor: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelArchitecture:
    """The sizes and switches that define a decoder-only model."""

    family: Family
    num_layers: int
    hidden_size: int
    ffn_hidden_size: int
    num_attention_heads: int
    num_query_groups: int
    """Key/value heads; each serves num_attention_heads / num_query_groups query heads."""
    head_dim: int
    vocab_size: int
    """Rows of the embedding in the Hugging Face checkpoint."""
    max_position_embeddings: int
    rotary_base: float
    rope_scaling: RopeScaling | None
    norm_epsilon: float
    tie_embeddings: bool
    qkv_bias: bool
    dtype: Literal["float32", "bfloat16", "float16"]
    """Format of the weights in the Hugging Face checkpoint."""

    @property
    def padded_vocab_size(self) -> int:
        """Rows of the embedding in Megatron; the added ones never reach a loss or an export."""
        return -(-self.vocab_size // VOCAB_MULTIPLE) * VOCAB_MULTIPLE

    def to_json(self) -> dict[str, Any]:
        """The JSON form kept in checkpoints."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read `to_json` back."""
        scaling = values["rope_scaling"]
        return cls(**{**values, "rope_scaling": RopeScaling(**scaling) if scaling else None})


def architecture_from_hf(config: Mapping[str, Any]) -> ModelArchitecture:
    """Map a `config.json`, as transformers 4 or 5 writes it; `ConfigError` for what is not mapped.

    All problems are collected and raised once.
    """
    family = FAMILIES.get(config.get("model_type", ""))
    if family is None:
        raise ConfigError(
            f"config.json model_type must be one of {', '.join(FAMILIES)}, got "
            f"{config.get('model_type')!r}. Choose a model of a supported family."
        )
    problems = _unsupported(config, family)
    rope = _rope(config)
    problems += _rope_problems(rope)
    problems += [
        f"config.json must have {key}, got nothing. Restore the model's original config.json."
        for key in _REQUIRED
        if key not in config
    ]
    problems += _size_problems(config)
    raise_problems(problems)
    return ModelArchitecture(
        family=family,
        num_layers=config["num_hidden_layers"],
        hidden_size=config["hidden_size"],
        ffn_hidden_size=config["intermediate_size"],
        num_attention_heads=config["num_attention_heads"],
        num_query_groups=config.get("num_key_value_heads") or config["num_attention_heads"],
        head_dim=config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"],
        vocab_size=config["vocab_size"],
        max_position_embeddings=config["max_position_embeddings"],
        rotary_base=float(rope.get("rope_theta", 10000.0)),
        rope_scaling=(
            RopeScaling(factor=float(rope["factor"])) if rope["rope_type"] == "llama3" else None
        ),
        norm_epsilon=config["rms_norm_eps"],
        tie_embeddings=config.get("tie_word_embeddings", False),
        qkv_bias=family == "qwen2",
        dtype=_dtype(config),
    )


_REQUIRED = (
    "num_hidden_layers",
    "hidden_size",
    "intermediate_size",
    "num_attention_heads",
    "vocab_size",
    "max_position_embeddings",
    "rms_norm_eps",
)

_SIZES = (*_REQUIRED[:-1], "num_key_value_heads", "head_dim")


def _size_problems(config: Mapping[str, Any]) -> list[str]:
    return [
        f"config.json {key} must be a whole number above 0, got {value!r}. "
        "Restore the model's original config.json."
        for key in _SIZES
        if (value := config.get(key)) is not None and not (isinstance(value, int) and value > 0)
    ]


# Switches with one supported value: key -> (value, families whose configurations have it).
_ONLY_VALUE: dict[str, tuple[object, tuple[Family, ...]]] = {
    "hidden_act": ("silu", ("llama", "qwen2")),
    "attention_bias": (False, ("llama",)),
    "mlp_bias": (False, ("llama",)),
    "use_sliding_window": (False, ("qwen2",)),
    "attention_dropout": (0.0, ("llama", "qwen2")),
    "quantization_config": (None, ("llama", "qwen2")),
}


def _unsupported(config: Mapping[str, Any], family: Family) -> list[str]:
    return [
        f"config.json {key} must be {value!r} for {family}, got {config[key]!r}. "
        "This variant is not supported; choose another model."
        for key, (value, families) in _ONLY_VALUE.items()
        if family in families and key in config and config[key] != value
    ]


def _rope(config: Mapping[str, Any]) -> dict[str, Any]:
    """`rope_parameters` of transformers 5, or `rope_theta` and `rope_scaling` of transformers 4."""
    scaling = config.get("rope_parameters") or config.get("rope_scaling") or {}
    theta = scaling.get("rope_theta", config.get("rope_theta", 10000.0))
    kind = scaling.get("rope_type", scaling.get("type", "default"))
    return {**scaling, "rope_theta": theta, "rope_type": kind}


# megatron-core 0.16 takes the factor as an argument and has these three written into its code.
_LLAMA3_FIXED = {
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}


def _rope_problems(rope: Mapping[str, Any]) -> list[str]:
    kind = rope["rope_type"]
    if kind == "default":
        return []
    if kind != "llama3":
        return [
            f"config.json rope_type must be default or llama3, got {kind!r}. "
            "This scaling is not supported; choose another model."
        ]
    return [
        f"config.json rope scaling {key} must be {value}, got {rope.get(key)!r}. "
        "megatron-core knows Llama-3's own values only."
        for key, value in _LLAMA3_FIXED.items()
        if rope.get(key) != value
    ]


def _dtype(config: Mapping[str, Any]) -> Literal["float32", "bfloat16", "float16"]:
    dtype = config.get("dtype") or config.get("torch_dtype") or "float32"
    if dtype not in ("float32", "bfloat16", "float16"):
        raise ConfigError(
            f"config.json dtype must be float32, bfloat16 or float16, got {dtype!r}. "
            "Convert the weights to one of them first."
        )
    return cast(Literal["float32", "bfloat16", "float16"], dtype)
