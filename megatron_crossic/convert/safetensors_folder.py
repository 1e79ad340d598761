"""The weight files of a Hugging Face folder: safetensors, in one file or shards with an index.

A safetensors file is, in bytes: the length n of the header (8, little-endian), the header (n: JSON,
name -> dtype, shape, begin and end in the data, padded with spaces to a multiple of 8), the data.
Reading goes through the `safetensors` library. Writing is done here because the library wants a
whole file's tensors in memory at once.
"""

import json
import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from megatron_crossic.convert import Progress
from megatron_crossic.errors import CheckpointError
from megatron_crossic.files import PARTIAL_SUFFIX, atomic_output, sync_folder, unwritable

SINGLE_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
MAX_SHARD_BYTES = 5 * 10**9
"""Size of a shard at most, as transformers cuts them (a larger tensor gets a file of its own)."""

DTYPES = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}
"""The formats weights may have; quantized ones would need their scales too."""
_CODES = {dtype: code for code, dtype in DTYPES.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class TensorFile:
    """Where a tensor lies and what it is."""

    path: Path
    shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def num_bytes(self) -> int:
        """Size in the file."""
        return math.prod(self.shape) * self.dtype.itemsize


def open_folder(folder: Path) -> dict[str, TensorFile]:
    """List the tensors of a folder from the headers of its files; nothing else is read.

    Raises `CheckpointError` where the weights are missing, truncated, pickled or quantized.
    """
    tensors: dict[str, TensorFile] = {}
    index = _read_index(folder)
    for name in sorted(set(index.values())) if index else [SINGLE_FILE]:
        tensors |= _read_header(folder / name)
    for name, file in index.items():
        if name not in tensors:
            raise CheckpointError(
                f"tensor {name} must be in {file} as {INDEX_FILE} says, got a file without it. "
                "Download the weights again."
            )
    return tensors


def _read_index(folder: Path) -> dict[str, str]:
    """Tensor -> file name, or nothing for a folder with a single file (it has precedence)."""
    path = folder / INDEX_FILE
    if (folder / SINGLE_FILE).is_file():
        return {}
    if not path.is_file():
        raise CheckpointError(_no_weights(folder))
    try:
        index = dict(json.loads(path.read_text(encoding="utf-8"))["weight_map"])
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{INDEX_FILE} must be JSON with a weight_map, got {path}: {error!r}. "
            "Download it again."
        ) from error
    for file in index.values():
        if not isinstance(file, str) or Path(file).name != file:
            raise CheckpointError(
                f"{INDEX_FILE} must name files beside it, got {file!r}. Download it again."
            )
    return index


def _no_weights(folder: Path) -> str:
    if any(folder.glob("*.bin")) or any(folder.glob("*.pt*")):
        return (
            f"weights must be safetensors, got only pickled files in {folder}, which could run "
            "code. Convert them where you trust them: AutoModelForCausalLM.from_pretrained(DIR)"
            ".save_pretrained(NEW_DIR)."
        )
    return (
        f"Hugging Face folder must contain {SINGLE_FILE} or {INDEX_FILE}, got {folder} without. "
        "Check the path and that the download is complete."
    )


def _read_header(path: Path) -> dict[str, TensorFile]:
    found = {}
    try:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 (safe_open is no mapping)
                header = file.get_slice(name)
                code = header.get_dtype()
                if code not in DTYPES:
                    raise CheckpointError(
                        f"tensor {name} must be one of {', '.join(DTYPES)}, got {code} in {path}. "
                        "Use the checkpoint that is not quantized."
                    )
                found[name] = TensorFile(
                    path=path, shape=tuple(header.get_shape()), dtype=DTYPES[code]
                )
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"weight file must be a complete safetensors file, got {path}: {error}. "
            "It is missing or truncated: download it again."
        ) from error
    return found


def read_tensor(name: str, file: TensorFile) -> Tensor:
    """Read one tensor. The file is mapped for this tensor only, so its pages are not kept."""
    with safe_open(file.path, framework="pt") as opened:
        tensor: Tensor = opened.get_tensor(name)
    return tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputTensor:
    """A tensor that is made when it is written."""

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    load: Callable[[], Tensor]

    @property
    def num_values(self) -> int:
        """Parameters in the tensor."""
        return math.prod(self.shape)

    @property
    def num_bytes(self) -> int:
        """Size in the file."""
        return self.num_values * self.dtype.itemsize


def write_folder(
    folder: Path,
    tensors: Sequence[OutputTensor],
    *,
    max_shard_bytes: int = MAX_SHARD_BYTES,
    progress: Progress | None = None,
) -> list[Path]:
    """Write the weight files, and the index where there is more than one; one tensor in memory.

    Wide formats come first, so that every tensor is aligned to its own size.
    """
    ordered = sorted(tensors, key=lambda tensor: -tensor.dtype.itemsize)
    shards = list(_shards(ordered, max_shard_bytes))
    names = [f"model-{i:05d}-of-{len(shards):05d}.safetensors" for i in range(1, len(shards) + 1)]
    if len(shards) == 1:
        names = [SINGLE_FILE]
    total = sum(tensor.num_bytes for tensor in tensors)
    done = 0
    for name, shard in zip(names, shards, strict=True):
        for tensor in _write_file(folder / name, shard):
            done += tensor.num_bytes
            if progress is not None:
                progress(done, total)
    if len(shards) > 1:
        placed = zip(names, shards, strict=True)
        weight_map = {tensor.name: name for name, shard in placed for tensor in shard}
        index = {
            "metadata": {"total_size": total},
            "weight_map": weight_map,
        }
        (folder / INDEX_FILE).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    return [folder / name for name in names]


def _shards(tensors: Sequence[OutputTensor], max_bytes: int) -> Iterator[list[OutputTensor]]:
    shard: list[OutputTensor] = []
    size = 0
    for tensor in tensors:
        if shard and size + tensor.num_bytes > max_bytes:
            yield shard
            shard, size = [], 0
        shard.append(tensor)
        size += tensor.num_bytes
    yield shard


def _write_file(path: Path, tensors: Sequence[OutputTensor]) -> Iterator[OutputTensor]:
    """Write one file, yielding each tensor once it is written."""
    header = json.dumps(_header(tensors), separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    with atomic_output(path) as file:
        file.write(len(header).to_bytes(8, "little"))
        file.write(header)
        for tensor in tensors:
            content = tensor.load()
            assert (tuple(content.shape), content.dtype) == (tensor.shape, tensor.dtype), (
                f"{tensor.name} was announced as {tensor.shape} {tensor.dtype}, "
                f"got {tuple(content.shape)} {content.dtype}"
            )
            file.write(content.contiguous().view(torch.uint8).numpy().data)
            yield tensor


def _header(tensors: Sequence[OutputTensor]) -> Mapping[str, Any]:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    begin = 0
    for tensor in tensors:
        end = begin + tensor.num_bytes
        header[tensor.name] = {
            "dtype": _CODES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [begin, end],
        }
        begin = end
    return header


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder that gets the name `path` at the end, replacing what was there."""
    partial = path.with_name(path.name + PARTIAL_SUFFIX)
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        yield partial
        if path.exists():
            shutil.rmtree(path)
        partial.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise unwritable(path, error) from error
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
