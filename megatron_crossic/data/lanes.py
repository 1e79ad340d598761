"""Which chunks share a window, lane by lane: a window never mixes lanes.

There is one lane unless documents are apart (`mix`), when no window may hold two of one pair.
"""

from dataclasses import dataclass

import numpy as np

from megatron_crossic.data.batch import Batch, Ints, ranges
from megatron_crossic.data.packing import ASSEMBLIES


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunks:
    """The chunks of some windows, in their order there."""

    first: Ints
    """First piece of each chunk."""  # [chunks]
    last: Ints
    """Last piece of each chunk."""  # [chunks]
    window: Ints
    """Window of each chunk; nondecreasing, none is left out."""  # [chunks]
    before: int = 0
    """Chunks of the segment in windows before these."""

    @property
    def num_windows(self) -> int:
        return int(self.window[-1]) + 1 if len(self.window) else 0

    def of_windows(self, first: int, stop: int) -> "Chunks":
        """Those of some windows, which are counted from 0."""
        start, end = np.searchsorted(self.window, [first, stop]).tolist()
        return Chunks(
            first=self.first[start:end],
            last=self.last[start:end],
            window=self.window[start:end] - first,
            before=start,
        )


def pack_lanes(batch: Batch, *, assembly: str, capacity: int, largest: int) -> Chunks:
    """Chunks and windows of every lane; `capacity` and `largest` as in `ASSEMBLIES`."""
    none = np.empty(0, dtype=np.int64)
    first, last, window, num_windows = [none], [none], [none], 0
    for lane in lane_order(batch):
        sizes, groups = batch.piece_sizes[lane], batch.piece_groups[lane]
        # Groups are numbered anew in the order of the lane.
        numbers = np.cumsum(np.diff(groups, prepend=-1) != 0)
        packing = ASSEMBLIES[assembly](sizes, numbers, capacity=capacity, largest=largest)
        first.append(lane[packing.chunks[:-1][packing.order]])
        last.append(lane[packing.chunks[1:][packing.order] - 1])
        window.append(
            np.repeat(np.arange(packing.num_windows) + num_windows, np.diff(packing.bounds))
        )
        num_windows += packing.num_windows
    return Chunks(
        first=np.concatenate(first), last=np.concatenate(last), window=np.concatenate(window)
    )


def lane_order(batch: Batch) -> list[Ints]:
    """Indices of the pieces of each lane; a window never mixes lanes.

    There is one lane unless documents are apart (`mix`). With n documents a pair there are n: the
    pairs are cut into n blocks, and document d of a pair in block b goes to lane (b + d) % n. So
    each lane has all languages, but one document of each pair. Six pairs in two languages:

        lane 0   s0 t3 s1 t4 s2 t5
        lane 1   t0 s3 t1 s4 t2 s5
    """
    num_lanes = int(batch.group_documents.max(initial=0)) + 1
    if num_lanes == 1:
        return [np.arange(len(batch.piece_sizes))]
    pairs, documents = batch.group_pairs, batch.group_documents
    size = -(-batch.num_pairs // num_lanes)
    block, place = pairs // size, pairs % size
    lanes = (block + documents) % num_lanes
    found = []
    for lane in range(num_lanes):
        groups = np.flatnonzero(lanes == lane)
        groups = groups[np.lexsort((block[groups], place[groups]))]
        first = np.searchsorted(batch.piece_groups, groups)
        counts = np.searchsorted(batch.piece_groups, groups, side="right") - first
        found.append(ranges(first, counts))
    return found
