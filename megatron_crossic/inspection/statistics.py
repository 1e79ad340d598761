"""Counts over the windows of a data set, from its spans alone: no token is read.

One pass over the memory-mapped spans in blocks, so memory does not grow with the data set. On
very large ones blocks are left out evenly; `num_counted` says how many windows were counted.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.spans import NO_CHUNK, Role, SpanArray
from megatron_crossic.data.store import WindowStore

Counts = NDArray[np.int64]

BLOCK_WINDOWS = 8192
MOST_WINDOWS = 2_000_000
"""About 40 million spans, 720 MB of them: some seconds."""

RATIO_STEPS = 8
"""Bins per doubling of the length ratio."""
LARGEST_DOUBLING = 3
"""Ratios beyond 1/8 and 8 count in the outermost bins."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Statistics:
    """Histograms as fine as they can be; charts make coarser ones of them."""

    num_windows: int
    num_counted: int
    filled: Counts
    """Windows by the number of their tokens that are not padding."""  # [seq_length + 1]
    chunk_tokens: Counts
    """Chunks by their number of tokens, SPLIT left out."""  # [seq_length + 1]
    ratios: Counts
    """Chunk and target language by log2(target tokens / source tokens)."""  # [bins]
    chunks_of_one_side: int
    """Chunks that have no ratio."""
    language_tokens: Counts  # [languages]


def ratio_bins() -> NDArray[np.float64]:
    """The lower edges of `Statistics.ratios`, as log2 of the ratio."""
    edges: NDArray[np.float64] = (
        np.arange(-LARGEST_DOUBLING * RATIO_STEPS, LARGEST_DOUBLING * RATIO_STEPS) / RATIO_STEPS
    )
    return edges


def count_windows(store: WindowStore, *, most_windows: int = MOST_WINDOWS) -> Statistics:
    """Count all windows, or about `most_windows` evenly spread ones."""
    size, num_languages = store.seq_length + 1, len(store.languages)
    counter = _Counter(size=size, num_languages=num_languages)
    for first, last in _blocks(len(store), most_windows):
        counter.add(*store.spans_block(first, last))
    return Statistics(
        num_windows=len(store),
        num_counted=int(counter.filled.sum()),
        filled=counter.filled,
        chunk_tokens=counter.chunk_tokens,
        ratios=counter.ratios,
        chunks_of_one_side=counter.chunks_of_one_side,
        language_tokens=counter.language_tokens,
    )


def _blocks(num_windows: int, most_windows: int) -> Iterator[tuple[int, int]]:
    block = min(BLOCK_WINDOWS, max(1, most_windows))
    stride = block * max(1, -(-num_windows // max(1, most_windows)))
    for first in range(0, num_windows, stride):
        yield first, min(first + block, num_windows)


class _Counter:
    """Running sums of `Statistics`."""

    def __init__(self, *, size: int, num_languages: int) -> None:
        self._size, self._num_languages = size, num_languages
        self.filled = np.zeros(size, dtype=np.int64)
        self.chunk_tokens = np.zeros(size, dtype=np.int64)
        self.ratios = np.zeros(len(ratio_bins()), dtype=np.int64)
        self.chunks_of_one_side = 0
        self.language_tokens = np.zeros(num_languages, dtype=np.int64)

    def add(self, spans: SpanArray, spans_per_window: Counts) -> None:
        """Count the spans of consecutive windows."""
        windows = np.repeat(np.arange(len(spans_per_window)), spans_per_window)
        lengths = spans["length"].astype(np.int64)
        text = np.isin(spans["role"], (Role.SOURCE, Role.TARGET))
        padding = np.bincount(
            windows, weights=lengths * (spans["role"] == Role.PAD), minlength=len(spans_per_window)
        )
        self.filled += _histogram(self._size - 1 - padding, self._size)
        self.language_tokens += np.bincount(
            spans["language"][text], weights=lengths[text], minlength=self._num_languages
        ).astype(np.int64)[: self._num_languages]
        inside = text & (spans["chunk"] != NO_CHUNK)
        if inside.any():
            self._add_chunks(spans[inside], windows[inside])

    def _add_chunks(self, spans: SpanArray, windows: NDArray[Any]) -> None:
        """Chunks are consecutive: a new one begins where the window or the number changes."""
        changes = (np.diff(windows) != 0) | (np.diff(spans["chunk"].astype(np.int64)) != 0)
        chunk = np.concatenate([[0], np.cumsum(changes)])
        tokens = np.zeros((2, chunk[-1] + 1, self._num_languages), dtype=np.int64)
        is_target = (spans["role"] == Role.TARGET).astype(np.int64)
        np.add.at(tokens, (is_target, chunk, spans["language"]), spans["length"])
        self.chunk_tokens += _histogram(tokens.sum(axis=(0, 2)), self._size)
        source, targets = tokens[0].sum(axis=1), tokens[1]
        both = (source > 0)[:, None] & (targets > 0)
        self.chunks_of_one_side += int((~both.any(axis=1)).sum())
        ratio = targets[both] / np.broadcast_to(source[:, None], targets.shape)[both]
        bins = np.floor((np.log2(ratio) + LARGEST_DOUBLING) * RATIO_STEPS)
        self.ratios += _histogram(np.clip(bins, 0, len(self.ratios) - 1), len(self.ratios))


def _histogram(values: NDArray[Any], size: int) -> Counts:
    return np.bincount(values.astype(np.int64), minlength=size).astype(np.int64)[:size]
