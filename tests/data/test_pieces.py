from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from megatron_crossic.data.pieces import SPLIT_TOKENS, Pieces


def test_the_example_of_furthest() -> None:
    pieces = Pieces(np.array([4, 4, 4, 4]), largest=9)
    assert pieces.furthest(0, 4, 16) == (3, 2)
    assert pieces.furthest(0, 2, 16) == (2, 7)
    assert pieces.furthest(1, 4, 4) == (1, 4)
    assert list(pieces.chunks(0, 3)) == [(0, 9), (2, 5)]
    assert pieces.num_tokens(1, 3) == 8


@given(
    sizes=st.lists(st.integers(1, 9), max_size=12),
    largest=st.integers(9, 30),
    room=st.integers(0, 60),
)
def test_furthest_is_the_longest_run_whose_chunks_fit(
    sizes: Sequence[int], largest: int, room: int
) -> None:
    pieces = Pieces(np.array(sizes, dtype=np.int64), largest=largest)
    needed = [sum(size for _, size in pieces.chunks(0, stop)) for stop in range(len(sizes) + 1)]
    stop, left = pieces.furthest(0, len(sizes), room)
    assert stop == max(i for i, need in enumerate(needed) if need <= room)
    assert left == room - needed[stop]


@given(sizes=st.lists(st.integers(1, 9), max_size=12), largest=st.integers(9, 30))
def test_chunks_are_as_few_as_possible(sizes: Sequence[int], largest: int) -> None:
    chunks = list(Pieces(np.array(sizes, dtype=np.int64), largest=largest).chunks(0, len(sizes)))
    assert sum(size - SPLIT_TOKENS for _, size in chunks) == sum(sizes)
    assert all(0 < size - SPLIT_TOKENS <= largest for _, size in chunks)
    for (_, size), (first, _) in pairwise(chunks):
        assert size - SPLIT_TOKENS + sizes[first] > largest


def test_a_piece_above_the_largest_chunk_is_our_own_mistake() -> None:
    with pytest.raises(AssertionError, match="cut to fit before"):
        Pieces(np.array([5]), largest=4)
