"""Pieces and the chunks they are joined to.

A piece is the stretch between two neighbouring places where a pair may be cut, known by its
tokens; the pieces of a group follow each other. A chunk is a run of consecutive pieces of one group
with at most `largest` tokens, and costs one SPLIT beside them.
"""

from bisect import bisect_right
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

SPLIT_TOKENS = 1
"""What a chunk costs in a window beside its own tokens."""


class Pieces:
    """Runs of pieces, measured."""

    def __init__(self, sizes: NDArray[np.int64], *, largest: int) -> None:
        assert not len(sizes) or 0 < sizes.min() <= sizes.max() <= largest, "cut to fit before"
        self._ends: list[int] = [0, *np.cumsum(sizes).tolist()]
        self._largest = largest

    def num_tokens(self, first: int, stop: int) -> int:
        """Tokens of the pieces `first` to `stop`."""
        return self._ends[stop] - self._ends[first]

    def furthest(self, first: int, stop: int, room: int) -> tuple[int, int]:
        """How far the pieces from `first` fit into `room` as chunks, and the room that is left.

        Each chunk is as long as possible. With pieces of 4, at most 9 tokens a chunk and room for
        16: 4 + 4 and its SPLIT leave 7, 4 and its SPLIT leave 2.
        """
        ends, largest = self._ends, self._largest
        while first < stop:
            limit = min(largest, room - SPLIT_TOKENS)
            end = bisect_right(ends, ends[first] + limit, lo=first, hi=stop + 1) - 1
            if end <= first:
                break
            room -= ends[end] - ends[first] + SPLIT_TOKENS
            first = end
            if limit < largest:  # it was the room that ended this chunk
                break
        return first, room

    def chunks(self, first: int, stop: int) -> Iterator[tuple[int, int]]:
        """(first piece, size with SPLIT) of the chunks of a run: as few as possible."""
        while first < stop:
            end = self.furthest(first, stop, self._largest + SPLIT_TOKENS)[0]
            yield first, self.num_tokens(first, end) + SPLIT_TOKENS
            first = end
