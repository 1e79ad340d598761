"""Weights of a checkpoint whatever it holds, and adapters as PEFT has them.

The checkpoint of a LoRA run holds adapters only and says beside which base weights they were
trained. `WeightReader` adds the two; `export_adapter` writes the adapters alone.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from megatron_crossic.checkpoint.folder import find_checkpoint, fingerprint, read_info
from megatron_crossic.checkpoint.stream import TensorReader
from megatron_crossic.convert.safetensors_folder import new_folder
from megatron_crossic.errors import CheckpointError, ConfigError
from megatron_crossic.model.architecture import ModelArchitecture
from megatron_crossic.model.weights import Weight, weights
from megatron_crossic.optimization_config import LORA_TARGETS, LoraConfig

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainedAdapters:
    """What a LoRA run's checkpoint says about itself."""

    lora: LoraConfig
    base: Path
    """Step folder of the weights the adapters were trained beside."""


def trained_adapters(step: Path, *, base: Path | None = None) -> TrainedAdapters | None:
    """What the checkpoint of a LoRA run adapts, or None for one that holds a whole model.

    `base` is where those weights are now, if they were moved; other weights are refused.
    """
    details = read_info(step).details
    if "lora" not in details:
        if base is not None:
            raise ConfigError(
                f"--base must go with the checkpoint of a LoRA run, got a whole model in {step}. "
                "Leave it out."
            )
        return None
    lora, recorded = _recorded(step, details)
    folder = find_checkpoint(base or recorded)
    if fingerprint(folder) != details["resume"]["base weights in checkpoint.initial"]:
        raise CheckpointError(
            f"base weights must be those the adapters in {step} were trained beside, got others in "
            f"{folder}. Name the folder with --base."
        )
    return TrainedAdapters(lora=lora, base=folder)


def _recorded(step: Path, details: Any) -> tuple[LoraConfig, Path]:
    try:
        values = dict(details["lora"])
        base = Path(values.pop("base"))
        lora = LoraConfig(**{**values, "targets": tuple(values["targets"])})
        known = not lora.problems() and set(lora.targets) <= set(LORA_TARGETS)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(_unreadable(step, error)) from error
    if not known:
        raise CheckpointError(_unreadable(step, lora))
    return lora, base


def _unreadable(step: Path, got: object) -> str:
    return f"checkpoint.json must describe the adapters, got {got} in {step}. Choose another one."


class WeightReader:
    """Reads the weights of a checkpoint in Megatron's form; adapters are added in fp32."""

    def __init__(self, step: Path, *, base: Path | None = None) -> None:
        self.adapters = trained_adapters(step, base=base)
        self._weights = TensorReader(self.adapters.base if self.adapters else step)
        self._adapters = TensorReader(step)

    def dtype(self, weight: Weight) -> torch.dtype:
        """Format the weight is kept in."""
        return self._weights.dtype(weight.key)

    def read(self, weight: Weight) -> Tensor:
        """One weight at one layer, in its own format."""
        shape = weight.megatron_shape()
        stored = self._weights.read(weight.key, shape=shape, layer=weight.layer)
        if self.adapters is None or (pairs := self.read_adapter(weight)) is None:
            return stored
        scale = self.adapters.lora.scale
        deltas = [scale * (b.float() @ a.float()) for a, b in pairs.values()]
        return (stored.float() + weight.to_megatron(deltas)).to(stored.dtype)

    def read_adapter(self, weight: Weight) -> dict[str, tuple[Tensor, Tensor]] | None:
        """A and B of every Hugging Face tensor of the weight; None where it has no adapter."""
        target = _target(weight)
        if self.adapters is None or target not in self.adapters.lora.targets:
            return None
        rank, shapes = self.adapters.lora.rank, weight.hf_shapes()
        num_outputs, num_inputs = weight.megatron_shape()
        name = f"model.adapters.{target}"
        a = self._adapters.read(
            f"{name}.a", shape=(len(shapes), rank, num_inputs), layer=weight.layer
        )
        b = self._adapters.read(f"{name}.b", shape=(num_outputs, rank), layer=weight.layer)
        rows = weight.to_hf(b)  # B has the rows of the weight, in their order
        return {tensor: (a[i], rows[tensor]) for i, tensor in enumerate(shapes)}


def _target(weight: Weight) -> str | None:
    """`linear_qkv` for `decoder.layers.self_attention.linear_qkv.weight`."""
    *_, layer, kind = weight.key.split(".")
    return layer if kind == "weight" else None


def write_adapter(
    output: Path, reader: WeightReader, architecture: ModelArchitecture, *, base_name: str | None
) -> int:
    """Write a folder that `peft` loads; returns the number of tensors."""
    assert reader.adapters is not None, "the checkpoint holds a whole model"
    tensors = dict(_peft_tensors(reader, architecture))
    modules = {name.split(".")[-3] for name in tensors}
    config = peft_config(reader.adapters.lora, modules=sorted(modules), base_name=base_name)
    with new_folder(output) as folder:
        save_file(tensors, folder / ADAPTER_WEIGHTS, metadata={"format": "pt"})
        text = json.dumps(config, indent=2) + "\n"
        (folder / ADAPTER_CONFIG).write_text(text, encoding="utf-8")
    return len(tensors)


def _peft_tensors(
    reader: WeightReader, architecture: ModelArchitecture
) -> Iterator[tuple[str, Tensor]]:
    for weight in weights(architecture):
        for name, (a, b) in (reader.read_adapter(weight) or {}).items():
            module = f"base_model.model.{name.removesuffix('.weight')}"
            yield f"{module}.lora_A.weight", a.clone()
            yield f"{module}.lora_B.weight", b.clone()


def peft_config(lora: LoraConfig, *, modules: list[str], base_name: str | None) -> dict[str, Any]:
    """`adapter_config.json`; what is not named has PEFT's default."""
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_name,
        "r": lora.rank,
        "lora_alpha": lora.alpha,
        "lora_dropout": lora.dropout,
        "target_modules": modules,
        "bias": "none",
        "fan_in_fan_out": False,
        "use_rslora": False,
        "inference_mode": True,
    }
