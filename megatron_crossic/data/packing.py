"""Which pieces make a chunk and which chunks share a window.

Pure arithmetic on the sizes of many pieces at once, all those of a segment of the input. A piece
is the stretch between two neighbouring places where a pair may be cut (`chunks.atom_cuts`), known
by its tokens without a SPLIT; a pair that fits in a chunk is one piece. The pieces of a group (a
pair, or one document of it) follow each other and are joined to chunks of at most `largest` tokens,
each with its SPLIT, by one of two rules.

`split_aware`: the fewest chunks, laid down in order. Where the next one does not fit, the window
ends and the next window starts with it.

`best_fit`: the least padding.
1. Groups that fit in a window stay whole and are packed by best fit decreasing.
2. The others are cut where that fills windows best (see `filling`), those of step 1 first.
3. Windows are themselves packed by best fit decreasing, so that no two would fit in one.

Example, windows of 10, chunks of at most 9, S for SPLIT, groups of pieces (5) (3 3 4 5) (4):

    split_aware   [5S] [3+3S] [4+5S] [4S]     4 windows with 12 places of padding
    best_fit      [5S 3S] [3S 4S] [4+5S]      3 windows with 1: the second group was cut after 3

Either way every piece is in one chunk, every chunk whole in one window, and the chunks of a window
are in the order of their pieces.
"""

import itertools
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.filling import Filling, Group, Window
from megatron_crossic.data.free_space import place
from megatron_crossic.data.pieces import Pieces

Integers = NDArray[np.int64]
Run = tuple[int, int]
"""(first piece, stop) of consecutive pieces of one group."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Packing:
    """Chunks made of pieces, window after window; windows are in the order of their first pieces.

    Chunk c is made of the pieces `chunks[c]` to `chunks[c + 1]`, window w holds the chunks
    `order[bounds[w] : bounds[w + 1]]`, and none of them is empty.
    """

    chunks: Integers  # [chunks + 1]
    order: Integers  # [chunks]
    bounds: Integers  # [windows + 1]

    @property
    def num_windows(self) -> int:
        return len(self.bounds) - 1


def split_aware(sizes: Integers, groups: Integers, *, capacity: int, largest: int) -> Packing:
    """Windows in the order of the pieces; `groups` never decreases."""
    pieces = Pieces(sizes, largest=largest)
    runs = itertools.pairwise(_group_bounds(groups).tolist())
    chunks = [chunk for first, stop in runs for chunk in pieces.chunks(first, stop)]
    ends = list(itertools.accumulate(size for _, size in chunks))
    bounds = [0]
    while bounds[-1] < len(ends):
        laid = ends[bounds[-1] - 1] if bounds[-1] else 0
        bounds.append(bisect_right(ends, laid + capacity, lo=bounds[-1]))
    return Packing(
        chunks=np.array([*(first for first, _ in chunks), len(sizes)], dtype=np.int64),
        order=np.arange(len(chunks)),
        bounds=np.array(bounds, dtype=np.int64),
    )


def best_fit(sizes: Integers, groups: Integers, *, capacity: int, largest: int) -> Packing:
    """Windows with little room left; `groups` never decreases."""
    pieces = Pieces(sizes, largest=largest)
    whole: list[tuple[Run, int]] = []
    large: list[Group] = []
    for first, stop in itertools.pairwise(_group_bounds(groups).tolist()):
        reached, room = pieces.furthest(first, stop, capacity)
        if reached == stop:
            whole.append(((first, stop), capacity - room))
        else:
            large.append(Group(first=first, stop=stop))
    windows = _pack_whole(whole, capacity=capacity)
    windows += Filling(pieces, capacity=capacity).fill(windows, large)
    return _to_packing(windows, pieces, capacity=capacity)


ASSEMBLIES: dict[str, Callable[..., Packing]] = {"split_aware": split_aware, "best_fit": best_fit}


def _group_bounds(groups: Integers) -> Integers:
    """The first piece of each group, and the end."""  # [groups + 1]
    changes = np.flatnonzero(np.diff(groups)) + 1
    return np.concatenate([[0], changes, [len(groups)]]) if len(groups) else np.zeros(1, np.int64)


def _pack_whole(runs: Sequence[tuple[Run, int]], *, capacity: int) -> list[Window]:
    """Windows of runs and their sizes, by best fit decreasing."""
    windows: list[Window] = []
    placed = place(np.array([size for _, size in runs], dtype=np.int64), capacity=capacity)
    for window, (run, size) in zip(placed.tolist(), runs, strict=True):
        while window >= len(windows):
            windows.append(Window(room=capacity))
        windows[window].runs.append(run)
        windows[window].room -= size
    return windows


def _to_packing(windows: Sequence[Window], pieces: Pieces, *, capacity: int) -> Packing:
    used = np.array([capacity - window.room for window in windows], dtype=np.int64)
    merged = place(used, capacity=capacity).tolist()
    runs = sorted((*run, merged[i]) for i, window in enumerate(windows) for run in window.runs)
    chunks = [
        (first, window) for start, stop, window in runs for first, _ in pieces.chunks(start, stop)
    ]
    num_pieces = runs[-1][1] if runs else 0
    order, bounds = _by_window(window for _, window in chunks)
    starts = np.array([*(first for first, _ in chunks), num_pieces], dtype=np.int64)
    return Packing(chunks=starts, order=order, bounds=bounds)


def _by_window(windows: Iterable[int]) -> tuple[Integers, Integers]:
    """Order and bounds of chunks whose windows have any numbers; first chunk's window first."""
    _, firsts, windows_of = np.unique(
        np.fromiter(windows, dtype=np.int64), return_index=True, return_inverse=True
    )
    rank = np.empty_like(firsts)
    rank[np.argsort(firsts)] = np.arange(len(firsts))
    placed = rank[windows_of]
    bounds = np.concatenate([[0], np.cumsum(np.bincount(placed))]).astype(np.int64)
    return np.argsort(placed, kind="stable"), bounds
