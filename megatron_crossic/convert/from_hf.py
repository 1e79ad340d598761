"""A Hugging Face folder -> a checkpoint that loads at any tensor and pipeline parallel size."""

import functools
import json
import math
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from megatron_crossic.checkpoint.folder import (
    HF_FOLDER,
    CheckpointInfo,
    new_checkpoint,
    step_folder,
    write_info,
)
from megatron_crossic.checkpoint.stream import Chunk, write_checkpoint
from megatron_crossic.convert import Progress
from megatron_crossic.convert.safetensors_folder import TensorFile, open_folder, read_tensor
from megatron_crossic.errors import CheckpointError, ConfigError
from megatron_crossic.files import PARTIAL_SUFFIX, refuse_existing
from megatron_crossic.model.architecture import ModelArchitecture, architecture_from_hf
from megatron_crossic.model.weights import Weight, check_hf_shapes, weights

CONFIG_FILE = "config.json"
DTYPES_FILE = "tensor_dtypes.json"
"""Number format of every tensor at import, kept in `hf/`; export writes the same formats."""

CARRIED = (
    CONFIG_FILE,
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "*.model",
    "chat_template*",
)
"""Files that go into `hf/` and come back with the export; copied, never executed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportReport:
    """What an import did."""

    checkpoint: Path
    """The step folder."""
    num_tensors: int
    num_parameters: int
    dtypes: Mapping[str, int]
    """Number of tensors in each format."""
    left_out: tuple[str, ...]
    """Tensors the configuration implies, such as rotary frequencies in old checkpoints."""


def import_checkpoint(
    *, hf: Path, output: Path, overwrite: bool = False, progress: Progress | None = None
) -> ImportReport:
    """Write the weights in folder `hf` to OUTPUT/step_0000000, one tensor in memory at a time."""
    architecture = architecture_from_hf(read_config(hf))
    files = open_folder(hf)
    left_out = check_hf_shapes({name: f.shape for name, f in files.items()}, architecture)
    files = {name: file for name, file in files.items() if name not in left_out}
    check_output(output, overwrite=overwrite)
    with new_checkpoint(output, 0) as folder:
        chunks = _chunks(architecture, files, progress)
        write_checkpoint(folder, chunks, extra_states(architecture))
        copy_carried(hf, folder / HF_FOLDER)
        _write_dtypes(folder / HF_FOLDER / DTYPES_FILE, files)
        write_info(folder, CheckpointInfo(step=0, num_tokens=0, architecture=architecture))
    return ImportReport(
        checkpoint=step_folder(output, 0),
        num_tensors=len(files),
        num_parameters=sum(math.prod(file.shape) for file in files.values()),
        dtypes=Counter(dtype_name(file.dtype) for file in files.values()),
        left_out=tuple(left_out),
    )


def read_config(hf: Path) -> dict[str, Any]:
    """Read `config.json` of a Hugging Face folder."""
    path = hf / CONFIG_FILE
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(
            f"Hugging Face folder must contain {CONFIG_FILE}, got {hf} without it. "
            "Check the path and that the download is complete."
        ) from error
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{CONFIG_FILE} must be readable JSON, got {path}: {error}. Download it again."
        ) from error
    if not isinstance(config, dict):
        raise CheckpointError(
            f"{CONFIG_FILE} must be a JSON object, got {type(config).__name__} in {path}. "
            "Download it again."
        )
    return config


def check_output(output: Path, *, overwrite: bool) -> None:
    """Refuse a folder with something in it; never overwrite the checkpoints of a training run."""
    if not output.is_dir():
        return refuse_existing(output)
    held = [path for path in output.iterdir() if not path.name.endswith(PARTIAL_SUFFIX)]
    imported = step_folder(output, 0)
    trained = [path for path in held if path.name.startswith("step_") and path != imported]
    if trained and overwrite:
        raise ConfigError(
            f"--overwrite must not destroy trained checkpoints, got {output} with "
            f"{trained[0].name}. Choose another output."
        )
    if held:
        refuse_existing(output, overwrite=overwrite)
    return None


def _chunks(
    architecture: ModelArchitecture, files: Mapping[str, TensorFile], progress: Progress | None
) -> Iterator[Chunk]:
    """Every weight as one chunk; a layer is a slice of the stacked tensor."""
    dtypes = stored_dtypes(architecture, files)
    total = sum(file.num_bytes for file in files.values())
    done = 0
    for weight in weights(architecture):
        shape = weight.megatron_shape()
        stack = () if weight.layer is None else (architecture.num_layers,)
        first = () if weight.layer is None else (weight.layer,)
        yield Chunk(
            key=weight.key,
            global_shape=(*stack, *shape),
            offsets=(*first, *(0 for _ in shape)),
            dtype=dtypes[weight.key],
            load=functools.partial(_load, weight, files, dtypes[weight.key]),
        )
        done += sum(files[name].num_bytes for name in weight.hf_shapes())
        if progress is not None:
            progress(done, total)


def stored_dtypes(
    architecture: ModelArchitecture, files: Mapping[str, TensorFile]
) -> dict[str, torch.dtype]:
    """Format of each tensor of the checkpoint: the narrowest that holds all its parts exactly."""
    found: dict[str, torch.dtype] = {}
    for weight in weights(architecture):
        for name in weight.hf_shapes():
            dtype = files[name].dtype
            found[weight.key] = torch.promote_types(found.get(weight.key, dtype), dtype)
    return found


def _load(weight: Weight, files: Mapping[str, TensorFile], dtype: torch.dtype) -> Tensor:
    tensors = [read_tensor(name, files[name]).to(dtype) for name in weight.hf_shapes()]
    merged = weight.to_megatron(tensors)
    return merged if weight.layer is None else merged[None]


def extra_states(architecture: ModelArchitecture) -> Iterator[str]:
    """Names of the extra states a GPTModel asks for when it loads; those of FP8, empty at first.

    The layers of the plain specification have four, Transformer Engine's two more.
    """
    for layer in range(architecture.num_layers):
        for module in _WITH_EXTRA_STATE:
            yield (
                f"model.decoder.layers.{module}._extra_state"
                f"/shard_{layer}_{architecture.num_layers}"
            )
    yield "model.decoder.final_layernorm._extra_state/shard_0_1"


_WITH_EXTRA_STATE = (
    "self_attention.linear_qkv",
    "self_attention.core_attention",
    "self_attention.linear_proj",
    "mlp.linear_fc1",
    "mlp.linear_fc2",
)


def copy_carried(source: Path, target: Path) -> None:
    """Copy configuration and tokenizer files; no code and no weights."""
    target.mkdir(parents=True, exist_ok=True)
    for pattern in CARRIED:
        for path in source.glob(pattern):
            if path.is_file():
                shutil.copyfile(path, target / path.name)
            else:
                shutil.copytree(path, target / path.name)


def dtype_name(dtype: torch.dtype) -> str:
    """`torch.bfloat16` -> `bfloat16`."""
    return str(dtype).removeprefix("torch.")


def _write_dtypes(path: Path, files: Mapping[str, TensorFile]) -> None:
    dtypes = {name: dtype_name(file.dtype) for name, file in files.items()}
    path.write_text(json.dumps(dtypes, indent=0) + "\n", encoding="utf-8")
