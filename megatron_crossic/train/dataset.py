"""Several data sets as one list of windows, and the order in which training reads it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.config import raise_problems
from megatron_crossic.data.store import WindowStore, open_windows
from megatron_crossic.errors import DataError
from megatron_crossic.manifest import manifest_path

NO_LANGUAGE = 255
"""Language index of spans in no language, in the spans file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """One window as stored, its languages numbered as in the whole data."""

    tokens: NDArray[np.integer]  # [seq]
    spans: NDArray[np.void]  # [spans]
    languages: NDArray[np.uint8]  # [spans], `len(WindowData.languages)` where there is none


class WindowData:
    """The windows of one or more data sets, numbered through."""

    def __init__(self, prefixes: Sequence[Path], stores: Sequence[WindowStore]) -> None:
        """Use `open_data`; the stores must agree."""
        self.prefixes = tuple(prefixes)
        self._stores = tuple(stores)
        self._ends = tuple(accumulate(len(store) for store in stores))
        self.languages = tuple(sorted({name for store in stores for name in store.languages}))
        self._numbers = [self._renumbering(store.languages) for store in stores]
        self.seq_length = stores[0].seq_length
        self.vocab_size = stores[0].vocab_size
        self.fingerprint = _fingerprint(prefixes)

    def __len__(self) -> int:
        return self._ends[-1]

    def window(self, index: int) -> Window:
        """Window `index`; data sets follow each other in the order given."""
        number = int(np.searchsorted(self._ends, index, side="right"))
        store = self._stores[number]
        local = index - (self._ends[number - 1] if number else 0)
        spans = store.spans(local)
        return Window(
            tokens=store.tokens(local),
            spans=spans,
            languages=self._numbers[number][spans["language"]],
        )

    def renumbered(self, languages: tuple[str, ...]) -> "WindowData":
        """The same windows with languages numbered as in `languages`, which must hold them all."""
        other = WindowData(self.prefixes, self._stores)
        other.languages = languages
        other._numbers = [other._renumbering(store.languages) for store in self._stores]
        return other

    def _renumbering(self, languages: Sequence[str]) -> NDArray[np.uint8]:
        """Language index in one data set -> index in `self.languages`."""
        numbers = np.full(NO_LANGUAGE + 1, len(self.languages), dtype=np.uint8)
        numbers[: len(languages)] = [self.languages.index(name) for name in languages]
        return numbers
