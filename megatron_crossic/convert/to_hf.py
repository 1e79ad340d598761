"""A checkpoint, imported or trained at any layout -> a folder that transformers loads."""

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from megatron_crossic.checkpoint.folder import HF_FOLDER, find_checkpoint, read_info
from megatron_crossic.convert.adapters import ADAPTER_CONFIG, WeightReader, write_adapter
from megatron_crossic.convert.from_hf import (
    CONFIG_FILE,
    DTYPES_FILE,
    Progress,
    copy_carried,
    dtype_name,
    read_config,
)
from megatron_crossic.convert.safetensors_folder import (
    DTYPES,
    OutputTensor,
    new_folder,
    write_folder,
)
from megatron_crossic.errors import CheckpointError, ConfigError
from megatron_crossic.files import refuse_existing
from megatron_crossic.model.architecture import ModelArchitecture, architecture_from_hf
from megatron_crossic.model.weights import Weight, weights

_NAMED = {dtype_name(dtype): dtype for dtype in DTYPES.values()}


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportReport:
    """What an export did."""

    folder: Path
    num_tensors: int
    num_parameters: int
    num_files: int
    """Weight files; an index lies beside them where there is more than one."""
    cast: Mapping[str, str]
    """Tensors that training keeps in another format than the original, as `float32 -> bfloat16`."""


def export_checkpoint(
    *,
    checkpoint: Path,
    output: Path,
    base: Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> ExportReport:
    """Write the newest checkpoint under `checkpoint` (or that step) as a Hugging Face folder.

    Adapters are merged into their base weights, which lie in `base` if they were moved.
    """
    step = find_checkpoint(checkpoint)
    architecture = checked_architecture(step)
    reader = WeightReader(step, base=base)
    dtypes = export_dtypes(step, architecture)
    tensors = _output_tensors(reader, architecture, dtypes)
    check_output(output, step, overwrite=overwrite)
    with new_folder(output) as folder:
        files = write_folder(folder, tensors, progress=progress)
        copy_carried(step / HF_FOLDER, folder)
    return ExportReport(
        folder=output,
        num_tensors=len(tensors),
        num_parameters=sum(tensor.num_values for tensor in tensors),
        num_files=len(files),
        cast=_casts(reader, architecture, dtypes),
    )


def export_adapter(
    *, checkpoint: Path, output: Path, base: Path | None = None, overwrite: bool = False
) -> int:
    """Write the adapters of a LoRA run as a folder for `peft`; returns the number of tensors."""
    step = find_checkpoint(checkpoint)
    architecture = checked_architecture(step)
    reader = WeightReader(step, base=base)
    if reader.adapters is None:
        raise ConfigError(
            f"--adapter must go with the checkpoint of a LoRA run, got a whole model in {step}. "
            "Leave it out."
        )
    check_output(output, step, overwrite=overwrite, marker=ADAPTER_CONFIG)
    name = read_config(step / HF_FOLDER).get("_name_or_path")
    return write_adapter(output, reader, architecture, base_name=name)


def check_output(output: Path, step: Path, *, overwrite: bool, marker: str = CONFIG_FILE) -> None:
    """Refuse what exists; `overwrite` replaces a model, never a checkpoint or another folder."""
    refuse_existing(output, overwrite=overwrite)
    if not output.is_dir() or not any(output.iterdir()):
        return
    holds_step = step.resolve().is_relative_to(output.resolve())
    if holds_step or not (output / marker).is_file():
        raise ConfigError(
            f"--overwrite must replace a Hugging Face model, got {output} "
            f"{'with the checkpoint in it' if holds_step else f'without {marker}'}. "
            "Choose another output."
        )


def checked_architecture(step: Path) -> ModelArchitecture:
    """The architecture of a checkpoint; its two sources, checkpoint.json and hf/, must agree."""
    architecture = read_info(step).architecture
    if architecture_from_hf(read_config(step / HF_FOLDER)) != architecture:
        raise CheckpointError(
            f"{HF_FOLDER}/{CONFIG_FILE} must describe the checkpoint's model, got another model "
            f"in {step}. Restore the original {CONFIG_FILE}."
        )
    return architecture


def export_dtypes(step: Path, architecture: ModelArchitecture) -> dict[str, torch.dtype]:
    """Format of every Hugging Face tensor: that of the import, else the configuration's."""
    path = step / HF_FOLDER / DTYPES_FILE
    try:
        known = json.loads(path.read_bytes()) if path.is_file() else {}
        return {
            name: _NAMED[known.get(name, architecture.dtype)]
            for weight in weights(architecture)
            for name in weight.hf_shapes()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{HF_FOLDER}/{DTYPES_FILE} must name formats of tensors, got {error} in {path}. "
            "Remove the file to export everything in the configuration's format."
        ) from error


def read_weight(reader: WeightReader, weight: Weight) -> dict[str, Tensor]:
    """Read one weight and divide it into its Hugging Face tensors, in the checkpoint's format."""
    return weight.to_hf(reader.read(weight))


def _output_tensors(
    reader: WeightReader, architecture: ModelArchitecture, dtypes: Mapping[str, torch.dtype]
) -> list[OutputTensor]:
    # Tensors of one weight are written in a row: the last one read is enough to keep.
    read = functools.lru_cache(maxsize=1)(functools.partial(read_weight, reader))
    return [
        OutputTensor(
            name=name,
            shape=shape,
            dtype=dtypes[name],
            load=functools.partial(_load, read, weight, name, dtypes[name]),
        )
        for weight in weights(architecture)
        for name, shape in weight.hf_shapes().items()
    ]


def _load(
    read: Callable[[Weight], dict[str, Tensor]], weight: Weight, name: str, dtype: torch.dtype
) -> Tensor:
    return read(weight)[name].to(dtype)


def _casts(
    reader: WeightReader, architecture: ModelArchitecture, dtypes: Mapping[str, torch.dtype]
) -> dict[str, str]:
    """Tensors whose format in the checkpoint loses digits on the way out."""
    return {
        name: f"{dtype_name(stored)} -> {dtype_name(dtypes[name])}"
        for weight in weights(architecture)
        for name in weight.hf_shapes()
        if (stored := reader.dtype(weight)) != dtypes[name]
    }
