"""Single tensors in and out of megatron-core's distributed checkpoint format, without a model.

The format (`torch_dist`) is torch.distributed.checkpoint's: tensors are cut into chunks, each chunk
is one `torch.save` record at an offset of a `.distcp` file, and the pickle `.metadata` says which
chunk of which tensor lies where. megatron-core stacks the layers of a model into one tensor
[layers, ...] and adds `metadata.json` (the format's name) and `common.pt` (what ranks share).

Writing asks for one chunk at a time and reading returns one layer at a time, so memory grows with
the largest tensor and not with the model: about two of them. Measured on fp32 models, beyond the
0.27 GB that torch itself takes: 77 MB to import and 106 MB to export 1.0 GB whose largest tensor
has 52 MB; 0.86 GB both ways for 1.9 GB with a padded embedding of 410 MB.
"""

import io
import json
import math
import os
import pickle
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor
from torch.distributed.checkpoint import FileSystemReader
from torch.distributed.checkpoint.default_planner import DefaultLoadPlanner
from torch.distributed.checkpoint.filesystem import _StorageInfo
from torch.distributed.checkpoint.metadata import (
    BytesStorageMetadata,
    ChunkStorageMetadata,
    Metadata,
    MetadataIndex,
    TensorProperties,
    TensorStorageMetadata,
)
from torch.distributed.checkpoint.planner import LoadPlan, ReadItem
from torch.distributed.checkpoint.planner_helpers import create_read_items_for_chunk_list

from megatron_crossic.checkpoint.sound import check_record
from megatron_crossic.checkpoint.untrusted import METADATA, read_index
from megatron_crossic.errors import CheckpointError

FORMAT = {
    "sharded_backend": "torch_dist",
    "sharded_backend_version": 1,
    "common_backend": "torch",
    "common_backend_version": 1,
}
"""Content of `metadata.json` as megatron-core 0.16 writes it."""
MAX_FILE_BYTES = 4 * 2**30
"""A new `.distcp` file is begun after this many bytes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """A piece of a tensor, made when it is written."""

    key: str
    global_shape: tuple[int, ...]
    """Shape of the whole tensor, layers included."""
    offsets: tuple[int, ...]
    """Where the piece begins in it."""
    dtype: torch.dtype
    """Of the whole tensor."""
    load: Callable[[], Tensor]
    """Makes the piece; its shape has as many dimensions as `global_shape`."""


class TensorWriter:
    """Writes a distributed checkpoint into an empty folder; `close` completes it."""

    def __init__(self, folder: Path, *, max_file_bytes: int = MAX_FILE_BYTES) -> None:
        self._folder = folder
        self._max_file_bytes = max_file_bytes
        self._num_files = 0
        self._file: BinaryIO | None = None
        self._index = Metadata(state_dict_metadata={}, storage_data={})

    def write(self, chunk: Chunk) -> None:
        """Make the chunk and append it."""
        tensor = chunk.load()
        entry = self._index.state_dict_metadata.setdefault(
            chunk.key,
            TensorStorageMetadata(
                properties=TensorProperties(dtype=chunk.dtype),
                size=torch.Size(chunk.global_shape),
                chunks=[],
            ),
        )
        assert isinstance(entry, TensorStorageMetadata), f"{chunk.key} is an object and a tensor"
        place = torch.Size(chunk.offsets)
        position = MetadataIndex(chunk.key, place, len(entry.chunks))
        entry.chunks.append(ChunkStorageMetadata(offsets=place, sizes=tensor.shape))
        self._append(position, tensor)

    def write_empty_object(self, key: str) -> None:
        """Add an object without content, such as the extra state of a layer that has none."""
        content = io.BytesIO()
        torch.save([None], content)
        self._index.state_dict_metadata[key] = BytesStorageMetadata()
        self._append(MetadataIndex(key), content)

    def _append(self, position: MetadataIndex, record: Tensor | io.BytesIO) -> None:
        file = self._file_with_room()
        start = file.tell()
        if isinstance(record, Tensor):
            if record.untyped_storage().nbytes() != record.nbytes or not record.is_contiguous():
                record = record.clone(memory_format=torch.contiguous_format)  # not all of its base
            _save(record, file)
        else:
            file.write(record.getbuffer())
        self._index.storage_data[position] = _StorageInfo(
            relative_path=Path(file.name).name, offset=start, length=file.tell() - start
        )

    def _file_with_room(self) -> BinaryIO:
        if self._file is not None and self._file.tell() >= self._max_file_bytes:
            self._end_file()
        if self._file is None:
            self._file = (self._folder / f"__0_{self._num_files}.distcp").open("wb")
            self._num_files += 1
        return self._file

    def _end_file(self) -> None:
        if self._file is not None:
            with closing(self._file) as file:
                file.flush()
                os.fsync(file.fileno())
            self._file = None

    def close(self) -> None:
        """Write the index and what megatron-core puts beside it."""
        self._end_file()
        torch.save({}, self._folder / "common.pt")
        with (self._folder / METADATA).open("wb") as file:
            pickle.dump(self._index, file)
        (self._folder / "metadata.json").write_text(json.dumps(FORMAT), encoding="utf-8")


def _save(tensor: Tensor, file: BinaryIO) -> None:
    """`torch.save`, whose archive writer hides the disk's error behind a `RuntimeError`."""
    try:
        torch.save(tensor, file)
    except RuntimeError as error:
        cause = error.__context__
        raise cause if isinstance(cause, OSError) else OSError(str(error)) from error


