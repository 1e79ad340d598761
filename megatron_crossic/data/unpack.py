"""Plain, gzip, bzip2 and zstd files as a stream of blocks, with errors that say what to do."""

import bz2
import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import zstandard

from megatron_crossic.errors import DataError
from megatron_crossic.files import unreadable

BLOCK_BYTES = 1 << 20

OnBytes = Callable[[int], None]
"""Called with the number of bytes of the file (compressed, if it is) that were just consumed."""

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZSTD_INPUT = 1 << 14
"""Compressed bytes unpacked at once: a block of zstd can swell to 30,000 times its size."""

# First bytes of a file -> what it is packed with and we do not unpack.
UNSUPPORTED = {
    b"7z\xbc\xaf": "7z",
    b"\xfd7zXZ": "xz",
    b"PK\x03\x04": "zip",
}


def ignore_bytes(_num_bytes: int) -> None:
    """An `OnBytes` for callers without a progress display."""


def is_packed(path: Path) -> bool:
    """Whether `read_blocks` would unpack the file: then no part of it can be read on its own."""
    try:
        with path.open("rb") as raw:
            magic = raw.read(6)
    except OSError as error:
        raise unreadable(path, error) from error
    return magic.startswith((b"BZh", b"\x1f\x8b", _ZSTD_MAGIC))


def read_blocks(path: Path, *, on_bytes: OnBytes = ignore_bytes) -> Iterator[bytes]:
    """Yield the content of `path`, decompressed, in blocks of at most `BLOCK_BYTES`.

    The packing is told by the first bytes, not by the name. A file that is missing, packed
    otherwise, damaged or cut off raises `DataError`.
    """
    num_bytes_out = 0
    try:
        with path.open("rb") as raw:
            consumed = 0
            for block in _unpacked(path, raw):
                num_bytes_out += len(block)
                on_bytes(raw.tell() - consumed)
                consumed = raw.tell()
                yield block
    except (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError) as error:
        raise _damaged(path, error, num_bytes_out) from error
    except OSError as error:
        if error.errno is None:  # bz2 reports damage as an OSError without a number
            raise _damaged(path, error, num_bytes_out) from error
        raise unreadable(path, error) from error


def _unpacked(path: Path, raw: BinaryIO) -> Iterator[bytes]:
    magic = raw.read(6)
    raw.seek(0)
    if magic.startswith(_ZSTD_MAGIC):
        yield from _zstd_blocks(raw)
        return
    stream: BinaryIO = raw
    if magic.startswith(b"BZh"):
        stream = bz2.BZ2File(raw)  # type: ignore[assignment]
    elif magic.startswith(b"\x1f\x8b"):
        stream = gzip.GzipFile(fileobj=raw)  # type: ignore[assignment]
    for start, packing in UNSUPPORTED.items():
        if magic.startswith(start):
            raise DataError(
                f"input file must be plain, .gz, .bz2 or .zst, got {packing} in {path}. "
                "Unpack it first."
            )
    yield from iter(lambda: stream.read(BLOCK_BYTES), b"")


def _zstd_blocks(raw: BinaryIO) -> Iterator[bytes]:
    """Frame after frame. The library's own stream reader takes a file cut off for a whole one."""
    frame: Any = None
    pending = b""
    while pending or (pending := raw.read(_ZSTD_INPUT)):
        frame = frame or zstandard.ZstdDecompressor().decompressobj()
        content = frame.decompress(pending)
        pending = frame.unused_data
        frame = None if frame.eof else frame
        for start in range(0, len(content), BLOCK_BYTES):
            yield content[start : start + BLOCK_BYTES]
    if frame is not None:
        raise EOFError("the last frame has no end")


def _damaged(path: Path, error: Exception, num_bytes_out: int) -> DataError:
    return DataError(
        f"compressed file must be whole, got {path}: {error} after {num_bytes_out} unpacked "
        "bytes. It was cut off or damaged: download it again."
    )
