"""Pair files: JSON lines (plain, .gz, .bz2, .zst) or Parquet rows of pair records.

Those made here have a manifest beside them.

{"id": "enwiki:3354-eswiki:14540", "source": {"lang": "en", "title": "Berlin", "text": "…"},
 "target": {"lang": "es", "title": "Berlín", "text": "…"}, "origin": "langlink", "score": null}
"""

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from megatron_crossic.data.inputs import Block, block_lines, file_blocks, first_line_number
from megatron_crossic.data.parquet import is_parquet, read_row_group
from megatron_crossic.data.records import Pair, document_from_json, pair_from_json, pair_to_json
from megatron_crossic.errors import DataError
from megatron_crossic.files import FileFingerprint, HashingWriter, atomic_output, fingerprint_file
from megatron_crossic.jsonl import parse_json_lines, to_json_line
from megatron_crossic.manifest import (
    Manifest,
    check_file,
    completing,
    manifest_path,
    read_manifest,
    write_manifest,
)

KIND = "pairs"


def read_pairs(path: Path) -> Iterator[Pair]:
    """Yield the pairs of a file in order, whatever its packing.

    Raises `DataError`: at once where the file disagrees with the manifest beside it, and naming
    the line where a record is no pair.
    """
    if manifest_path(path).exists():
        _check_manifest(path)
    return _read_pairs(path)


def fingerprint_pairs(path: Path) -> FileFingerprint:
    """Name, size and hash of a pair file: as its manifest says, else by reading all of it."""
    if manifest_path(path).exists():
        return _check_manifest(path)
    return fingerprint_file(path)


def pair_file_manifest(path: Path) -> Manifest | None:
    """What lies beside a pair file and agrees with it; None where there is nothing."""
    if not manifest_path(path).exists():
        return None
    _check_manifest(path)
    return read_manifest(manifest_path(path), kind=KIND)


def _check_manifest(path: Path) -> FileFingerprint:
    manifest = read_manifest(manifest_path(path), kind=KIND)
    recorded = manifest.files.get(KIND)
    if recorded is None or recorded.name != path.name:
        raise DataError(
            f"manifest must describe {path.name}, got one that describes "
            f"{recorded.name if recorded else 'no pair file'} in {manifest_path(path)}. "
            "Remove the manifest if you mean to use the pair file as it is."
        )
    check_file(path.parent, KIND, recorded)
    return recorded


def _read_pairs(path: Path) -> Iterator[Pair]:
    for block in file_blocks(path):
        yield from block_pairs(block)


def block_pairs(
    block: Block, *, of_documents: bool = False, language: str | None = None
) -> Iterator[Pair]:
    """Yield the pairs of one block; `of_documents` reads records of single documents instead.

    Raises `DataError` naming the line or row. Lines are counted only once an error wants to know.
    """
    for _, pair in placed_pairs(block, of_documents=of_documents, language=language):
        yield pair


def placed_pairs(
    block: Block, *, of_documents: bool = False, language: str | None = None
) -> Iterator[tuple[int, Pair]]:
    """The same with the row of each, or the byte at which its line ends."""
    try:
        yield from _parse(block, of_documents, language, first_line=1)
    except DataError:
        if is_parquet(block.path) or not block.start:
            raise
        for _ in _parse(block, of_documents, language, first_line=first_line_number(block)):
            pass
        raise


def _parse(
    block: Block, of_documents: bool, language: str | None, *, first_line: int
) -> Iterator[tuple[int, Pair]]:
    for name, place, record in block_records(block, first_line):
        where = f"{block.path}, {place}"
        if of_documents:
            if record.get("id") is None:
                record = {**record, "id": f"{block.path.name}:{name}"}
            yield name, document_from_json(record, language=language, where=where)
        else:
            yield name, pair_from_json(record, where=where)


def block_records(block: Block, first_line: int = 1) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Yield (row, or the byte at which the line ends; its name in messages; record)."""
    if is_parquet(block.path):
        for group in range(block.start, block.stop):
            for row, record in read_row_group(block.path, group):
                yield row, f"row {row}", record
        return
    position, content = block_lines(block)
    lines = io.BytesIO(content)
    for number, record in parse_json_lines(block.path, lines, first=first_line):
        yield position + lines.tell(), f"line {number}", record


def write_pairs(
    path: Path, pairs: Iterable[Pair], to_manifest: Callable[[FileFingerprint], Manifest]
) -> Manifest:
    """Write a pair file and its manifest, both or neither; `to_manifest` gives the account."""
    return write_pair_lines(path, (to_json_line(pair_to_json(pair)) for pair in pairs), to_manifest)


def write_pair_lines(
    path: Path, lines: Iterable[bytes], to_manifest: Callable[[FileFingerprint], Manifest]
) -> Manifest:
    """The same for pairs that are lines already, as `to_json_line` makes them."""
    with ExitStack() as stack:
        with atomic_output(path) as file:
            writer = HashingWriter(file)
            for line in lines:
                writer.write(line)
            writer.sync()
            manifest = to_manifest(writer.fingerprint(path.name))
            stack.enter_context(completing(manifest_path(path), path))
        write_manifest(manifest_path(path), manifest)
    return manifest
