"""Files that exist whole or not at all, and the fingerprints that tell two of them apart."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from megatron_crossic.errors import ConfigError, DataError

PARTIAL_SUFFIX = ".partial"


@dataclass(frozen=True, kw_only=True, slots=True)
class FileFingerprint:
    """What a file was when it was read or written."""

    name: str
    """File name without its folder, so that a data set can be moved."""
    num_bytes: int
    sha256: str
    """Hexadecimal digest of the content."""


class HashingWriter:
    """A binary file that counts and hashes what passes through it, in the order written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.num_bytes = 0

    def resume(self, num_bytes: int) -> None:
        """Read the first bytes of the file again, cut off the rest and go on behind them."""
        self._file.seek(0)
        while self.num_bytes < num_bytes:
            block = self._file.read(min(1 << 20, num_bytes - self.num_bytes))
            if not block:
                break
            self._hash.update(block)
            self.num_bytes += len(block)
        self._file.truncate(self.num_bytes)
        self._file.seek(self.num_bytes)

    def write(self, block: bytes | memoryview) -> None:
        self._file.write(block)
        self._hash.update(block)
        self.num_bytes += len(block) if isinstance(block, bytes) else block.nbytes

    def flush(self) -> None:
        self._file.flush()

    def sync(self) -> None:
        """Have everything on disk now, so that a full disk shows before it can do harm."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def fingerprint(self, name: str) -> FileFingerprint:
        return FileFingerprint(name=name, num_bytes=self.num_bytes, sha256=self._hash.hexdigest())


def fingerprint_file(path: Path) -> FileFingerprint:
    """Read `path` once and describe it; raises `DataError` where it cannot be read."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise unreadable(path, error) from error
    return FileFingerprint(name=path.name, num_bytes=path.stat().st_size, sha256=digest)


def unreadable(path: Path, error: OSError) -> DataError:
    """The error for an input file that the system will not let us read."""
    return DataError(
        f"input file must be readable, got {path}: {error.strerror or error}. "
        "Check the path and its permissions."
    )


def unwritable(path: Path, error: OSError) -> DataError:
    """The error for an output the system will not let us write (a full disk, most often)."""
    return DataError(
        f"output must be writable, got {path}: {error.strerror or error}. "
        "Free some space or choose another output path, then run the same command again."
    )


def beside(path: Path, suffix: str) -> Path:
    """`data/x` and `.bin` -> `data/x.bin`; `ConfigError` for a path that ends in no name."""
    if path.name in ("", ".."):
        raise ConfigError(
            f"path must end in a file name, got {path}. Name a file, for example {path / 'en-es'}."
        )
    return path.with_name(path.name + suffix)


def refuse_existing(*paths: Path, overwrite: bool = False) -> None:
    """Raise `ConfigError` for the first path that exists, unless `overwrite`."""
    for path in paths:
        try:
            exists = path.exists()
        except OSError as error:  # a name that is too long, a folder that may not be searched
            raise unwritable(path, error) from error
        if exists and not overwrite:
            raise ConfigError(
                f"output path must not exist, got {path}. "
                "Remove it, choose another output or pass --overwrite."
            )


def refuse_inputs(outputs: Iterable[Path], *, inputs: Iterable[Path]) -> None:
    """Raise `ConfigError` where an output would replace an input; `--overwrite` is no excuse."""
    resolved = {path.resolve() for path in inputs}
    for path in outputs:
        if path.resolve() in resolved:
            raise ConfigError(
                f"output must not replace an input, got {path} for both. Choose another output."
            )


@contextmanager
def atomic_output(path: Path) -> Iterator[BinaryIO]:
    """Open `path` for writing under a partial name; it gets its own name only when all is on disk.

    An exception removes the partial file. A full disk or a folder without permission ends in
    `DataError`.
    """
    partial = path.with_name(path.name + PARTIAL_SUFFIX)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        remove_quietly(partial)
        raise unwritable(path, error) from error
    except BaseException:
        remove_quietly(partial)
        raise


def remove_quietly(*paths: Path) -> None:
    """Clean up after an error, which says more than what may go wrong here."""
    for path in paths:
        with suppress(OSError):
            path.unlink()


def write_text_atomically(path: Path, text: str) -> None:
    """Write a small text file so that a reader sees the old content or the new, never a part."""
    with atomic_output(path) as file:
        file.write(text.encode("utf-8"))


def sync_folder(folder: Path) -> None:
    """Make renames inside `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
