"""Texts that overlap evaluation sets: one run of 13 words in common is enough.

Words are folded as shingles are (case, full-width forms, punctuation), so a quotation that was
reset or repunctuated is still found. Where no spaces part words a run is 30 characters: about 13
words of Japanese or Chinese and 8 of Thai, so there a little more is left out. A text with fewer
units is one run: it is found where the other text is the same as a whole.

The runs of all evaluation sets are a sorted array of 64-bit hashes, 8 MB per million of them and
four times that while they are read. A text of 1,000 words looked up among a million runs is taken
for one of them by chance once in 2 * 10^10 texts.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from megatron_crossic.data.deduplicate.shingles import UNSPACED, shingle
from megatron_crossic.data.hashing import Hashes
from megatron_crossic.data.inputs import block_lines, file_blocks
from megatron_crossic.data.pairs import block_records
from megatron_crossic.data.parquet import is_parquet
from megatron_crossic.errors import DataError

WORDS = 13
"""As usual since the first large language models were checked for test sets in their data."""
CHARACTERS = 30
"""Characters of a run in languages without spaces. Our choice, see above."""

_TEXT_CHARACTERS = 1_000_000
"""Hashed at once."""
_OVERLAP = 2_000
"""Characters of a text file that are hashed with the part before and the part after, so that no run
is lost between two parts."""
_MOST_PENDING = 4_000_000
"""Hashes that wait at least before they are sorted in."""


class _Runs:
    """Distinct hashes in order; new ones are sorted in when they are as many as those before."""

    def __init__(self) -> None:
        self.sorted: Hashes = np.zeros(0, dtype=np.uint64)
        self._pending: list[Hashes] = []
        self._num_pending = 0

    def add(self, hashes: Sequence[Hashes]) -> None:
        self._pending += hashes
        self._num_pending += sum(map(len, hashes))
        if self._num_pending > max(_MOST_PENDING, len(self.sorted)):
            self.settle()

    def settle(self) -> None:
        self.sorted = np.unique(np.concatenate([self.sorted, *self._pending]))
        self._pending, self._num_pending = [], 0


class EvaluationRuns:
    """The runs of words, and of characters where a language wants them, of evaluation sets."""

    def __init__(self, texts: Iterable[str], *, languages: Collection[str]) -> None:
        """`languages` are those that will be asked about."""
        self._runs = {is_unspaced: _Runs() for is_unspaced in map(UNSPACED.__contains__, languages)}
        for batch in _batches(texts):
            for is_unspaced, runs in self._runs.items():
                runs.add(_hash(batch, is_unspaced))
        for runs in self._runs.values():
            runs.settle()

    def __len__(self) -> int:
        return sum(len(runs.sorted) for runs in self._runs.values())

    def overlaps(self, text: str, *, language: str) -> bool:
        """Whether a text has a run in common with an evaluation set."""
        is_unspaced = language in UNSPACED
        assert is_unspaced in self._runs, f"{language} must be among the languages named"
        runs = self._runs[is_unspaced].sorted
        (own,) = _hash([text], is_unspaced)
        if not len(runs) or not len(own):
            return False
        places = np.minimum(np.searchsorted(runs, own), len(runs) - 1)
        return bool((runs[places] == own).any())


def read_evaluation_sets(paths: Sequence[Path], *, languages: Collection[str]) -> EvaluationRuns:
    """The runs of evaluation files, packed or not.

    Raises `DataError` for a file that holds no text: it would exclude nothing.
    """
    return EvaluationRuns((text for path in paths for text in _texts(path)), languages=languages)


def _hash(texts: Sequence[str], is_unspaced: bool) -> list[Hashes]:
    # Any language of the kind will do: with a domain the hashes do not depend on it.
    language, size = ("ja", CHARACTERS) if is_unspaced else ("en", WORDS)
    return shingle(texts, language=language, domain="evaluation", size=size)


def _texts(path: Path) -> Iterator[str]:
    is_empty = True
    for text in _record_texts(path) if _has_records(path) else _plain_texts(path):
        is_empty = is_empty and not text.strip()
        yield text
    if is_empty:
        raise DataError(f"evaluation file must hold text, got none in {path}. Name another file.")


def _has_records(path: Path) -> bool:
    """Parquet, or JSON lines by name or first character."""
    if is_parquet(path) or {".json", ".jsonl", ".ndjson"} & set(path.suffixes):
        return True
    first = next(file_blocks(path), None)
    return first is not None and block_lines(first)[1].lstrip().startswith(b"{")


def _record_texts(path: Path) -> Iterator[str]:
    for block in file_blocks(path):
        for _, _, record in block_records(block):
            yield from strings(record)


def strings(value: Any) -> Iterator[str]:
    """Every string among the values of a JSON value, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from strings(item)


def _plain_texts(path: Path) -> Iterator[str]:
    """The file in parts that overlap: a run may go on from line to line."""
    before = ""
    for block in file_blocks(path):
        content = block_lines(block)[1].decode("utf-8", "replace")
        yield before + content
        before = content[-_OVERLAP:]


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    found = 0
    for text in texts:
        batch.append(text)
        found += len(text)
        if found >= _TEXT_CHARACTERS:
            yield batch
            batch, found = [], 0
    if batch:
        yield batch
