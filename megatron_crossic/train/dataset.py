"""The data sets of a run: several prefixes as one list of windows, all made alike."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.config import DataConfig
from megatron_crossic.data.spans import NO_PAIR
from megatron_crossic.data.store import WindowStore, open_windows
from megatron_crossic.errors import ConfigError, DataError

MAX_LANGUAGES = 255
"""Index of spans in no language in the spans file, so there are at most so many languages."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """One window as stored, except that its languages are numbered as in the whole run."""

    tokens: NDArray[np.integer]  # [seq]
    lengths: NDArray[np.integer]  # [spans]
    roles: NDArray[np.integer]  # [spans]
    languages: NDArray[np.uint8]  # [spans]; the number of languages stands for none


@dataclass(frozen=True, kw_only=True, slots=True)
class PairSource:
    """Where a pair came from."""

    pair: int
    """Its number in the data set."""
    id: str
    titles: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowSources:
    """A window by the name its data set knows it under, and the pairs in it."""

    prefix: str
    window: int
    pairs: tuple[PairSource, ...]


class WindowData:
    """The windows of one or more data sets, numbered through in the order given."""

    def __init__(self, stores: Sequence[WindowStore], languages: Sequence[str]) -> None:
        """`languages` must hold every language of the stores."""
        self._stores = tuple(stores)
        self._ends = tuple(accumulate(len(store) for store in stores))
        self._numbers = tuple(_renumbering(store.languages, languages) for store in stores)

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index: int) -> Window:
        number, local = self._place(index)
        store = self._stores[number]
        spans = store.spans(local)
        return Window(
            tokens=store.tokens(local),
            lengths=spans["length"],
            roles=spans["role"],
            languages=self._numbers[number][spans["language"]],
        )

    def _place(self, index: int) -> tuple[int, int]:
        """The data set a window is in, and its number there."""
        number = int(np.searchsorted(self._ends, index, side="right"))
        return number, index - (self._ends[number - 1] if number else 0)

    def sources(self, index: int) -> WindowSources:
        """Where a window's texts came from."""
        number, local = self._place(index)
        store = self._stores[number]
        pairs = np.unique(store.spans(local)["pair"])
        return WindowSources(
            prefix=str(store.prefix),
            window=local,
            pairs=tuple(_pair_source(store, int(pair)) for pair in pairs if pair != NO_PAIR),
        )

    def fingerprint(self) -> str:
        """Changes with any token or span, or with the order of the data sets."""
        digest = hashlib.sha256()
        for store in self._stores:
            for role in ("bin", "spans"):
                digest.update(store.manifest.files[role].sha256.encode())
        return digest.hexdigest()


def _pair_source(store: WindowStore, pair: int) -> PairSource:
    record = store.provenance(pair)
    return PairSource(
        pair=pair, id=str(record.get("id", "")), titles=tuple(map(str, record.get("titles", ())))
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class RunData:
    """What a run reads."""

    train: WindowData
    validation: WindowData
    """Empty where the run has none."""
    languages: tuple[str, ...]
    """All languages of both, sorted; a language's index here is its number in the run."""
    seq_length: int
    vocab_size: int
    tokenizer_fingerprint: str


def open_data(config: DataConfig) -> RunData:
    """Open every data set; refuse sets that were not made alike."""
    prefixes = (*config.train, *config.validation)
    stores = [open_windows(prefix) for prefix in prefixes]
    for prefix, store in zip(prefixes, stores, strict=True):
        _check_alike(prefixes[0], stores[0], prefix, store)
    languages = tuple(sorted({name for store in stores for name in store.languages}))
    if len(languages) > MAX_LANGUAGES:
        raise ConfigError(
            f"data.train and data.validation must have at most {MAX_LANGUAGES} languages, got "
            f"{len(languages)}. Train on fewer data sets at a time."
        )
    num_train = len(config.train)
    return RunData(
        train=WindowData(stores[:num_train], languages),
        validation=WindowData(stores[num_train:], languages),
        languages=languages,
        seq_length=stores[0].seq_length,
        vocab_size=stores[0].vocab_size,
        tokenizer_fingerprint=stores[0].tokenizer_fingerprint,
    )


def _check_alike(
    first_prefix: Path, first: WindowStore, other_prefix: Path, other: WindowStore
) -> None:
    for name in ("seq_length", "vocab_size", "tokenizer_fingerprint"):
        expected, found = getattr(first, name), getattr(other, name)
        if found != expected:
            raise DataError(
                f"data sets of a run must agree in {name}, got {expected} in {first_prefix} and "
                f"{found} in {other_prefix}. Make both with the same tokenizer and --seq-length."
            )


def _renumbering(local: Sequence[str], languages: Sequence[str]) -> NDArray[np.uint8]:
    """A data set's language index -> the run's; 255 (none) and gaps -> the number of languages."""
    numbers = np.full(MAX_LANGUAGES + 1, len(languages), dtype=np.uint8)
    numbers[: len(local)] = [languages.index(name) for name in local]
    return numbers
