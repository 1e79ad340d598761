"""Which models the GPU check trains and how long; the same questions, tiny, for a dry run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from megatron_crossic.model.architecture import ModelArchitecture, architecture_from_hf

Compute = Literal["fp32", "bf16", "fp8"]

# The config.json of the published models; weights are random, so nothing is downloaded.
QWEN_1_5B: dict[str, Any] = {
    "model_type": "qwen2",
    "num_hidden_layers": 28,
    "hidden_size": 1536,
    "intermediate_size": 8960,
    "num_attention_heads": 12,
    "num_key_value_heads": 2,
    "vocab_size": 151936,
    "max_position_embeddings": 131072,
    "rope_theta": 1000000.0,
    "rms_norm_eps": 1e-6,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
}
LLAMA_8B: dict[str, Any] = {
    "model_type": "llama",
    "num_hidden_layers": 32,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "rope_theta": 500000.0,
    "rope_scaling": {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    },
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
}
TINY: dict[str, Any] = {
    "model_type": "qwen2",
    "num_hidden_layers": 2,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 256,
    "max_position_embeddings": 2048,
    "rms_norm_eps": 1e-6,
    "tie_word_embeddings": True,
}
# Every dimension is a multiple of 16, as FP8 matrix products ask.
SMALL = {**TINY, "num_hidden_layers": 4, "hidden_size": 1024, "intermediate_size": 2816}
SMALL |= {"num_attention_heads": 16, "num_key_value_heads": 4, "vocab_size": 8192}


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One way to fit a workload into memory."""

    num_layers: int
    micro_batch_size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Workload:
    """A model whose step is timed."""

    name: str
    hf_config: Mapping[str, Any]
    seq_length: int
    windows_per_step: int
    """A multiple of every attempt's micro_batch_size."""
    attempts: tuple[Attempt, ...]
    """Tried in order until one fits."""

    def architecture(self, attempt: Attempt) -> ModelArchitecture:
        """The model, cut to the attempt's number of layers."""
        return architecture_from_hf({**self.hf_config, "num_hidden_layers": attempt.num_layers})


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Everything the check does."""

    workloads: tuple[Workload, ...]
    num_timed_steps: int
    gap_model: Mapping[str, Any]
    gap_formats: tuple[Compute, Compute]
    """The loss in the second format is compared with that in the first."""
    gap_seq_length: int
    gap_windows: int
    num_gap_steps: int
    formats: tuple[Compute, ...]
    """The workloads are timed in each."""


FULL = Plan(
    workloads=(
        Workload(
            name="Qwen2.5-1.5B",
            hf_config=QWEN_1_5B,
            seq_length=4096,
            windows_per_step=8,
            attempts=tuple(Attempt(num_layers=28, micro_batch_size=size) for size in (2, 1)),
        ),
        Workload(
            name="Llama-3.1-8B slice",
            hf_config=LLAMA_8B,
            seq_length=8192,
            windows_per_step=4,
            # 18 bytes a weight for 2.8e9 weights at 8 layers: 50 GB, and 20 GB of activations.
            attempts=tuple(Attempt(num_layers=layers, micro_batch_size=1) for layers in (8, 6, 4)),
        ),
    ),
    num_timed_steps=10,
    gap_model=SMALL,
    gap_formats=("bf16", "fp8"),
    gap_seq_length=1024,
    gap_windows=8,
    num_gap_steps=50,
    formats=("bf16", "fp8"),
)

DRY = Plan(
    workloads=(
        Workload(
            name="tiny",
            hf_config=TINY,
            seq_length=32,
            windows_per_step=4,
            attempts=(Attempt(num_layers=2, micro_batch_size=2),),
        ),
    ),
    num_timed_steps=2,
    gap_model=TINY,
    gap_formats=("fp32", "bf16"),
    gap_seq_length=32,
    gap_windows=4,
    num_gap_steps=12,
    formats=("bf16", "fp8"),
)
