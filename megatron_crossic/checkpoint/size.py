"""Bytes a checkpoint takes on disk, from the sizes alone: all ranks' tensors, each once.

Weights in their compute format, two moments in fp32, and in reduced precision the main weights as
well: 14 bytes a weight in bf16 (98 GB for 7 billion), 12 in fp32. A LoRA run saves its adapters and
their state alone. Random states, indices and the tokenizer's files come on top, some MB.
"""

from megatron_crossic.config import RunConfig
from megatron_crossic.layout_config import ParallelConfig
from megatron_crossic.model.adapter_memory import adapter_parameters
from megatron_crossic.model.architecture import ModelArchitecture
from megatron_crossic.model.memory import num_parameters


def checkpoint_bytes(architecture: ModelArchitecture, config: RunConfig) -> int:
    """One checkpoint of this run; it does not depend on the layout."""
    whole = ParallelConfig()
    if config.lora is None:
        saved = num_parameters(architecture, whole, stage=0)
    else:
        saved = architecture.num_layers * adapter_parameters(architecture, config.lora, whole)
    return saved * (12 if config.precision.compute == "fp32" else 14)
