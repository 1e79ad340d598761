"""Plain, gzip and bzip2 files as a stream of blocks, with errors that say what to do."""

import bz2
import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from megatron_crossic.errors import DataError
from megatron_crossic.files import unreadable

BLOCK_BYTES = 1 << 20

OnBytes = Callable[[int], None]
"""Called with the number of bytes of the file (compressed, if it is) that were just consumed."""

# First bytes of a file -> what it is packed with and we do not unpack.
UNSUPPORTED = {
    b"7z\xbc\xaf": "7z",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xfd7zXZ": "xz",
    b"PK\x03\x04": "zip",
}


def ignore_bytes(_num_bytes: int) -> None:
    """An `OnBytes` for callers without a progress display."""


def read_blocks(path: Path, *, on_bytes: OnBytes = ignore_bytes) -> Iterator[bytes]:
    """Yield the content of `path`, decompressed, in blocks of at most `BLOCK_BYTES`.

    The packing is told by the first bytes, not by the name. A file that is missing, packed
    otherwise, damaged or cut off raises `DataError`.
    """
    num_bytes_out = 0
    try:
        with path.open("rb") as raw:
            unpacked = _unpack(path, raw)
            consumed = 0
            while block := unpacked.read(BLOCK_BYTES):
                num_bytes_out += len(block)
                on_bytes(raw.tell() - consumed)
                consumed = raw.tell()
                yield block
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _damaged(path, error, num_bytes_out) from error
    except OSError as error:
        if error.errno is None:  # bz2 reports damage as an OSError without a number
            raise _damaged(path, error, num_bytes_out) from error
        raise unreadable(path, error) from error


def _unpack(path: Path, raw: BinaryIO) -> BinaryIO:
    magic = raw.read(6)
    raw.seek(0)
    if magic.startswith(b"BZh"):
        return bz2.BZ2File(raw)  # type: ignore[return-value]
    if magic.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=raw)  # type: ignore[return-value]
    for start, packing in UNSUPPORTED.items():
        if magic.startswith(start):
            raise DataError(
                f"input file must be plain, .gz or .bz2, got {packing} in {path}. Unpack it first."
            )
    return raw


def _damaged(path: Path, error: Exception, num_bytes_out: int) -> DataError:
    return DataError(
        f"compressed file must be whole, got {path}: {error} after {num_bytes_out} unpacked "
        "bytes. It was cut off or damaged: download it again."
    )
