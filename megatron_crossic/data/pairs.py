"""Pair files: JSON lines of pair records, with a manifest beside them where we made them.

{"id": "enwiki:3354-eswiki:14540", "source": {"lang": "en", "title": "Berlin", "text": "…"},
 "target": {"lang": "es", "title": "Berlín", "text": "…"}, "origin": "langlink", "score": null}
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

from megatron_crossic.data.records import Pair, pair_from_json, pair_to_json
from megatron_crossic.errors import DataError
from megatron_crossic.files import FileFingerprint, HashingWriter, atomic_output
from megatron_crossic.jsonl import read_json_lines, to_json_line
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
    """Yield the pairs of a file in order.

    Raises `DataError`: at once where the file disagrees with the manifest beside it, and naming
    the line where a record is no pair.
    """
    if manifest_path(path).exists():
        _check_manifest(path)
    return _read_pairs(path)


def _check_manifest(path: Path) -> None:
    manifest = read_manifest(manifest_path(path), kind=KIND)
    recorded = manifest.files.get(KIND)
    if recorded is None or recorded.name != path.name:
        raise DataError(
            f"manifest must describe {path.name}, got one that describes "
            f"{recorded.name if recorded else 'no pair file'} in {manifest_path(path)}. "
            "Remove the manifest if you mean to use the pair file as it is."
        )
    check_file(path.parent, KIND, recorded)


def _read_pairs(path: Path) -> Iterator[Pair]:
    for number, record in read_json_lines(path):
        yield pair_from_json(record, where=f"{path}, line {number}")


def write_pairs(
    path: Path, pairs: Iterable[Pair], to_manifest: Callable[[FileFingerprint], Manifest]
) -> Manifest:
    """Write a pair file and its manifest, both or neither; `to_manifest` gives the account."""
    with ExitStack() as stack:
        with atomic_output(path) as file:
            writer = HashingWriter(file)
            for pair in pairs:
                writer.write(to_json_line(pair_to_json(pair)))
            writer.sync()
            manifest = to_manifest(writer.fingerprint(path.name))
            stack.enter_context(completing(manifest_path(path), path))
        write_manifest(manifest_path(path), manifest)
    return manifest
