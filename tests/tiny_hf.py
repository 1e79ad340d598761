"""Tiny random Hugging Face models whose logits depend on everything a conversion can get wrong."""

from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel, Qwen2Config
from transformers import Qwen2ForCausalLM as Qwen2Model

LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 16384,
}
CONFIGS: dict[str, LlamaConfig | Qwen2Config] = {
    "llama_gqa_scaled": LlamaConfig(**SIZES, vocab_size=256, rope_parameters=LLAMA3_ROPE),
    "llama_tied": LlamaConfig(**SIZES, vocab_size=128, tie_word_embeddings=True),
    # 201 rows: neither a multiple of 128 nor even
    "qwen2_tied_odd": Qwen2Config(**SIZES, vocab_size=201, tie_word_embeddings=True),
    # 2 stages can have 2 chunks each
    "qwen2_four_layers": Qwen2Config(**{**SIZES, "num_hidden_layers": 4}, vocab_size=201),
}
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")


def make_hf(folder: Path, kind: str, *, dtype: torch.dtype = torch.float32, seed: int = 0) -> Path:
    """Save a model of `CONFIGS[kind]` and stand-ins for its tokenizer files in a new folder."""
    config = CONFIGS[kind]
    torch.manual_seed(seed)
    model = Qwen2Model(config) if isinstance(config, Qwen2Config) else LlamaForCausalLM(config)
    randomize(model)
    model.to(dtype).save_pretrained(folder)
    for name in TOKENIZER_FILES:
        (folder / name).write_text(f'{{"stands for": "{name}"}}', encoding="utf-8")
    (folder / "modeling_custom.py").write_text("raise SystemExit('executed')", encoding="utf-8")
    return folder


@torch.no_grad()
def randomize(model: PreTrainedModel) -> None:
    """Weights as strong as trained ones.

    In a fresh model attention is nearly uniform: logits differ by 4e-5 only with another RoPE
    scaling factor, the loss by 6e-5 with another rotary base. A comparison to 1e-4 would prove
    little. With these weights the same mistakes change the logits by 4e-2 and more.
    """
    for name, parameter in model.named_parameters():
        if "norm" in name:
            parameter.normal_(mean=1.0, std=0.1)
        elif parameter.ndim == 1:
            parameter.normal_(std=0.5)
        elif "embed" in name:
            parameter.normal_(std=0.1)
        else:
            parameter.normal_(std=1.5 / parameter.shape[1] ** 0.5)
