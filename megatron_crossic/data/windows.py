"""Chunks become windows: which chunks share a window, and how a window is laid out.

    BOS? | chunk SPLIT | chunk SPLIT | … | PAD PAD

`split_aware` fills windows in order; where the next chunk does not fit, the window ends after the
last SPLIT and the next window starts with that chunk. `best_fit` packs the same chunks by best fit
decreasing within a look-ahead buffer: less padding, for the price of holding the buffer (2,048
chunks of 2,000 tokens take 16 MB) and of neighbours that were not neighbours in the file. The
chunks of a pair stay together where all of them fit in one window, and are always in order inside
a window. Both keep every chunk whole.

Padding on 1,467 English-Spanish documentation pages, Qwen2.5 tokens, windows of 4,096:
split_aware 22 %, best_fit 1.0 %; and with chunks of at most a quarter of the window 10 % and 0.8 %.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.modes import Chunk
from megatron_crossic.data.spans import (
    NO_CHUNK,
    NO_LANGUAGE,
    NO_PAIR,
    SPAN_DTYPE,
    Role,
    SpanArray,
)

BUFFER_CHUNKS = 2048
"""Look-ahead of `best_fit`."""

SPLIT_TOKENS = 1
"""What a chunk costs in a window beside its own tokens."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowLayout:
    """What every window of a data set has in common."""

    seq_length: int
    bos_id: int | None
    split_id: int
    pad_id: int
    dtype: np.dtype[Any]

    @property
    def capacity(self) -> int:
        """Tokens of a window that chunks and their SPLITs may take."""
        return self.seq_length - (self.bos_id is not None)

    @property
    def budget(self) -> int:
        """Tokens of the largest chunk."""
        return self.capacity - SPLIT_TOKENS


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """One training sample."""

    tokens: NDArray[np.integer[Any]]  # [seq_length]
    spans: SpanArray
    """Every token is in exactly one span, in order."""


def build_window(chunks: Sequence[Chunk], layout: WindowLayout) -> Window:
    """Lay chunks down in order, each with its SPLIT, and fill up with PAD."""
    tokens = np.full(layout.seq_length, layout.pad_id, dtype=layout.dtype)
    rows: list[tuple[int, int, int, int, int, int]] = []
    at = 0
    if layout.bos_id is not None:
        tokens[0], at = layout.bos_id, 1
        rows.append((0, 1, NO_CHUNK, NO_PAIR, NO_LANGUAGE, Role.BOS))
    for ordinal, chunk in enumerate(chunks):
        for part in chunk.parts:
            length = len(part.tokens)
            tokens[at : at + length] = part.tokens
            rows.append((at, length, ordinal, chunk.pair, part.language, part.role))
            at += length
        tokens[at] = layout.split_id
        rows.append((at, SPLIT_TOKENS, ordinal, chunk.pair, NO_LANGUAGE, Role.SPLIT))
        at += SPLIT_TOKENS
    if at < layout.seq_length:
        rows.append((at, layout.seq_length - at, NO_CHUNK, NO_PAIR, NO_LANGUAGE, Role.PAD))
    return Window(tokens=tokens, spans=np.array(rows, dtype=SPAN_DTYPE))


def split_aware(groups: Iterable[Sequence[Chunk]], *, capacity: int) -> Iterator[list[Chunk]]:
    """Windows in the order of the chunks; `groups` are the chunks of one pair each."""
    window: list[Chunk] = []
    free = capacity
    for chunk in (chunk for group in groups for chunk in group):
        size = chunk.num_tokens + SPLIT_TOKENS
        if size > free:
            yield window
            window, free = [], capacity
        window.append(chunk)
        free -= size
    if window:
        yield window


@dataclass(frozen=True, slots=True, order=True)
class _Bundle:
    """Chunks of one pair that stay together: all of them or, where that is too much, one."""

    arrival: int
    size: int
    chunks: tuple[Chunk, ...]


def best_fit(
    groups: Iterable[Sequence[Chunk]], *, capacity: int, buffer_chunks: int = BUFFER_CHUNKS
) -> Iterator[list[Chunk]]:
    """Windows packed by best fit decreasing among the next `buffer_chunks` chunks.

    When the buffer is full, all of it is packed; the fuller half of the windows leaves and the
    bundles of the other half wait for better company.
    """
    waiting: list[_Bundle] = []
    num_chunks = arrival = 0
    for group in groups:
        size = sum(chunk.num_tokens + SPLIT_TOKENS for chunk in group)
        for chunks in [group] if size <= capacity else [[chunk] for chunk in group]:
            size = sum(chunk.num_tokens + SPLIT_TOKENS for chunk in chunks)
            waiting.append(_Bundle(arrival, size, tuple(chunks)))
            num_chunks += len(chunks)
            arrival += 1
        if num_chunks >= buffer_chunks:
            bins = _pack(waiting, capacity=capacity)
            leaving = -(-len(bins) // 2)
            yield from map(_to_window, bins[:leaving])
            waiting = sorted(bundle for bundles in bins[leaving:] for bundle in bundles)
            num_chunks = sum(len(bundle.chunks) for bundle in waiting)
    yield from map(_to_window, _pack(waiting, capacity=capacity))


def _pack(bundles: Sequence[_Bundle], *, capacity: int) -> list[list[_Bundle]]:
    """Largest first, each into the fullest bin that still takes it; fullest bins first."""
    bins: list[list[_Bundle]] = []
    by_space: list[tuple[int, int]] = []  # (free tokens, index of the bin), sorted
    for bundle in sorted(bundles, key=lambda bundle: (-bundle.size, bundle.arrival)):
        place = bisect_left(by_space, (bundle.size, 0))
        if place < len(by_space):
            free, index = by_space.pop(place)
            bins[index].append(bundle)
        else:
            free, index = capacity, len(bins)
            bins.append([bundle])
        insort(by_space, (free - bundle.size, index))
    return [bins[index] for _, index in by_space]


def _to_window(bundles: Sequence[_Bundle]) -> list[Chunk]:
    return [chunk for bundle in sorted(bundles) for chunk in bundle.chunks]


ASSEMBLIES: dict[str, Callable[..., Iterator[list[Chunk]]]] = {
    "split_aware": split_aware,
    "best_fit": best_fit,
}
