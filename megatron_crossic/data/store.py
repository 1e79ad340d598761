"""Opens a data set of windows and refuses one that is damaged or not what the caller expects."""

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.indexed import map_tokens, read_index
from megatron_crossic.data.spans import SpanArray, SpanReader
from megatron_crossic.data.writer import SUFFIXES, data_set_files
from megatron_crossic.errors import DataError
from megatron_crossic.manifest import Manifest, check_file, manifest_path, read_manifest


def open_windows(prefix: Path, *, deep: bool = False) -> "WindowStore":
    """Open `PREFIX.*` after comparing every file with the manifest.

    Sizes and headers are compared always; `deep` also reads and hashes all content.
    """
    path = manifest_path(prefix)
    manifest = read_manifest(path, kind="windows")
    if set(manifest.files) != set(SUFFIXES):
        raise DataError(
            f"windows manifest must list the files {', '.join(SUFFIXES)}, got "
            f"{', '.join(manifest.files) or 'none'} in {path}. Make the data set again."
        )
    for role, file in data_set_files(prefix).items():
        check_file(file.parent, role, manifest.files[role], deep=deep)
    return WindowStore(prefix, manifest)


class WindowStore:
    """The windows of a data set, memory-mapped; made by `open_windows`."""

    def __init__(self, prefix: Path, manifest: Manifest) -> None:
        files = data_set_files(prefix)
        details = manifest.details
        self.prefix = prefix
        self.manifest = manifest
        self.seq_length = int(details["seq_length"])
        self.vocab_size = int(details["vocab_size"])
        """Largest token id that may occur, + 1."""
        self.languages: tuple[str, ...] = tuple(details["languages"])
        self.tokenizer_fingerprint = str(details["tokenizer"]["fingerprint"])
        summary = read_index(files["idx"])
        self._tokens = map_tokens(files["bin"], summary)
        self._spans = SpanReader(files["spans"])
        self._pairs_path = files["pairs"]
        recorded = (int(manifest.counts["windows"]), self.seq_length)
        for path, found in (
            (files["idx"], (summary.num_windows, summary.seq_length)),
            (files["spans"], (len(self._spans), self._spans.seq_length)),
        ):
            if found != recorded:
                raise DataError(
                    f"{path} must hold {recorded[0]} windows of {recorded[1]} tokens as the "
                    f"manifest says, got {found[0]} of {found[1]}. "
                    "It belongs to another run: make the data set again."
                )

    def __len__(self) -> int:
        return len(self._tokens)

    def tokens(self, window: int) -> NDArray[np.integer[Any]]:
        """The tokens of one window in their type on disk."""  # [seq_length]
        row: NDArray[np.integer[Any]] = self._tokens[window]
        return row

    def tokens_of(self, start: int, stop: int) -> NDArray[np.integer[Any]]:
        """The tokens of consecutive windows."""  # [stop - start, seq_length]
        return self._tokens[start:stop]

    def spans(self, window: int) -> SpanArray:
        """The spans of one window: fields start, length, chunk, pair, language, role."""
        return self._spans[window]

    def spans_block(self, first: int, last: int) -> tuple[SpanArray, NDArray[np.int64]]:
        """All spans of windows `first` to `last - 1`, and how many each of them has."""
        return self._spans.block(first, last)

    def provenance(self, pair: int) -> dict[str, Any]:
        """Where a pair came from: `{id, origin, score, languages, titles, provenance}`."""
        starts = self._line_starts
        if not 0 <= pair < len(starts) - 1:
            raise DataError(
                f"pair must be an ordinal below {len(starts) - 1}, got {pair} for {self.prefix}. "
                "BOS and PAD spans have no pair: look at the role first."
            )
        with self._pairs_path.open("rb") as file:
            file.seek(int(starts[pair]))
            record: dict[str, Any] = json.loads(file.readline())
        return record

    @cached_property
    def _line_starts(self) -> NDArray[np.int64]:
        """Byte at which each line of the provenance file starts, and the file's end."""
        content = np.memmap(self._pairs_path, dtype=np.uint8, mode="r")
        return np.concatenate([[0], np.flatnonzero(content == ord("\n")) + 1])
