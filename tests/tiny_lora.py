"""A tiny LoRA run over a base model whose weights are as strong as trained ones."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from tiny_hf import CONFIGS, make_hf
from tiny_runs import tiny_config, write_windows

from megatron_crossic.config import LoraConfig, RunConfig, ScheduleConfig
from megatron_crossic.convert.from_hf import import_checkpoint

KIND = "qwen2_four_layers"


def lora_inputs(folder: Path, kind: str = KIND) -> Path:
    """What `lora_config` reads, and the original in `hf`."""
    import_checkpoint(hf=make_hf(folder / "hf", kind), output=folder / "initial")
    vocab_size = CONFIGS[kind].vocab_size
    for name, num_windows in (("train", 40), ("validation", 5)):
        write_windows(
            folder / name, num_windows=num_windows, vocab_size=vocab_size, seed=num_windows
        )
    return folder


def lora_config(inputs: Path, run_dir: Path, *, dropout: float = 0.0, **changes: Any) -> RunConfig:
    """10 steps with a rate so high that the adapters change the losses at once."""
    lora = LoraConfig(rank=4, alpha=8, dropout=dropout)
    config = tiny_config(inputs, run_dir=run_dir, num_steps=10, lora=lora)
    return replace(config, **{"schedule": ScheduleConfig(peak=2e-2, minimum=2e-2), **changes})
