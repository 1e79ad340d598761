"""Reads a data set back and checks every law it was made by.

    files     size and SHA-256 as the manifest says
    tokens    0 <= id < vocab_size; BOS, SPLIT and PAD ids exactly where the spans say
    spans     every token of a window in exactly one; BOS first, PAD last
    chunks    numbered in order, of one pair each, ended by one SPLIT: none is cut by a window
    pairs     every ordinal has its line of provenance
    account   counts, tokens by role and language as found; nothing lost without a reason

The files are hashed by threads while this one looks at the content, some megabytes at a time.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.spans import NO_CHUNK, NO_LANGUAGE, NO_PAIR, Role, SpanArray
from megatron_crossic.data.store import WindowStore, open_windows
from megatron_crossic.data.writer import data_set_files
from megatron_crossic.errors import DataError
from megatron_crossic.manifest import check_file

BATCH_TOKENS = 1 << 22


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified:
    """What was read."""

    windows: int
    tokens: int
    pairs: int
    num_bytes: int
    """Of all files."""


@dataclass(kw_only=True, slots=True)
class _Found:
    """What the windows add up to."""

    by_role: NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, dtype=np.int64))
    by_language: NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, dtype=np.int64))


def verify_data_set(
    prefix: Path, *, on_windows: Callable[[int, int], None] = lambda _done, _total: None
) -> Verified:
    """Check `PREFIX.*`; raises `DataError` that names the law, the window and the values.

    `on_windows` is called with the windows checked so far and their number.
    """
    store = open_windows(prefix)
    files = data_set_files(prefix)
    with ThreadPoolExecutor(len(files)) as pool:
        hashes = [
            pool.submit(check_file, path.parent, role, store.manifest.files[role], deep=True)
            for role, path in files.items()
        ]
        num_pairs = _check_pairs(store, files["pairs"])
        found = _Found()
        step = max(1, BATCH_TOKENS // store.seq_length)
        for start in range(0, len(store), step):
            stop = min(start + step, len(store))
            _check_windows(store, start, stop, num_pairs=num_pairs, found=found)
            on_windows(stop, len(store))
        _check_account(store, found)
        for each in hashes:
            each.result()
    return Verified(
        windows=len(store),
        tokens=len(store) * store.seq_length,
        pairs=num_pairs,
        num_bytes=sum(file.num_bytes for file in store.manifest.files.values()),
    )


def _check_windows(
    store: WindowStore, start: int, stop: int, *, num_pairs: int, found: _Found
) -> None:
    windows = _Batch(store, start, stop)
    windows.check_spans(num_pairs)
    windows.check_chunks()
    windows.check_tokens()
    spans = windows.spans
    found.by_role += np.bincount(spans["role"], spans["length"], 256).astype(np.int64)
    found.by_language += np.bincount(spans["language"], spans["length"], 256).astype(np.int64)


class _Batch:
    """Consecutive windows; checks find the first window that breaks a law."""

    def __init__(self, store: WindowStore, start: int, stop: int) -> None:
        self._store = store
        self._start = start
        self.tokens = store.tokens_of(start, stop)
        spans, self._counts = store.spans_block(start, stop)
        self.spans: SpanArray = np.array(spans)
        self._window = np.repeat(np.arange(stop - start), self._counts)
        self._first = np.cumsum(self._counts) - self._counts
        ids = store.manifest.details["tokenizer"]
        self._ids: dict[Role, int | None] = {
            Role.BOS: ids["bos_id"],
            Role.SPLIT: ids["split_id"],
            Role.PAD: ids["pad_id"],
        }

    def check_spans(self, num_pairs: int) -> None:
        spans, length = self.spans, self._store.seq_length
        role = spans["role"]
        self._require(self._counts > 0, "a window must have spans", np.arange(len(self._counts)))
        ends = np.cumsum(spans["length"].astype(np.int64))
        expected = ends - spans["length"] - self._window * length
        covered = (spans["start"] == expected) & (spans["length"] > 0)
        self._require(covered, f"spans must cover {length} tokens, one after the other")
        whole = ends[self._first + self._counts - 1] % length == 0
        self._require(whole, "a window must be whole", np.arange(len(self._counts)))
        self._require(role <= max(Role), "a span must have a known role")
        of_text = (role == Role.SOURCE) | (role == Role.TARGET)
        known = spans["language"] < len(self._store.languages)
        self._require(
            np.where(of_text, known, spans["language"] == NO_LANGUAGE),
            "a span must have a language of the data set if it is text, and none otherwise",
        )
        edge = (role == Role.BOS) | (role == Role.PAD)
        self._require(
            np.where(edge, spans["pair"] == NO_PAIR, spans["pair"] < num_pairs),
            f"a span must have a pair below {num_pairs} unless it is BOS or PAD",
        )
        self._require((spans["chunk"] == NO_CHUNK) == edge, "a chunk must own what is not an edge")
        first = np.zeros(len(spans), dtype=bool)
        first[self._first] = True
        last = np.roll(first, -1)
        has_bos = self._ids[Role.BOS] is not None
        self._require((role == Role.BOS) == (first & has_bos), "BOS must stand first or nowhere")
        self._require((role != Role.PAD) | last, "PAD must stand last")

    def check_chunks(self) -> None:
        spans = self.spans
        inner = np.flatnonzero(spans["chunk"] != NO_CHUNK)
        chunk, window = spans["chunk"][inner].astype(np.int64), self._window[inner]
        is_split = spans["role"][inner] == Role.SPLIT
        after_split = np.concatenate([[True], is_split[:-1]])
        new_window = np.diff(window, prepend=-1) != 0
        before = np.concatenate([[-1], chunk[:-1]])
        expected = np.where(new_window, 0, before + after_split)
        self._require(chunk == expected, "chunks must be numbered in order", window)
        same = ~after_split & ~new_window
        pair = spans["pair"][inner]
        self._require(~same | (pair == np.roll(pair, 1)), "a chunk must have one pair", window)
        self._require(~new_window | after_split, "a chunk must end in its window", window)
        if len(inner):
            self._require(is_split[-1:], "a chunk must end with SPLIT", window[-1:])
        single = ~is_split | (spans["length"][inner] == 1)
        self._require(single, "SPLIT must be one token", window)

    def check_tokens(self) -> None:
        # As unsigned numbers, negative ids are large ones.
        unsigned = self.tokens.view(f"u{self.tokens.dtype.itemsize}")
        largest = unsigned.max(axis=1, initial=0)
        limit = self._store.vocab_size
        self._require(largest < limit, f"a token id must be below {limit}", np.arange(len(largest)))
        for role in (Role.BOS, Role.SPLIT):
            at = np.flatnonzero(self.spans["role"] == role)
            ids = self.tokens[self._window[at], self.spans["start"][at]]
            self._require(ids == self._ids[role], f"{role.name} must have its id", self._window[at])
        for span in np.flatnonzero(self.spans["role"] == Role.PAD).tolist():
            window = int(self._window[span])
            padding = self.tokens[window, int(self.spans["start"][span]) :]
            if (padding != self._ids[Role.PAD]).any():
                self._require(np.zeros(1, dtype=bool), "PAD must have its id", np.array([window]))

    def _require(
        self, holds: NDArray[Any], law: str, windows: NDArray[np.int64] | None = None
    ) -> None:
        broken = np.flatnonzero(~np.asarray(holds, dtype=bool))
        if len(broken):
            window = self._start + int((self._window if windows is None else windows)[broken[0]])
            raise DataError(
                f"{law}, got otherwise in window {window} of {self._store.prefix}. "
                "The data set was damaged or made by other code: make it again."
            )


def _check_pairs(store: WindowStore, path: Path) -> int:
    """Number of provenance lines, which is the number of pairs kept."""
    with path.open("rb") as file:
        lines = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    _require_equal("provenance lines", lines, store.manifest.counts["pairs_kept"], store.prefix)
    return lines


def _check_account(store: WindowStore, found: _Found) -> None:
    counts, details = store.manifest.counts, store.manifest.details
    by_role = {role.name.lower(): int(found.by_role[role]) for role in Role}
    _require_equal("tokens by role", by_role, details["tokens_by_role"], store.prefix)
    by_language = {name: int(found.by_language[i]) for i, name in enumerate(store.languages)}
    _require_equal("tokens by language", by_language, details["tokens_by_language"], store.prefix)
    in_windows = by_role["source"] + by_role["target"]
    _require_equal("tokens in windows", in_windows, counts["tokens_in_windows"], store.prefix)
    _require_equal("chunks", by_role["split"], counts["chunks"], store.prefix)
    dropped = sum(counts["tokens_dropped"].values())
    entered = counts["tokens_read"] + counts["tokens_repeated"]
    _require_equal("tokens kept or dropped", in_windows + dropped, entered, store.prefix)


def _require_equal(thing: str, found: object, recorded: object, prefix: Path) -> None:
    if found != recorded:
        raise DataError(
            f"{thing} must be {recorded} as the manifest of {prefix} says, got {found}. "
            "The data set was damaged or made by other code: make it again."
        )
