"""The folder of encoded segments: for each its vectors, where the texts are, and an account.

passages-00012.npy          vectors, float16 [n, d]
passages-00012.places.npy   where each text is, so that it can be read again
passages-00012.json         the account; the segment is done when it is there
queries-00003.title.npy     of the documents looked for, vectors of each view
queries-00003.places.npy
queries-00003.json
encoded.json                all segments are there
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import orjson
from numpy.typing import NDArray

from megatron_crossic.data.retrieval.index.vectors import VectorShards, write_vectors
from megatron_crossic.errors import DataError
from megatron_crossic.files import (
    FileFingerprint,
    HashingWriter,
    atomic_output,
    write_text_atomically,
)

Role = Literal["passages", "queries"]

PLACE = np.dtype(
    [("file", "<u4"), ("block", "<u8"), ("record", "<u8"), ("start", "<u4"), ("stop", "<u4")]
)
"""Number of the input file, first byte or row group of the block, byte at which the line ends or
row, and the characters of the text that the passage is, 0 and 0 for documents looked for: 28
bytes."""

Places = NDArray[np.void]


@dataclass(frozen=True, kw_only=True, slots=True)
class SegmentAccount:
    """What came of a segment."""

    num_records: int
    num_rows: int
    num_characters: int
    """Of the texts that were encoded."""
    drops: Mapping[str, int]
    file_bytes: Mapping[str, int]
    """Size of each file, by name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VectorsFolder:
    """Reads and adds to it."""

    path: Path

    def write(
        self,
        role: Role,
        number: int,
        *,
        vectors: Mapping[str, NDArray[np.floating]],
        places: Places,
        account: Mapping[str, Any],
    ) -> None:
        """Write a segment; `vectors` by view, "" for passages. The account comes last."""
        written = [
            write_vectors(self.vectors_path(role, number, view), array)
            for view, array in vectors.items()
        ]
        written.append(_write_places(self.places_path(role, number), places))
        record = {
            **account,
            "num_rows": len(places),
            "file_bytes": {file.name: file.num_bytes for file in written},
        }
        write_text_atomically(self._account_path(role, number), orjson.dumps(record).decode())

    def account(self, role: Role, number: int) -> SegmentAccount | None:
        """What came of a segment; None where it is not done."""
        try:
            account = SegmentAccount(**orjson.loads(self._account_path(role, number).read_bytes()))
            sizes = account.file_bytes.items()
            is_whole = all((self.path / name).stat().st_size == size for name, size in sizes)
        except (OSError, ValueError, TypeError, AttributeError):
            return None
        return account if is_whole else None

    def shards(self, role: Role, view: str = "", *, dimension: int | None = None) -> VectorShards:
        """The vectors of all segments."""
        numbers = range(self.num_segments()[role])
        paths = [self.vectors_path(role, number, view) for number in numbers]
        return VectorShards(paths, dimension=dimension)

    def places(self, role: Role) -> list[Places]:
        """Where the texts of each segment are, memory-mapped."""
        paths = [self.places_path(role, n) for n in range(self.num_segments()[role])]
        return [_read_places(path) for path in paths]

    def accounts(self, role: Role) -> list[SegmentAccount]:
        """Of all segments, in order."""
        found = [self.account(role, number) for number in range(self.num_segments()[role])]
        if None in found:
            raise DataError(
                f"vectors must be as they were written, got {role} segment {found.index(None)} "
                f"damaged or missing in {self.path}. Run the step encode again."
            )
        return [account for account in found if account is not None]

    def num_segments(self) -> dict[Role, int]:
        """How many there are, by role; `DataError` where they are not all done."""
        try:
            return {**orjson.loads((self.path / "encoded.json").read_bytes())}
        except (OSError, ValueError) as error:
            raise DataError(
                f"texts must be encoded before they are searched, got {self.path} unfinished. "
                "Run the step encode, without --shard at the end."
            ) from error

    def finish(self, num_segments: Mapping[Role, int]) -> None:
        """All segments are there."""
        write_text_atomically(self.path / "encoded.json", orjson.dumps(num_segments).decode())

    def vectors_path(self, role: Role, number: int, view: str = "") -> Path:
        return self.path / f"{role}-{number:05d}{'.' if view else ''}{view}.npy"

    def places_path(self, role: Role, number: int) -> Path:
        return self.path / f"{role}-{number:05d}.places.npy"

    def _account_path(self, role: Role, number: int) -> Path:
        return self.path / f"{role}-{number:05d}.json"


def to_places(rows: Sequence[tuple[int, int, int, int, int]]) -> Places:
    """Rows of (file, block, record, start, stop) as an array."""
    return np.array(rows, dtype=PLACE)


def _read_places(path: Path) -> Places:
    try:
        places = np.load(path, mmap_mode="r", allow_pickle=False)
        if places.dtype != PLACE:
            raise ValueError(f"of type {places.dtype}")
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            f"places of texts must be as they were written, got {path}: {error}. "
            "Run the step encode again."
        ) from error
    return np.asarray(places)


def _write_places(path: Path, places: Places) -> FileFingerprint:
    with atomic_output(path) as file:
        writer = HashingWriter(file)
        np.lib.format.write_array(writer, places, allow_pickle=False)
        return writer.fingerprint(path.name)
