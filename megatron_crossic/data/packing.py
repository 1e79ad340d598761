"""Which chunks share a window: pure arithmetic on the sizes of many chunks at once.

`split_aware` fills windows in order; where the next chunk does not fit, the window ends and the
next one starts with that chunk. `best_fit` packs the same chunks by best fit decreasing: the
largest bundle first, each into the fullest window that still takes it.

    chunks   0  1 | 2 | 3  4  5     three groups (the chunks of a pair), capacity 10
    sizes    4  4 | 2 | 3  4  9
    bundles   8   | 2 |  7    9     a group that fits is one bundle; else runs of it, in order
    windows  [5] takes 9, [0 1] 8, [3 4] 7; then 2 finds most company beside 8: [0 1 2]

Both take every chunk exactly once, whole, and the chunks of a window are in their own order. Best
fit decreasing needs at most 11/9 of the fewest windows that hold its bundles, plus four (Johnson
1974), and no two of its windows would fit in one.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Packing:
    """Chunks window after window."""

    order: Integers  # [chunks]
    """Chunk indices."""
    bounds: Integers  # [windows + 1]
    """Window w holds the chunks `order[bounds[w] : bounds[w + 1]]`; none is empty."""

    @property
    def num_windows(self) -> int:
        return len(self.bounds) - 1


def split_aware(sizes: Integers, groups: Integers, *, capacity: int) -> Packing:
    """Windows in the order of the chunks."""
    del groups
    assert_fitting(sizes, capacity=capacity)
    starts = _run_starts(np.cumsum(sizes).tolist(), 0, len(sizes), capacity=capacity)
    return Packing(order=np.arange(len(sizes)), bounds=np.array([*starts, len(sizes)]))


def best_fit(sizes: Integers, groups: Integers, *, capacity: int) -> Packing:
    """Windows by best fit decreasing over all bundles; `groups` never decreases.

    Windows are in the order of their first chunks.
    """
    assert_fitting(sizes, capacity=capacity)
    if not len(sizes):
        return split_aware(sizes, groups, capacity=capacity)
    starts = _bundle_starts(sizes, groups, capacity=capacity)
    placed = _place(np.add.reduceat(sizes, starts), capacity=capacity)
    windows = np.repeat(placed, np.diff(starts, append=len(sizes)))
    _, firsts, windows = np.unique(windows, return_index=True, return_inverse=True)
    rank = np.empty_like(firsts)
    rank[np.argsort(firsts)] = np.arange(len(firsts))
    windows = rank[windows]
    bounds = np.concatenate([[0], np.cumsum(np.bincount(windows))])
    return Packing(order=np.argsort(windows, kind="stable"), bounds=bounds)


ASSEMBLIES: dict[str, Callable[..., Packing]] = {"split_aware": split_aware, "best_fit": best_fit}


def assert_fitting(sizes: Integers, *, capacity: int) -> None:
    """A chunk is cut to fit long before it comes here."""
    assert not len(sizes) or 0 < sizes.min() <= sizes.max() <= capacity


def _run_starts(ends: Sequence[int], start: int, stop: int, *, capacity: int) -> list[int]:
    """Where windows begin when the chunks from `start` to `stop` are laid down in order.

    `ends[i]` is what all chunks up to and including the i-th take.
    """
    starts = []
    while start < stop:
        starts.append(start)
        laid = ends[start - 1] if start else 0
        start = bisect_right(ends, laid + capacity, lo=start, hi=stop)
    return starts


def _bundle_starts(sizes: Integers, groups: Integers, *, capacity: int) -> Integers:
    """The first chunk of each bundle: whole groups, and runs of the groups that are too large."""
    firsts = np.flatnonzero(np.diff(groups, prepend=groups[0] - 1))
    stops = np.append(firsts[1:], len(sizes))
    too_large = np.add.reduceat(sizes, firsts) > capacity
    starts, ends = firsts[~too_large].tolist(), np.cumsum(sizes).tolist()
    for first, stop in zip(firsts[too_large].tolist(), stops[too_large].tolist(), strict=True):
        starts += _run_starts(ends, first, stop, capacity=capacity)
    return np.array(sorted(starts), dtype=np.int64)


def _place(sizes: Integers, *, capacity: int) -> Integers:
    """The window of each bundle, windows numbered as they were opened."""  # [bundles]
    space = _FreeSpace(capacity)
    placed = np.empty(len(sizes), dtype=np.int64)
    num_windows = 0
    largest_first = np.argsort(-sizes, kind="stable")
    windows = []
    for size in sizes[largest_first].tolist():
        found = space.take(size)
        if found is None:
            found = capacity, num_windows
            num_windows += 1
        free, window = found
        space.put(free - size, window)
        windows.append(window)
    placed[largest_first] = windows
    return placed


class _FreeSpace:
    """Open windows by their free tokens; finds the fullest one with room in constant time.

    Windows with the same free space are one stack. Which stacks are not empty is told by one bit
    each, `BITS` of them in an integer, and a further integer tells which of those are not zero: at
    a capacity of 131,072 that is 256 integers, and a search looks at two.
    """

    BITS = 512

    def __init__(self, capacity: int) -> None:
        self._stacks: dict[int, list[int]] = {}
        self._blocks = [0] * (capacity // self.BITS + 1)
        self._used_blocks = 0

    def put(self, free: int, window: int) -> None:
        """Add a window; a full one is never looked for again."""
        if not free:
            return
        stack = self._stacks.setdefault(free, [])
        if not stack:
            block, bit = divmod(free, self.BITS)
            self._blocks[block] |= 1 << bit
            self._used_blocks |= 1 << block
        stack.append(window)

    def take(self, size: int) -> tuple[int, int] | None:
        """Remove (free tokens, window) of the fullest window with room for `size`."""
        block, bit = divmod(size, self.BITS)
        above = self._blocks[block] >> bit
        if above:
            free = size + _lowest_bit(above)
        else:
            later = self._used_blocks >> (block + 1)
            if not later:
                return None
            block += 1 + _lowest_bit(later)
            free = block * self.BITS + _lowest_bit(self._blocks[block])
        stack = self._stacks[free]
        window = stack.pop()
        if not stack:
            self._clear(free)
        return free, window

    def _clear(self, free: int) -> None:
        block, bit = divmod(free, self.BITS)
        self._blocks[block] ^= 1 << bit
        if not self._blocks[block]:
            self._used_blocks ^= 1 << block


def _lowest_bit(bits: int) -> int:
    return (bits & -bits).bit_length() - 1
