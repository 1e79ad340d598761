"""The spans sidecar: which tokens of a window are whose.

`PREFIX.spans`, little-endian, written front to back and read memory-mapped:

    offset              bytes          what
    0                   8              magic "MCXSPANS"
    8                   4              format version, u32, 1
    12                  4              seq_length, u32
    16                  18 * spans     spans, window after window (SPAN_DTYPE, packed)
    16 + 18 * spans     8 * (w + 1)    i64 table: window i owns spans table[i] … table[i + 1] - 1
    size - 24           8              number of windows w, u64
    size - 16           8              number of spans, u64
    size - 8            8              magic again: a truncated file does not have it

One span, 18 bytes: start u32, length u32, chunk u32, pair u32, language u8, role u8. The counts
come last because they are known last. A window of 4,096 tokens with six chunks has some 20 spans:
360 bytes beside 16,384 of tokens.
"""

from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.errors import DataError
from megatron_crossic.files import HashingWriter, unreadable

SpanArray = NDArray[np.void]
"""Structured array with the fields of `SPAN_DTYPE`."""

SPAN_DTYPE = np.dtype(
    [
        ("start", "<u4"),
        ("length", "<u4"),
        ("chunk", "<u4"),
        ("pair", "<u4"),
        ("language", "u1"),
        ("role", "u1"),
    ]
)
NO_CHUNK = NO_PAIR = 0xFFFFFFFF
"""Chunk and pair of BOS and PAD."""
NO_LANGUAGE = 255
"""Language of BOS, SPLIT and PAD."""

_MAGIC = b"MCXSPANS"
_HEADER = np.dtype([("magic", "S8"), ("version", "<u4"), ("seq_length", "<u4")])
_FOOTER = np.dtype([("windows", "<u8"), ("spans", "<u8"), ("magic", "S8")])
_VERSION = 1
_BLOCK_SPANS = 1 << 16


class Role(IntEnum):
    """What a token is there for; loss masks are computed from this, never from token ids."""

    BOS = 0
    SOURCE = 1
    TARGET = 2
    SPLIT = 3
    PAD = 4


def write_span_header(output: HashingWriter, *, seq_length: int) -> None:
    output.write(np.array((_MAGIC, _VERSION, seq_length), dtype=_HEADER).tobytes())


def read_spans(path: Path) -> SpanArray:
    """The spans of a sidecar that has no table yet, memory-mapped."""
    size = path.stat().st_size - _HEADER.itemsize
    count = size // SPAN_DTYPE.itemsize
    if not count:
        return np.empty(0, dtype=SPAN_DTYPE)
    return np.memmap(path, dtype=SPAN_DTYPE, mode="r", offset=_HEADER.itemsize, shape=(count,))


def write_span_table(output: HashingWriter, path: Path, *, num_windows: int) -> None:
    """Write the table and the counts behind the spans that `path` holds so far.

    A window starts at each span that starts at 0, so the table is read off the file: a run that
    goes on where another was killed knows no more than that.
    """
    spans = read_spans(path)
    found = 0
    for first in range(0, len(spans), _BLOCK_SPANS):
        starts = np.flatnonzero(spans["start"][first : first + _BLOCK_SPANS] == 0) + first
        output.write(starts.astype("<i8").tobytes())
        found += len(starts)
    assert found == num_windows, f"{found} windows have spans, {num_windows} have tokens"
    output.write(np.array([len(spans)], dtype="<i8").tobytes())
    output.write(np.array((num_windows, len(spans), _MAGIC), dtype=_FOOTER).tobytes())


class SpanReader:
    """Memory-mapped view of a sidecar; `reader[i]` are the spans of window i."""

    def __init__(self, path: Path) -> None:
        try:
            content = np.memmap(path, dtype=np.uint8, mode="r")
        except OSError as error:
            raise unreadable(path, error) from error
        except ValueError as error:  # an empty file cannot be mapped
            raise _damaged(path, "0 bytes") from error
        footer = _record(content, _FOOTER, at=len(content) - _FOOTER.itemsize)
        header = _record(content, _HEADER, at=0)
        if header is None or footer is None or {header["magic"], footer["magic"]} != {_MAGIC}:
            raise _damaged(path, f"{len(content)} bytes without its marks")
        windows, spans = int(footer["windows"]), int(footer["spans"])
        table = _HEADER.itemsize + spans * SPAN_DTYPE.itemsize
        expected = table + 8 * (windows + 1) + _FOOTER.itemsize
        if (int(header["version"]), expected) != (_VERSION, len(content)):
            raise _damaged(path, f"version {header['version']}, {len(content)} bytes")
        self.seq_length = int(header["seq_length"])
        self._spans: SpanArray = content[_HEADER.itemsize : table].view(SPAN_DTYPE)
        self._offsets: NDArray[np.int64] = content[table : -_FOOTER.itemsize].view("<i8")

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, window: int) -> SpanArray:
        return self._spans[self._offsets[window] : self._offsets[window + 1]]

    def block(self, first: int, last: int) -> tuple[SpanArray, NDArray[np.int64]]:
        """All spans of windows `first` to `last - 1`, and how many each of them has."""
        offsets = self._offsets[first : last + 1]
        return self._spans[offsets[0] : offsets[-1]], np.diff(offsets)


def _record(content: NDArray[np.uint8], dtype: np.dtype[Any], *, at: int) -> Any:
    """One record of the file, None where the file is too short to hold it."""
    block = content[max(0, at) : at + dtype.itemsize]
    return block.view(dtype)[0] if len(block) == dtype.itemsize else None


def _damaged(path: Path, what: str) -> DataError:
    return DataError(
        f"spans file must be complete and of format {_VERSION}, got {what} at {path}. "
        "It was truncated or replaced: run tools/preprocess_data.py again."
    )