def write_checkpoint(folder: Path, chunks: Iterable[Chunk], empty_objects: Iterable[str]) -> None:
    """Write a whole checkpoint, one chunk in memory at a time."""
    writer = TensorWriter(folder)
    for key in empty_objects:
        writer.write_empty_object(key)
    for chunk in chunks:
        writer.write(chunk)
    writer.close()


class TensorReader:
    """Reads single tensors of a distributed checkpoint, however many ranks wrote it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._storage = FileSystemReader(folder)
        self._index = read_index(folder)
        self._storage.set_up_storage_reader(self._index, is_coordinator=True)

    def dtype(self, key: str) -> torch.dtype:
        """Number format of a tensor; `CheckpointError` where there is none of that name."""
        return self._entry(key).properties.dtype

    def read(self, key: str, *, shape: Sequence[int], layer: int | None = None) -> Tensor:
        """Read the leading `shape` of a tensor, or of one layer of a stacked one.

        Rows beyond `shape` (a padded vocabulary) are left in the file.
        """
        entry = self._entry(key)
        first = () if layer is None else (layer,)
        wanted = ChunkStorageMetadata(
            offsets=torch.Size([*first, *(0 for _ in shape)]),
            sizes=torch.Size([*(1 for _ in first), *shape]),
        )
        inside = len(entry.size) == len(wanted.sizes) and all(
            start + length <= size
            for start, length, size in zip(wanted.offsets, wanted.sizes, entry.size, strict=True)
        )
        if not inside:
            raise CheckpointError(
                f"tensor {key} must hold {list(shape)}"
                f"{'' if layer is None else f' at layer {layer}'}, got {list(entry.size)} in "
                f"{self._folder}. The checkpoint is of another model."
            )
        target = torch.empty(wanted.sizes, dtype=entry.properties.dtype)
        items = create_read_items_for_chunk_list(key, entry, [wanted])
        if sum(math.prod(item.lengths) for item in items) != target.numel():
            raise CheckpointError(
                f"tensor {key} must be whole, got chunks that leave gaps in {self._folder}. "
                "The checkpoint is incomplete: choose another one."
            )
        self._fill(target, items)
        return target if layer is None else target[0]

    def _entry(self, key: str) -> TensorStorageMetadata:
        entry = self._index.state_dict_metadata.get(key)
        if not isinstance(entry, TensorStorageMetadata):
            raise CheckpointError(
                f"tensor {key} must be in the checkpoint, got none in {self._folder}. "
                "The checkpoint is of another model."
            )
        return entry

    def _fill(self, target: Tensor, items: list[ReadItem]) -> None:
        for item in items:
            check_record(self._folder, self._index.storage_data[item.storage_index])
        try:
            self._storage.read_data(LoadPlan(items), _IntoTensor(target))
        except (OSError, EOFError, RuntimeError, KeyError, pickle.UnpicklingError) as error:
            raise CheckpointError(
                f"checkpoint files must be complete, got {self._folder}: {error}. "
                "One is missing or truncated: choose another checkpoint."
            ) from error


class _IntoTensor(DefaultLoadPlanner):
    """Sends everything that is read to its place in one tensor."""

    def __init__(self, target: Tensor) -> None:
        super().__init__()
        self._target = target

    def lookup_tensor(self, index: MetadataIndex) -> Tensor:  # noqa: ARG002
        return self._target
