"""Finds the newest checkpoint whose bytes are all there, and tells whether they are the same ones.

Sizes are compared before a run starts. The check sums of all records take reading every byte, so
the ranks share that when they load: 98 GB of a 7B model and its optimizer are 12 GB for each of 8.
"""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from torch.distributed.checkpoint.filesystem import _StorageInfo

from megatron_crossic.checkpoint.folder import INFO_FILE, candidates, check_small_files
from megatron_crossic.checkpoint.untrusted import read_index
from megatron_crossic.errors import CheckpointError


@dataclass(frozen=True, kw_only=True, slots=True)
class SoundCheckpoint:
    """A checkpoint that can be loaded."""

    folder: Path
    passed_over: tuple[str, ...] = ()
    """Why newer ones were not chosen."""


def find_sound(
    path: Path, *, damaged: Mapping[Path, str] = MappingProxyType({})
) -> SoundCheckpoint | None:
    """The checkpoint `path` is, or the newest sound one under it; None where there is none at all.

    Under a root that is the one `latest` names, or the last complete one where that is damaged.
    `damaged` folders are passed over for the reason given; what is wrong with a tensor shows only
    when it is read. `CheckpointError` where there are checkpoints and none is sound.
    """
    if (path / INFO_FILE).is_file():
        check_sound(path)
        return SoundCheckpoint(folder=path)
    passed_over = []
    for folder in candidates(path):
        try:
            if folder in damaged:
                raise CheckpointError(damaged[folder])
            check_sound(folder)
        except CheckpointError as error:
            passed_over.append(f"passed over {folder}: {error}")
        else:
            return SoundCheckpoint(folder=folder, passed_over=tuple(passed_over))
    if passed_over:
        raise CheckpointError(
            f"checkpoints must include a complete one, got none in {path}. "
            f"Choose another folder. {' '.join(passed_over)}"
        )
    return None


def check_sound(folder: Path) -> None:
    """Refuse a checkpoint that lacks a file or bytes its index names, or whose index is damaged."""
    needed = {INFO_FILE: 1, "common.pt": 1, "metadata.json": 1}
    for place in read_index(folder).storage_data.values():
        end = place.offset + place.length
        needed[place.relative_path] = max(needed.get(place.relative_path, 0), end)
    for name, num_bytes in needed.items():
        path = folder / name
        found = path.stat().st_size if path.is_file() else 0
        if found < num_bytes:
            raise CheckpointError(
                f"checkpoint file must have {num_bytes} bytes or more, got {found} at {path}. "
                "The checkpoint is incomplete: choose another one."
            )
    check_small_files(folder)


def check_content(folder: Path, *, kinds: tuple[str, ...], rank: int, world_size: int) -> None:
    """Compare this rank's share of the records whose names start so with their check sums."""
    places = [
        place
        for position, place in read_index(folder).storage_data.items()
        if position.fqn.startswith(kinds)
    ]
    for place in places[rank::world_size]:
        check_record(folder, place)


def check_record(folder: Path, place: _StorageInfo) -> None:
    """Refuse a record whose bytes are not those written; PyTorch writes check sums, never reads."""
    path = folder / place.relative_path
    try:
        with (
            path.open("rb") as file,
            zipfile.ZipFile(_Part(file, first=place.offset, length=place.length)) as record,
        ):
            damaged = record.testzip()
    except (OSError, ValueError, EOFError, NotImplementedError, zipfile.BadZipFile) as error:
        damaged = str(error)
    if damaged is not None:
        raise CheckpointError(
            f"checkpoint file must hold the bytes that were written, got others in {path} after "
            f"byte {place.offset} ({damaged}). It is damaged: choose another checkpoint, or delete "
            "this one and its run goes on from the one before."
        )


class _Part(io.RawIOBase):
    """The bytes of one record as a file of its own, so that none is copied to memory as a whole."""

    def __init__(self, file: BinaryIO, *, first: int, length: int) -> None:
        self._file = file
        self._first = first
        self._length = length
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._length}[whence]
        if start + offset < 0:
            raise ValueError(f"seek before the start: {start + offset}")
        self._position = start + offset
        return self._position

    def read(self, size: int = -1) -> bytes:
        left = max(self._length - self._position, 0)
        self._file.seek(self._first + self._position)
        content = self._file.read(left if size < 0 else min(size, left))
        self._position += len(content)
        return content
