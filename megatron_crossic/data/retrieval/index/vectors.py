"""Vectors on disk: `.npy` files of float16 rows, memory-mapped, numbered through over all files.

Half precision keeps 11 bits of each number, so an inner product of unit vectors is off by less than
0.001 and by 0.00002 as a rule, at half the disk and half the reading. A million vectors of 256
numbers take 512 MB.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from megatron_crossic.errors import DataError
from megatron_crossic.files import FileFingerprint, HashingWriter, atomic_output, unreadable

Vectors = NDArray[np.float32]
Numbers = NDArray[np.int64]

BLOCK_ROWS = 65_536
LENGTH_TOLERANCE = 0.01
"""Rounding to float16 changes a length by 0.0005 at most."""
SAMPLED_ROWS = 8
"""Rows of a shard that tell it from another; a shard of other texts differs in all of them."""
MOST_OPEN = 256
"""Files mapped at a time, each of which takes a file descriptor: systems give 1,024 as a rule, and
a corpus of some hundred gigabytes has thousands of shards."""
_WRITTEN_BYTES = 1 << 24


@dataclass(frozen=True, kw_only=True, slots=True)
class ShardIdentity:
    """What a shard was when an index was built from it."""

    name: str
    """File name without its folder."""
    num_rows: int
    num_bytes: int
    sample_sha256: str
    """Digest of `SAMPLED_ROWS` of its rows: cheap to compare where a full digest reads 1 TB."""


class VectorShards:
    """Rows of all files one after the other; nothing is read before it is asked for."""

    def __init__(self, paths: Sequence[Path], *, dimension: int | None = None) -> None:
        self.paths = tuple(paths)
        shapes = [_open(path).shape for path in paths]
        self.dimension = _common_dimension(self.paths, shapes, dimension)
        counts = [num_rows for num_rows, _ in shapes]
        self._starts = np.concatenate(([0], np.cumsum(counts, dtype=np.int64))).astype(np.int64)
        files = self.paths  # not `self`: a cache that holds its owner is freed late
        self._array = lru_cache(MOST_OPEN)(lambda shard: _open(files[shard]))

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def num_bytes(self) -> int:
        """Bytes of all vectors, headers not counted."""
        return 2 * self.dimension * len(self)

    def rows(self, numbers: Numbers) -> Vectors:
        """Any rows in any order, repeated or not: float32 [n, d]; read in the order on disk."""
        inside = not len(numbers) or 0 <= numbers.min() <= numbers.max() < len(self)
        assert inside, f"numbers must be below {len(self)}"
        found = np.empty((len(numbers), self.dimension), dtype=np.float32)
        order = np.argsort(numbers, kind="stable")
        ordered = numbers[order]
        borders = np.searchsorted(ordered, self._starts)
        for shard in np.flatnonzero(np.diff(borders)).tolist():
            places = slice(borders[shard], borders[shard + 1])
            found[order[places]] = self._array(shard)[ordered[places] - self._starts[shard]]
        return found

    def blocks(
        self, rows: int = BLOCK_ROWS, start: int = 0, stop: int | None = None
    ) -> Iterator[tuple[int, Vectors]]:
        """Number of the first row and float32 [m, d], in order.

        All blocks but the last have `rows` rows, whatever files they come from: so the same vectors
        in other files give the same blocks.
        """
        end = len(self) if stop is None else min(stop, len(self))
        for first in range(start, end, rows):
            yield first, self._range(first, min(first + rows, end))

    def _range(self, start: int, stop: int) -> Vectors:
        block = np.empty((stop - start, self.dimension), dtype=np.float32)
        first, last = np.searchsorted(self._starts, (start, stop), side="left")
        for shard in range(max(0, int(first) - 1), int(last)):
            base = int(self._starts[shard])
            low, high = max(start, base), min(stop, int(self._starts[shard + 1]))
            if low < high:
                block[low - start : high - start] = self._array(shard)[low - base : high - base]
        return block

    def sample(self, count: int, *, seed: int) -> Vectors:
        """`count` different rows in order, float32 [count, d]; all where there are no more."""
        return self.rows(sample_numbers(len(self), count, seed=seed))

    def identities(self) -> list[ShardIdentity]:
        """What the files are now, one by one."""
        return [_identity(path, _open(path)) for path in self.paths]


def sample_numbers(total: int, count: int, *, seed: int) -> Numbers:
    """One number of each of `count` equal ranges of 0 to `total`: spread, sorted, different.

    10 numbers, 4 wanted: one of 0-1, 2-4, 5-6 and 7-9.
    """
    count = min(count, total)
    borders = np.arange(count + 1, dtype=np.int64) * total // max(count, 1)
    generator = np.random.Generator(np.random.PCG64(seed))
    return generator.integers(borders[:-1], borders[1:], dtype=np.int64)


def check_vectors(array: NDArray[Any], *, where: str) -> None:
    """Refuse rows that are not finite or not of length 1; `where` names them in the error.

    A row of zeros may stand for a text without any known word: it is like nothing.
    """
    rows = array.astype(np.float32, copy=False)
    squares = np.einsum("nd,nd->n", rows, rows)
    if not np.isfinite(squares).all():
        bad = np.flatnonzero(~np.isfinite(squares))
        raise DataError(
            f"vectors must be finite numbers, got NaN or infinity in {len(bad)} of {len(rows)} "
            f"rows of {where}, first in row {bad[0]}. Encode these texts again."
        )
    lengths = np.sqrt(squares)
    bad = np.flatnonzero((np.abs(lengths - 1) > LENGTH_TOLERANCE) & (lengths > 0))
    if len(bad):
        raise DataError(
            f"vectors must have length 1, got {lengths[bad[0]]:.3f} in row {bad[0]} of {where}. "
            "Divide every vector by its length before it is written."
        )


def write_vectors(path: Path, array: NDArray[Any]) -> FileFingerprint:
    """Write rows of unit length [n, d] as float16, whole or not at all."""
    if array.ndim != 2:
        raise DataError(
            f"vectors must have shape [n, d], got {array.shape} for {path}. Stack them."
        )
    check_vectors(array, where=str(path))
    halves = np.ascontiguousarray(array, dtype=np.float16)
    with atomic_output(path) as file:
        writer = HashingWriter(file)
        npy_format.write_array_header_1_0(
            writer,
            npy_format.header_data_from_array_1_0(halves),
        )
        content = halves.reshape(-1).view(np.uint8)
        for start in range(0, len(content), _WRITTEN_BYTES):
            writer.write(content[start : start + _WRITTEN_BYTES].data)
        return writer.fingerprint(path.name)


def _open(path: Path) -> NDArray[np.float16]:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, EOFError) as error:
        raise DataError(
            f"vectors must be a whole .npy file, got {path}: {error}. Encode this shard again."
        ) from error
    if not isinstance(array, np.memmap) or array.dtype != np.float16 or array.ndim != 2:
        kind = f"{array.dtype}, shape {array.shape}" if hasattr(array, "dtype") else "an archive"
        raise DataError(
            f"vectors must be float16 of shape [n, d], got {kind} in {path}. "
            "Write them with write_vectors."
        )
    if not array.flags.c_contiguous or array.offset + array.nbytes != path.stat().st_size:
        raise DataError(
            f"vectors must be row by row and end with the file, got another order or size in "
            f"{path}. Write them with write_vectors."
        )
    return array


def _common_dimension(
    paths: Sequence[Path], shapes: Sequence[tuple[int, ...]], expected: int | None
) -> int:
    if expected is None and not shapes:
        raise DataError("vectors must be in at least one file, got none. Encode passages first.")
    dimension = shapes[0][1] if expected is None else expected
    for path, shape in zip(paths, shapes, strict=True):
        if shape[1] != dimension:
            raise DataError(
                f"vectors must all have dimension {dimension}, got {shape[1]} in {path}. "
                "Use vectors of one encoder."
            )
    return dimension


def _identity(path: Path, array: NDArray[np.float16]) -> ShardIdentity:
    sample = np.ascontiguousarray(array[sample_numbers(len(array), SAMPLED_ROWS, seed=0)])
    return ShardIdentity(
        name=path.name,
        num_rows=len(array),
        num_bytes=path.stat().st_size,
        sample_sha256=hashlib.sha256(sample.tobytes()).hexdigest(),
    )
