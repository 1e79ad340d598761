"""Chunks become windows: how the chunks of a segment are laid out.

    BOS? | chunk SPLIT | chunk SPLIT | … | PAD PAD

Which chunks share a window is decided by `packing`; here their tokens and spans are moved in bulk:
a segment of 16 million tokens is a few array operations and one copy for each chunk.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.chunk_batch import SPLIT_TOKENS, ChunkBatch, Ints, ranges
from megatron_crossic.data.packing import ASSEMBLIES, Packing
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


def make_windows(
    chunks: ChunkBatch, layout: WindowLayout, *, assembly: str, first_pair: int = 0
) -> Windows:
    """Pack the chunks of a segment, lane by lane, and lay the windows out.

    `first_pair` is the ordinal in the data set of the segment's first pair.
    """
    pack = ASSEMBLIES[assembly]
    orders, bounds = [np.empty(0, dtype=np.int64)], [np.zeros(1, dtype=np.int64)]
    for lane in lane_order(chunks):
        # Groups are numbered anew in the order of the lane.
        changes = np.diff(chunks.groups[lane], prepend=-1) != 0
        packing = pack(chunks.sizes[lane], np.cumsum(changes) - 1, capacity=layout.capacity)
        bounds.append(packing.bounds[1:] + bounds[-1][-1])
        orders.append(lane[packing.order])
    packing = Packing(order=np.concatenate(orders), bounds=np.concatenate(bounds))
    windows = lay_out(chunks, packing, layout)
    of_chunks = windows.spans["pair"] != NO_PAIR
    windows.spans["pair"][of_chunks] += np.uint32(first_pair)
    return windows


def lane_order(chunks: ChunkBatch) -> list[Ints]:
    """Indices of the chunks of each lane; a window never mixes lanes.

    There is one lane unless documents are apart (`mix`). With n documents a pair there are n: the
    pairs are cut into n blocks, and document d of a pair in block b goes to lane (b + d) % n. So
    each lane has all languages, but one document of each pair. Six pairs in two languages:

        lane 0   s0 t3 s1 t4 s2 t5
        lane 1   t0 s3 t1 s4 t2 s5
    """
    num_lanes = int(chunks.group_documents.max(initial=0)) + 1
    if num_lanes == 1:
        return [np.arange(len(chunks.sizes))]
    pairs, documents = chunks.group_pairs, chunks.group_documents
    size = -(-chunks.num_pairs // num_lanes)
    block, place = pairs // size, pairs % size
    lanes = (block + documents) % num_lanes
    found = []
    for lane in range(num_lanes):
        groups = np.flatnonzero(lanes == lane)
        groups = groups[np.lexsort((block[groups], place[groups]))]
        first = np.searchsorted(chunks.groups, groups)
        counts = np.searchsorted(chunks.groups, groups, side="right") - first
        found.append(ranges(first, counts))
    return found


def lay_out(chunks: ChunkBatch, packing: Packing, layout: WindowLayout) -> Windows:
    """The windows of a packing."""
    num_windows = len(packing.bounds) - 1
    per_window = np.diff(packing.bounds)
    sizes = chunks.sizes[packing.order]
    window = np.repeat(np.arange(num_windows), per_window)
    before = np.cumsum(sizes) - sizes  # tokens of chunks before this one, all windows together
    starts = before - before[packing.bounds[:-1]][window] + layout.num_leading
    ends = np.zeros(num_windows, dtype=np.int64)  # first padding token of each window
    np.maximum.at(ends, window, starts + sizes)
    tokens = np.full((num_windows, layout.seq_length), layout.pad_id, dtype=layout.dtype)
    if layout.bos_id is not None:
        tokens[:, 0] = layout.bos_id
    _copy_chunks(chunks, packing.order, tokens.reshape(-1), window * layout.seq_length + starts)
    ordinals = np.arange(len(window)) - packing.bounds[:-1][window]
    rows = [
        _chunk_spans(chunks, packing.order, window=window, starts=starts, ordinals=ordinals),
        _edge_spans(np.arange(num_windows), 0, layout.num_leading, Role.BOS),
        _edge_spans(np.arange(num_windows), ends, layout.seq_length - ends, Role.PAD),
    ]
    where = np.concatenate([at for at, _ in rows])
    spans = np.concatenate([found for _, found in rows])
    position = where * layout.seq_length + spans["start"]
    return Windows(tokens=tokens, spans=spans[np.argsort(position, kind="stable")])


def _copy_chunks(chunks: ChunkBatch, order: Ints, flat: NDArray[Any], targets: Ints) -> None:
    ends = np.cumsum(chunks.sizes)
    sources = (ends - chunks.sizes)[order].tolist()
    for source, target, size in zip(
        sources, targets.tolist(), chunks.sizes[order].tolist(), strict=True
    ):
        flat[target : target + size] = chunks.tokens[source : source + size]


def _chunk_spans(
    chunks: ChunkBatch, order: Ints, *, window: Ints, starts: Ints, ordinals: Ints
) -> tuple[Ints, SpanArray]:
    """Window and span of every span of every chunk, in the order of the packing."""
    counts = chunks.span_counts[order]
    first = (np.cumsum(chunks.span_counts) - chunks.span_counts)[order]
    taken = ranges(first, counts)
    spans = np.empty(len(taken), dtype=SPAN_DTYPE)
    spans["start"] = chunks.span_starts[taken] + np.repeat(starts, counts)
    spans["length"] = chunks.span_lengths[taken]
    spans["chunk"] = np.repeat(ordinals, counts)
    spans["pair"] = np.repeat(chunks.group_pairs[chunks.groups[order]], counts)
    spans["language"] = chunks.span_languages[taken]
    spans["role"] = chunks.span_roles[taken]
    return np.repeat(window, counts), spans


def _edge_spans(
    window: Ints, start: Ints | int, length: Ints | int, role: Role
) -> tuple[Ints, SpanArray]:
    """BOS or PAD of every window that has it."""
    spans = np.empty(len(window), dtype=SPAN_DTYPE)
    spans["start"], spans["length"], spans["role"] = start, length, role
    spans["chunk"], spans["pair"], spans["language"] = NO_CHUNK, NO_PAIR, NO_LANGUAGE
    kept = spans["length"] > 0
    return window[kept], spans[kept]
