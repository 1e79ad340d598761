"""Megatron's indexed data sets, written and read with numpy alone.

`PREFIX.bin` is nothing but tokens, window after window, each exactly seq_length of them.
`PREFIX.idx`, little-endian, for n windows that are each one sequence and one document:

    offset        bytes         what
    0             9             magic "MMIDIDX\\0\\0"
    9             8             version, u64, 1
    17            1             token type, u8: 4 = int32, 8 = uint16
    18            8             number of sequences, u64, n
    26            8             number of entries of the last table, u64, n + 1
    34            4 * n         tokens of each sequence, i32: seq_length, n times
    34 + 4 n      8 * n         byte at which each sequence starts in the .bin, i64
    34 + 12 n     8 * (n + 1)   sequence at which each document starts, i64: 0 … n

42 + 20 n bytes in all. Since every window has the same length, the number of windows and the
length decide the whole file.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.errors import DataError
from megatron_crossic.files import unreadable

_HEADER = np.dtype(
    [
        ("magic", "V9"),
        ("version", "<u8"),
        ("dtype", "u1"),
        ("sequences", "<u8"),
        ("documents", "<u8"),
    ]
)
_MAGIC = b"MMIDIDX\x00\x00"
_CODES: dict[np.dtype[Any], int] = {np.dtype(np.int32): 4, np.dtype(np.uint16): 8}
_BLOCK = 1 << 20

UINT16_VOCAB_SIZE = 65500
"""Below this Megatron stores two bytes a token (`DType.optimal_dtype` of megatron-core 0.16.1)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexSummary:
    """What an .idx file of equal windows says."""

    num_windows: int
    seq_length: int
    dtype: np.dtype[Any]


def token_dtype(vocab_size: int) -> np.dtype[Any]:
    """The type Megatron would choose for this vocabulary."""
    return np.dtype(np.uint16 if vocab_size < UINT16_VOCAB_SIZE else np.int32)


def index_blocks(summary: IndexSummary) -> Iterator[bytes]:
    """The content of the .idx file, block by block."""
    header = np.array(
        (_MAGIC, 1, _CODES[summary.dtype], summary.num_windows, summary.num_windows + 1),
        dtype=_HEADER,
    )
    yield header.tobytes()
    for first, last in _blocks(summary.num_windows):
        yield np.full(last - first, summary.seq_length, dtype="<i4").tobytes()
    bytes_per_window = summary.seq_length * summary.dtype.itemsize
    for first, last in _blocks(summary.num_windows):
        yield (np.arange(first, last, dtype="<i8") * bytes_per_window).tobytes()
    for first, last in _blocks(summary.num_windows + 1):
        yield np.arange(first, last, dtype="<i8").tobytes()


def read_index(path: Path) -> IndexSummary:
    """Read an .idx file of equal windows; raises `DataError` where it is anything else."""
    try:
        content = np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise unreadable(path, error) from error
    if len(content) < _HEADER.itemsize:
        raise _not_ours(path, f"{len(content)} bytes")
    header = content[: _HEADER.itemsize].view(_HEADER)[0]
    types = {code: dtype for dtype, code in _CODES.items()}
    n = int(header["sequences"])
    if bytes(header["magic"]) != _MAGIC or int(header["dtype"]) not in types:
        raise _not_ours(path, "another file type")
    if len(content) != _HEADER.itemsize + 20 * n + 8 or n == 0:
        raise _not_ours(path, f"{len(content)} bytes for {n} windows")
    lengths = content[_HEADER.itemsize : _HEADER.itemsize + 4 * n].view("<i4")
    if (lengths != lengths[0]).any():
        raise _not_ours(path, f"windows of {lengths.min()} to {lengths.max()} tokens")
    return IndexSummary(
        num_windows=n, seq_length=int(lengths[0]), dtype=types[int(header["dtype"])]
    )


def map_tokens(path: Path, summary: IndexSummary) -> NDArray[np.integer[Any]]:
    """The .bin file as a read-only array."""  # [num_windows, seq_length]
    try:
        flat = np.memmap(path, dtype=summary.dtype, mode="r")
    except OSError as error:
        raise unreadable(path, error) from error
    except ValueError as error:
        raise _bin_size(path, summary) from error
    if flat.size != summary.num_windows * summary.seq_length:
        raise _bin_size(path, summary)
    return flat.reshape(summary.num_windows, summary.seq_length)


def _blocks(total: int) -> Iterator[tuple[int, int]]:
    return ((first, min(first + _BLOCK, total)) for first in range(0, total, _BLOCK))


def _not_ours(path: Path, found: str) -> DataError:
    return DataError(
        f"index file must describe windows of one length, got {found} at {path}. "
        "It was truncated, replaced or made by another tool: run tools/preprocess_data.py again."
    )


def _bin_size(path: Path, summary: IndexSummary) -> DataError:
    expected = summary.num_windows * summary.seq_length * summary.dtype.itemsize
    return DataError(
        f"token file must have {expected} bytes as its index says, got {path.stat().st_size} at "
        f"{path}. It was truncated or its .idx is from another run: make the data set again."
    )
