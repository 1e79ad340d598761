"""Best fit decreasing: the largest item first, each into the fullest window that still takes it."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


def place(sizes: NDArray[np.int64], *, capacity: int) -> NDArray[np.int64]:
    """The window of each item, windows numbered as they were opened."""  # [items]
    largest_first = np.argsort(-sizes, kind="stable")
    placed = np.empty(len(sizes), dtype=np.int64)
    placed[largest_first] = _place_in_order(sizes[largest_first].tolist(), capacity)
    return placed


def _place_in_order(sizes: Iterable[int], capacity: int) -> list[int]:
    space = _FreeSpace(capacity)
    windows = []
    num_windows = 0
    for size in sizes:
        found = space.take(size)
        if found is None:
            found = capacity, num_windows
            num_windows += 1
        free, window = found
        space.put(free - size, window)
        windows.append(window)
    return windows


class _FreeSpace:
    """Open windows by their free tokens; finds the fullest one with room in constant time.

    Windows with the same free space are one stack. Which stacks are not empty is told by one bit
    each, `BITS` of them in an integer, and a further integer tells which of those are not zero: at
    a capacity of 131,072 that is 257 integers, and a search looks at two.
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
