"""Pieces become windows: how the chunks of a segment are laid out.

    BOS? | chunk SPLIT | chunk SPLIT | … | PAD PAD

Which pieces are joined to chunks and which chunks share a window is decided by `packing`. Here
their tokens and spans are moved in bulk: a segment of 16 million tokens is a few array operations
and one copy for each side of each chunk.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.batch import ALTERNATING, TURNED, Batch, Ints, ranges
from megatron_crossic.data.lanes import Chunks, pack_lanes
from megatron_crossic.data.pieces import SPLIT_TOKENS
from megatron_crossic.data.spans import (
    NO_CHUNK,
    NO_LANGUAGE,
    NO_PAIR,
    SPAN_DTYPE,
    Role,
    SpanArray,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowLayout:
    """What every window of a data set has in common."""

    seq_length: int
    bos_id: int | None
    split_id: int
    pad_id: int
    dtype: np.dtype[Any]

    @property
    def num_leading(self) -> int:
        """Tokens before the first chunk: BOS or nothing."""
        return int(self.bos_id is not None)

    @property
    def capacity(self) -> int:
        """Tokens of a window that chunks and their SPLITs may take."""
        return self.seq_length - self.num_leading

    @property
    def budget(self) -> int:
        """Tokens of the largest chunk."""
        return self.capacity - SPLIT_TOKENS


@dataclass(frozen=True, kw_only=True, slots=True)
class Windows:
    """Consecutive training samples."""

    tokens: NDArray[Any]  # [windows, seq_length]
    spans: SpanArray
    """Window after window; in each every token is in exactly one span, in order."""

    def __len__(self) -> int:
        return len(self.tokens)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Parts:
    """Stretches of one side, and SPLITs, one after the other: all that windows hold but edges."""

    chunk: Ints
    """Index of the chunk."""  # [parts]
    source: Ints
    """First token in the batch; of a SPLIT, the number of tokens in the batch."""
    length: Ints
    language: NDArray[np.uint8]
    role: NDArray[np.uint8]

    def of_chunks(self, first: int, num_chunks: int) -> "_Parts":
        """Those of some chunks, which are counted from 0."""
        start, end = np.searchsorted(self.chunk, [first, first + num_chunks]).tolist()
        return _Parts(
            chunk=self.chunk[start:end] - first,
            source=self.source[start:end],
            length=self.length[start:end],
            language=self.language[start:end],
            role=self.role[start:end],
        )


TOKENS_AT_ONCE = 1 << 20
"""Windows laid out together: while they are written and hashed they are still in the cache."""


def make_windows(
    batch: Batch,
    layout: WindowLayout,
    *,
    assembly: str,
    largest: int,
    by_paragraph: bool = False,
    first_pair: int = 0,
    tokens_at_once: int = TOKENS_AT_ONCE,
) -> Iterator[Windows]:
    """Pack the pieces of a segment, lane by lane, and lay the windows out, some at a time.

    `largest` is the most tokens of a chunk, `by_paragraph` lays the rows of a chunk down in turn,
    `first_pair` is the ordinal in the data set of the segment's first pair.
    """
    chunks = pack_lanes(batch, assembly=assembly, capacity=layout.capacity, largest=largest)
    parts = _parts(batch, chunks, by_paragraph=by_paragraph)
    step = max(1, tokens_at_once // layout.seq_length)
    for first in range(0, chunks.num_windows, step):
        some = chunks.of_windows(first, first + step)
        windows = lay_out(some, parts.of_chunks(some.before, len(some.first)), batch, layout)
        of_chunks = windows.spans["pair"] != NO_PAIR
        windows.spans["pair"][of_chunks] += np.uint32(first_pair)
        yield windows


def _parts(batch: Batch, chunks: Chunks, *, by_paragraph: bool) -> _Parts:
    """The stretches of each chunk in order, its SPLIT last."""
    group = batch.piece_groups[chunks.first]
    first_row = batch.piece_rows[chunks.first]
    last_row = batch.end_rows()[chunks.last]
    steps = last_row - first_row if by_paragraph else np.ones_like(group)
    # One strip is what lies between two rows; the last strip of a chunk also has the SPLIT.
    chunk = np.repeat(np.arange(len(group)), steps)
    row = ranges(first_row, steps)
    next_row = row + 1 if by_paragraph else last_row
    is_last = np.diff(chunk, append=-1) != 0
    width = batch.group_widths[group[chunk]]
    strip = np.repeat(np.arange(len(chunk)), width + is_last)
    column = ranges(np.zeros_like(width), width + is_last)
    is_split = column == width[strip]
    turned = _is_turned(batch, chunks, group)[chunk[strip]]
    column = np.where(turned, width[strip] - 1 - column, column)
    column[is_split] = 0
    side = batch.group_sides[group[chunk[strip]]] + column
    start = batch.cuts[batch.row_cuts[row[strip]] + column]
    end = batch.cuts[batch.row_cuts[next_row[strip]] + column]
    parts = _Parts(
        chunk=chunk[strip],
        source=np.where(is_split, len(batch.tokens), batch.side_starts[side] + start),
        length=np.where(is_split, SPLIT_TOKENS, end - start),
        language=np.where(is_split, NO_LANGUAGE, batch.side_languages[side]).astype(np.uint8),
        role=np.where(is_split, Role.SPLIT, batch.side_roles[side]).astype(np.uint8),
    )
    kept = parts.length > 0
    return _Parts(
        chunk=parts.chunk[kept],
        source=parts.source[kept],
        length=parts.length[kept],
        language=parts.language[kept],
        role=parts.role[kept],
    )


def _is_turned(batch: Batch, chunks: Chunks, group: Ints) -> NDArray[np.bool_]:
    """Whether each chunk has its sides in the other order."""  # [chunks]
    by_piece = np.argsort(chunks.first)
    groups = group[by_piece]
    ordinal = np.empty_like(group)
    ordinal[by_piece] = np.arange(len(groups)) - np.searchsorted(groups, groups)
    order = batch.group_orders[group]
    turns = (order & TURNED) + np.where(order & ALTERNATING, ordinal, 0)
    return np.asarray(turns % 2 == 1)


def lay_out(chunks: Chunks, parts: _Parts, batch: Batch, layout: WindowLayout) -> Windows:
    """Tokens and spans of the windows of these chunks."""
    num_windows = chunks.num_windows
    window = chunks.window[parts.chunk]
    before = np.cumsum(parts.length) - parts.length  # tokens of parts before, all windows together
    first = np.searchsorted(window, np.arange(num_windows))
    starts = before - before[first][window] + layout.num_leading
    tokens = np.full((num_windows, layout.seq_length), layout.pad_id, dtype=layout.dtype)
    if layout.bos_id is not None:
        tokens[:, 0] = layout.bos_id
    places = window * layout.seq_length + starts
    _copy_tokens(batch, parts, tokens.reshape(-1), places, split_id=layout.split_id)
    ends = np.bincount(window, parts.length, num_windows).astype(np.int64) + layout.num_leading
    everywhere = np.arange(num_windows)
    spans = [
        _part_spans(chunks, parts, batch, starts=starts),
        _edge_spans(num_windows, 0, layout.num_leading, Role.BOS),
        _edge_spans(num_windows, ends, layout.seq_length - ends, Role.PAD),
    ]
    merged = np.concatenate(spans)
    owner = np.concatenate([window, everywhere, everywhere])
    kept = np.concatenate([_begins_span(parts), *(each["length"] > 0 for each in spans[1:])])
    position = owner * layout.seq_length + merged["start"]
    order = np.argsort(position[kept], kind="stable")
    return Windows(tokens=tokens, spans=merged[kept][order])


def _copy_tokens(
    batch: Batch, parts: _Parts, flat: NDArray[Any], places: Ints, *, split_id: int
) -> None:
    is_split = parts.role == Role.SPLIT
    flat[places[is_split]] = split_id
    rows = np.stack([parts.source, places, parts.length], axis=1)[~is_split]
    for source, place, length in rows.tolist():
        flat[place : place + length] = batch.tokens[source : source + length]


def _begins_span(parts: _Parts) -> NDArray[np.bool_]:
    """Whether a part begins a span: neighbours of one chunk and one side are one span."""
    same = np.ones(len(parts.chunk), dtype=bool)
    for values in (parts.chunk, parts.language, parts.role):
        same[1:] &= values[1:] == values[:-1]
    same[:1] = False
    return ~same


def _part_spans(chunks: Chunks, parts: _Parts, batch: Batch, *, starts: Ints) -> SpanArray:
    """A span for each part; those that begin one are as long as all its parts."""
    begins = _begins_span(parts)
    ordinals = np.arange(len(chunks.window)) - np.searchsorted(chunks.window, chunks.window)
    spans = np.empty(len(parts.chunk), dtype=SPAN_DTYPE)
    spans["start"] = starts
    if len(begins):
        spans["length"][begins] = np.add.reduceat(parts.length, np.flatnonzero(begins))
    spans["chunk"] = ordinals[parts.chunk]
    spans["pair"] = batch.group_pairs[batch.piece_groups[chunks.first]][parts.chunk]
    spans["language"] = parts.language
    spans["role"] = parts.role
    return spans


def _edge_spans(num_windows: int, start: Ints | int, length: Ints | int, role: Role) -> SpanArray:
    """BOS or PAD of every window, with length 0 where it has none."""
    spans = np.empty(num_windows, dtype=SPAN_DTYPE)
    spans["start"], spans["length"], spans["role"] = start, length, role
    spans["chunk"], spans["pair"], spans["language"] = NO_CHUNK, NO_PAIR, NO_LANGUAGE
    return spans
