"""Pair files in, one pair file without near-duplicates out: two passes, manifest and log.

The first pass reads every text and keeps its signature, the second decides pair by pair and writes.
So texts are never held, and only texts that share a band with another are ever compared.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

from megatron_crossic.data.deduplicate.options import DeduplicateOptions
from megatron_crossic.data.deduplicate.selection import Selection
from megatron_crossic.data.deduplicate.sketches import load_minhash
from megatron_crossic.data.deduplicate.texts import index_pairs
from megatron_crossic.data.inputs import file_blocks, input_bytes
from megatron_crossic.data.pairs import KIND, block_pairs, fingerprint_pairs, write_pairs
from megatron_crossic.data.records import Pair
from megatron_crossic.errors import DataError
from megatron_crossic.files import (
    FileFingerprint,
    atomic_output,
    fingerprint_file,
    refuse_existing,
    refuse_inputs,
)
from megatron_crossic.jsonl import to_json_line
from megatron_crossic.manifest import Manifest, is_incomplete, manifest_path

Progress = Callable[[int, int], None]
"""Called with the bytes read so far and all of them; both passes count."""


def deduplicate_pairs(
    options: DeduplicateOptions, *, on_progress: Progress = lambda _done, _total: None
) -> Manifest:
    """Write `options.output`, its manifest and the log, and return the manifest.

    An error leaves nothing behind, and an older output as it was.
    """
    account = manifest_path(options.output)
    outputs = [options.output, account, *([options.log] if options.log else [])]
    refuse_existing(*outputs, overwrite=options.overwrite or is_incomplete(account))
    refuse_inputs(outputs, inputs=options.pairs)
    load_minhash()
    inputs = [fingerprint_pairs(path) for path in options.pairs]
    reader = _Reader(options.pairs, on_progress)
    indexes = index_pairs(reader.read(), options)
    with ExitStack() as stack:
        log = stack.enter_context(atomic_output(options.log)) if options.log else None
        selection = Selection(indexes, options, _log_to(log))
        return write_pairs(
            options.output,
            selection.select(reader.read()),
            lambda pair_file: _manifest(selection, options, pair_file=pair_file, inputs=inputs),
        )


class _Reader:
    """Reads the pair files, once for each pass, and says how far it is."""

    def __init__(self, paths: Sequence[Path], on_progress: Progress) -> None:
        self._paths = paths
        self._on_progress = on_progress
        self._done = 0
        self._total = 2 * sum(map(input_bytes, paths))

    def read(self) -> Iterator[Pair]:
        for path in self._paths:
            for block in file_blocks(path):
                yield from block_pairs(block)
                self._done += block.disk_bytes
                self._on_progress(self._done, self._total)


def _log_to(log: BinaryIO | None) -> Callable[[dict[str, Any]], None]:
    def on_removed(record: dict[str, Any]) -> None:
        if log is not None:
            log.write(to_json_line(record))

    return on_removed


def _manifest(
    selection: Selection,
    options: DeduplicateOptions,
    *,
    pair_file: FileFingerprint,
    inputs: list[FileFingerprint],
) -> Manifest:
    counts = selection.counts()
    if not counts["pairs"]:
        raise DataError(
            f"pairs must hold at least one that stays, got {counts['pairs_read']} pairs in "
            f"{', '.join(map(str, options.pairs))}. Check the files."
        )
    parents = [path for path in map(manifest_path, options.pairs) if path.exists()]
    library = load_minhash()
    return Manifest(
        kind=KIND,
        options=options.for_manifest(),
        counts=counts,
        drops=dict(sorted(selection.account.drops.items())),
        files={KIND: pair_file},
        inputs=inputs,
        parents=[fingerprint_file(path).sha256 for path in parents],
        details={"minhash": f"rensa, algorithm {library.RMinHash.ALGORITHM_VERSION}"},
    )
