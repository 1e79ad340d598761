"""Segments of a window, checked by eye and by law."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from megatron_crossic.data.segments import restarting_positions
from megatron_crossic.data.spans import NO_CHUNK, Role

BOS, SOURCE, TARGET, SPLIT, PAD = Role


def positions(spans: list[tuple[int, Role, int]]) -> list[int]:
    """`spans` are (length, role, owner)."""
    lengths, roles, owners = map(np.array, zip(*spans, strict=True))
    return restarting_positions(lengths, roles, owners).tolist()


def test_bos_goes_with_the_first_chunk_and_padding_alone() -> None:
    spans = [
        (1, BOS, NO_CHUNK),
        (2, SOURCE, 7),
        (1, TARGET, 7),
        (1, SPLIT, 7),
        (2, SOURCE, 8),
        (1, SPLIT, 8),
        (3, PAD, NO_CHUNK),
    ]
    assert positions(spans) == [0, 1, 2, 3, 4, 0, 1, 2, 0, 1, 2]
    assert positions(spans[1:4]) == [0, 1, 2, 3]


def test_chunks_of_a_pair_that_stand_apart_are_apart() -> None:
    assert positions([(2, SOURCE, 3), (1, SOURCE, 4), (2, SOURCE, 3)]) == [0, 1, 0, 0, 1]


def test_a_window_may_be_empty_of_text() -> None:
    assert positions([(1, BOS, NO_CHUNK), (2, PAD, NO_CHUNK)]) == [0, 1, 2]
    assert positions([(2, PAD, NO_CHUNK)]) == [0, 1]


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 2)), min_size=1, max_size=10))
def test_positions_restart_where_the_owner_changes_and_nowhere_else(
    spans: list[tuple[int, int]],
) -> None:
    owners = [owner for length, owner in spans for _ in range(length)]
    found = positions([(length, SOURCE, owner) for length, owner in spans])
    expected: list[int] = []
    for place, owner in enumerate(owners):
        same = place > 0 and owners[place - 1] == owner
        expected.append(expected[-1] + 1 if same else 0)
    assert found == expected
