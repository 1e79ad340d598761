"""Input files as blocks of records that any process can read, grouped into segments.

Everything is decided by fixed positions in the input, never by who reads it:

    block    the records that start in bytes [k * B, (k + 1) * B) of a file's unpacked content, B of
             4 MiB; of a Parquet file, one row group. What a worker gets at once.
    segment  consecutive blocks of about S bytes, S of 64 MiB. No window crosses its border, so a
             segment makes the same windows in a run alone, in a shard and after being killed.

A plain file is read in parts, wherever they lie; a packed one (.gz, .bz2, .zst) is unpacked from
its beginning by every shard (zstd does 1 GB/s, gzip a third of it). Small files share a segment.
"""

import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from megatron_crossic.data import parquet
from megatron_crossic.data.unpack import is_packed, read_blocks
from megatron_crossic.errors import ConfigError
from megatron_crossic.files import unreadable

BLOCK_BYTES = 4 << 20
SEGMENT_BYTES = 64 << 20

UNPACKED_GROWTH = 4
"""Text grows about this much when it is unpacked: decides only whether a file counts as small."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """Some consecutive records of one input file."""

    path: Path
    start: int
    """First byte of the unpacked content (JSON lines) or row group (Parquet)."""
    stop: int
    """End of the range in which its records start."""
    offset: int
    """Bytes of the file's unpacked content before the block."""
    end: int
    """Bytes of the file's unpacked content up to the end of the block."""
    disk_bytes: int
    """Bytes of the file it stands for, packed as it is; for progress."""
    content: bytes | None = None
    """The lines themselves where the file is packed; None where a worker can read them."""


def expand_inputs(patterns: Sequence[str | Path]) -> tuple[Path, ...]:
    """Files by name or glob; the matches of a glob in sorted order.

    Raises `ConfigError` for a glob without a match and for a file named twice.
    """
    files: list[Path] = []
    for pattern in map(str, patterns):
        found = [pattern] if Path(pattern).exists() else sorted(glob.glob(pattern, recursive=True))
        if not found and glob.has_magic(pattern):
            raise ConfigError(
                f"input pattern must match a file, got none for {pattern!r}. Check the folder."
            )
        files += map(Path, found or [pattern])
    seen: set[Path] = set()
    for path in files:
        if path.resolve() in seen:  # by whatever name it was given before
            raise ConfigError(
                f"each input must be given once, got {path} twice. Remove one of them."
            )
        seen.add(path.resolve())
    return tuple(files)


def read_segments(
    files: Sequence[Path], *, block_bytes: int = BLOCK_BYTES, segment_bytes: int = SEGMENT_BYTES
) -> Iterator[tuple[int, Block]]:
    """Yield (ordinal of the segment, block) in order; an ordinal can be without a block."""
    segment = begun = before = 0  # the segment's ordinal and first byte, bytes of earlier files
    for path in files:
        if before > begun and before + _estimated_bytes(path) > begun + segment_bytes:
            segment, begun = segment + 1, before
        end = 0
        for block in file_blocks(path, block_bytes=block_bytes):
            crossed = (before + block.offset - begun) // segment_bytes
            segment, begun = segment + crossed, begun + crossed * segment_bytes
            end = block.end
            yield segment, block
        before += end


def file_blocks(path: Path, *, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
    """The blocks of one file."""
    if parquet.is_parquet(path):
        end = 0
        for group, num_bytes in enumerate(parquet.row_group_bytes(path)):
            offset, end = end, end + num_bytes
            yield Block(
                path=path,
                start=group,
                stop=group + 1,
                offset=offset,
                end=end,
                disk_bytes=num_bytes,
            )
    elif is_packed(path):
        yield from _packed_blocks(path, block_bytes)
    else:
        size = file_size(path)
        for start in range(0, size, block_bytes):
            stop = min(start + block_bytes, size)
            yield Block(
                path=path,
                start=start,
                stop=stop,
                offset=start,
                end=stop,
                disk_bytes=stop - start,
            )


def input_bytes(path: Path) -> int:
    """What `Block.disk_bytes` add up to for one file."""
    return sum(parquet.row_group_bytes(path)) if parquet.is_parquet(path) else file_size(path)


def file_size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise unreadable(path, error) from error


def block_lines(block: Block) -> tuple[int, bytes]:
    """Position in the file and content of the whole lines that start in a block of JSON lines."""
    if block.content is not None:
        return block.end - len(block.content), block.content
    try:
        with block.path.open("rb") as file:
            if block.start:
                # Whether a line starts here is known from the byte before.
                file.seek(block.start - 1)
                file.readline()
            position = file.tell()
            lines = file.read(max(0, block.stop - position))
            if lines and not lines.endswith(b"\n"):
                lines += file.readline()
            return position, lines
    except OSError as error:
        raise unreadable(block.path, error) from error


def first_line_number(block: Block) -> int:
    """Number, from 1, of the first line that starts in a block: only errors want to know."""
    count = position = 0
    last = b"\n"
    for content in read_blocks(block.path):
        before = content[: max(0, block.start - position)]
        count += before.count(b"\n")
        last = before[-1:] or last
        position += len(content)
        if position >= block.start:
            break
    # A line that goes on into the block started before it.
    return count + 1 + (last != b"\n")


def _packed_blocks(path: Path, block_bytes: int) -> Iterator[Block]:
    """Cut the unpacked stream before the first line that starts at or after a multiple of B."""
    pending: list[bytes] = []
    consumed: list[int] = []
    start = position = 0  # of the block's range, of what comes next

    def block() -> Block:
        made = Block(
            path=path,
            start=start,
            stop=start + block_bytes,
            offset=start,
            end=position,
            disk_bytes=sum(consumed),
            content=b"".join(pending),
        )
        pending.clear()
        consumed.clear()
        return made

    for content in read_blocks(path, on_bytes=consumed.append):
        rest = content
        while position + len(rest) >= start + block_bytes:
            # The line before the border ends at the byte before it or later.
            end = rest.find(b"\n", max(0, start + block_bytes - 1 - position)) + 1
            if not end:
                break
            pending.append(rest[:end])
            rest, position = rest[end:], position + end
            yield block()
            start = position // block_bytes * block_bytes
        pending.append(rest)
        position += len(rest)
    if any(pending):
        yield block()


def _estimated_bytes(path: Path) -> int:
    if parquet.is_parquet(path):
        return sum(parquet.row_group_bytes(path))
    return file_size(path) * (UNPACKED_GROWTH if is_packed(path) else 1)
