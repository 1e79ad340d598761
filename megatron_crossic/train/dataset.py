"""The data sets of a run: several prefixes as one list of windows, all made alike."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.config import DataConfig
from megatron_crossic.data.spans import NO_PAIR, Role
from megatron_crossic.data.store import WindowStore, open_windows
from megatron_crossic.errors import ConfigError, DataError
from megatron_crossic.manifest import manifest_path

MAX_LANGUAGES = 255
"""Index of spans in no language in the spans file, so there are at most so many languages."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """One window as stored, except that its languages are numbered as in the whole run."""

    tokens: NDArray[np.integer]  # [seq]
    lengths: NDArray[np.integer]  # [spans]
    roles: NDArray[np.integer]  # [spans]
    languages: NDArray[np.integer]  # [spans]; the number of languages stands for none
    chunks: NDArray[np.integer]  # [spans]; numbered in the window's data set
    pairs: NDArray[np.integer]  # [spans]; likewise


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


class Windows(Protocol):
    """Windows that are counted and read by number."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Window: ...


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
        number, local = self.place(index)
        store = self._stores[number]
        spans = np.asarray(store.spans(local))  # as plain arrays: each view of a memmap costs 2 µs
        return Window(
            tokens=np.asarray(store.tokens(local)),
            lengths=spans["length"],
            roles=spans["role"],
            languages=self._numbers[number][spans["language"]],
            chunks=spans["chunk"],
            pairs=spans["pair"],
        )

    @property
    def sizes(self) -> tuple[int, ...]:
        """Windows of each data set."""
        return tuple(len(store) for store in self._stores)

    @property
    def names(self) -> tuple[str, ...]:
        """The data sets by the last part of their prefixes, or in full where two share that."""
        prefixes = [store.prefix for store in self._stores]
        short = tuple(prefix.name for prefix in prefixes)
        return short if len(set(short)) == len(short) else tuple(map(str, prefixes))

    def count_by_set(self, windows: NDArray[np.int64]) -> dict[str, int]:
        """How many of `windows` are from each data set."""
        sets = np.searchsorted(self._ends, windows, side="right")
        counts = np.bincount(sets, minlength=len(self._stores))
        return dict(zip(self.names, counts.tolist(), strict=True))

    def sets_without_targets(self, num_windows: int = 1000) -> list[Path]:
        """Data sets whose first windows hold no text of a target side, such as replay data."""
        return [
            store.prefix
            for store in self._stores
            if Role.TARGET not in store.spans_block(0, min(num_windows, len(store)))[0]["role"]
        ]

    def place(self, index: int) -> tuple[int, int]:
        """The data set a window is in, and its number there."""
        number = int(np.searchsorted(self._ends, index, side="right"))
        return number, index - (self._ends[number - 1] if number else 0)

    def sources(self, index: int) -> WindowSources:
        """Where a window's texts came from."""
        number, local = self.place(index)
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
    retention: Mapping[str, WindowData]
    """Data sets whose loss is watched on its own, by name."""
    languages: tuple[str, ...]
    """All languages of these, sorted; a language's index here is its number in the run."""
    seq_length: int
    vocab_size: int
    tokenizer_fingerprint: str


def open_data(config: DataConfig) -> RunData:
    """Open every data set; refuse sets that were not made alike."""
    prefixes = (*config.train, *config.validation, *config.retention)
    for name in ("train", "validation", "retention"):
        _check_named(name, getattr(config, name))
    stores = [open_windows(prefix) for prefix in prefixes]
    for prefix, store in zip(prefixes, stores, strict=True):
        _check_alike(prefixes[0], stores[0], prefix, store)
    languages = tuple(sorted({name for store in stores for name in store.languages}))
    if len(languages) > MAX_LANGUAGES:
        raise ConfigError(
            f"data.train, data.validation and data.retention must have at most {MAX_LANGUAGES} "
            f"languages, got {len(languages)}. Train on fewer data sets at a time."
        )
    num_train, num_named = len(config.train), len(config.train) + len(config.validation)
    retention = stores[num_named:]
    return RunData(
        train=WindowData(stores[:num_train], languages),
        validation=WindowData(stores[num_train:num_named], languages),
        retention={
            name: WindowData([store], languages)
            for name, store in zip(WindowData(retention, languages).names, retention, strict=True)
        },
        languages=languages,
        seq_length=stores[0].seq_length,
        vocab_size=stores[0].vocab_size,
        tokenizer_fingerprint=stores[0].tokenizer_fingerprint,
    )


def _check_named(name: str, prefixes: Sequence[Path]) -> None:
    for prefix in prefixes:
        manifest = manifest_path(prefix)
        if not manifest.exists():
            raise ConfigError(
                f"data.{name} must name data sets by their prefixes, got {prefix}, where there is "
                f"no {manifest.name}. Correct it, or make the data set: preprocess_data.py."
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
