"""The texts of candidates, read again from the files they came from.

Vectors say where each text is; only blocks of the input with a wanted text are parsed, once, and
what is wanted waits in one file without a name until it is asked for.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import orjson

from megatron_crossic.data.inputs import Block, file_blocks
from megatron_crossic.data.pairs import placed_pairs
from megatron_crossic.data.records import Document, Pair
from megatron_crossic.data.retrieval.index.exact import Progress, no_progress
from megatron_crossic.data.retrieval.index.vectors import Numbers
from megatron_crossic.data.retrieval.texts.vectors_folder import Places
from megatron_crossic.errors import DataError


@dataclass(frozen=True, kw_only=True, slots=True)
class TextFiles:
    """Input files of one kind, and where its texts are in them."""

    paths: Sequence[Path]
    language: str | None
    """Of documents; None: they are pairs."""
    places: Sequence[Places]
    """By segment; texts are numbered through over all."""

    def of(self, numbers: Numbers) -> Places:
        """Where these texts are."""
        starts = np.concatenate(([0], np.cumsum([len(each) for each in self.places])))
        segments = np.searchsorted(starts, numbers, side="right") - 1
        rows = zip(segments.tolist(), (numbers - starts[segments]).tolist(), strict=True)
        dtype = self.places[0].dtype
        return np.array([self.places[segment][row] for segment, row in rows], dtype=dtype)


class CollectedTexts:
    """Gives what was collected; made by `collected_texts`."""

    def __init__(self, passages: TextFiles, targets: TextFiles, store: BinaryIO) -> None:
        self._passages = passages
        self._targets = targets
        self._store = store
        self._passage_at: dict[int, int] = {}
        self._target_at: dict[int, int] = {}

    def collect(
        self,
        *,
        passages: Numbers,
        targets: Numbers,
        progress: Progress = no_progress,
    ) -> None:
        """Read what is not there yet; progress counts texts."""
        wanted = [
            (self._passages, _missing(passages, self._passage_at), self._passage_at),
            (self._targets, _missing(targets, self._target_at), self._target_at),
        ]
        total = sum(len(numbers) for _, numbers, _ in wanted)
        done = 0
        for files, numbers, at in wanted:
            for number, pair in _read(files, numbers):
                at[number] = self._store.seek(0, os.SEEK_END)
                self._store.write(orjson.dumps(pair, option=orjson.OPT_APPEND_NEWLINE))
                done += 1
                progress(done, total)

    def passage(self, number: int) -> Document:
        """A passage; its id says which characters of its document it is."""
        return self._read(self._passage_at[number]).source

    def provenance(self, number: int) -> Mapping[str, Any]:
        """What else the record of the passage's document says."""
        return self._read(self._passage_at[number]).provenance

    def target(self, query: int) -> Pair:
        """The pair or document looked for."""
        return self._read(self._target_at[query])

    def _read(self, place: int) -> Pair:
        self._store.seek(place)
        record = orjson.loads(self._store.readline())
        record["source"] = Document(**record["source"])
        record["targets"] = tuple(Document(**target) for target in record["targets"])
        return Pair(**record)


def _missing(numbers: Numbers, at: Mapping[int, int]) -> Numbers:
    wanted = [number for number in np.unique(numbers).tolist() if number not in at]
    return np.array(wanted, dtype=np.int64)


def _read(files: TextFiles, numbers: Numbers) -> Iterator[tuple[int, Pair]]:
    """Number and text, in the order of the files; of a document's passages each on its own."""
    places = files.of(numbers)
    order = np.lexsort((places["start"], places["record"], places["block"], places["file"]))
    wanted = _Wanted(numbers[order], places[order])
    for file, path in enumerate(files.paths):
        starts = wanted.blocks_of(file)
        for block in file_blocks(path) if starts else ():
            if block.start in starts:
                yield from wanted.of(file, block, files.language)
    if wanted.num_found != len(numbers):
        raise DataError(
            f"input files must stay as they were when they were encoded, got "
            f"{len(numbers) - wanted.num_found} of {len(numbers)} texts not where they were. "
            "Remove the work folder and run the command again."
        )


class _Wanted:
    """Texts in the order of their places."""

    def __init__(self, numbers: Numbers, places: Places) -> None:
        self._numbers = numbers
        self._places = places
        self._rows: dict[tuple[int, int], list[int]] = {}
        """File and block -> which of them are there."""
        blocks = zip(places["file"].tolist(), places["block"].tolist(), strict=True)
        for row, block in enumerate(blocks):
            self._rows.setdefault(block, []).append(row)
        self.num_found = 0

    def blocks_of(self, file: int) -> frozenset[int]:
        """First bytes or row groups of the blocks of a file that hold any."""
        return frozenset(block for of, block in self._rows if of == file)

    def of(self, file: int, block: Block, language: str | None) -> Iterator[tuple[int, Pair]]:
        """Those of one block."""
        by_record: dict[int, list[int]] = {}
        for row in self._rows[file, block.start]:
            by_record.setdefault(int(self._places["record"][row]), []).append(row)
        of_documents = language is not None
        for record, pair in placed_pairs(block, of_documents=of_documents, language=language):
            for row in by_record.get(record, ()):
                self.num_found += 1
                yield int(self._numbers[row]), _cut(pair, self._places[row])


def _cut(pair: Pair, place: np.void) -> Pair:
    """A document of the corpus becomes the passage; pairs and documents looked for stay."""
    start, stop = int(place["start"]), int(place["stop"])
    if not stop:
        return pair
    document = pair.source
    passage = replace(document, id=f"{document.id}#{start}-{stop}", text=document.text[start:stop])
    return replace(pair, source=passage)


@contextmanager
def collected_texts(
    passages: TextFiles, targets: TextFiles, *, folder: Path
) -> Iterator[CollectedTexts]:
    """Nothing is collected yet; `folder` is where the texts wait."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as store:
        yield CollectedTexts(passages, targets, store)
