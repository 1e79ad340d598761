from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from megatron_crossic.data.free_space import place


def test_each_item_goes_into_the_fullest_window_that_takes_it() -> None:
    # 8, 7 and 6 open windows; 3 finds 7 before 6, 2 finds 8.
    assert place(np.array([6, 7, 8, 2, 3]), capacity=10).tolist() == [2, 1, 0, 0, 1]


def test_nothing_is_placed_nowhere() -> None:
    assert place(np.empty(0, dtype=np.int64), capacity=10).tolist() == []


def rooms_by_search(sizes: Sequence[int], *, capacity: int) -> list[int]:
    """Room in all windows by looking at every window for every item."""
    rooms: list[int] = []
    for size in sorted(sizes, reverse=True):
        taking = [room for room in rooms if room >= size]
        if taking:
            rooms.remove(min(taking))
        rooms.append((min(taking) if taking else capacity) - size)
    return sorted(rooms)


@given(sizes=st.lists(st.integers(1, 5000), max_size=60), capacity=st.integers(5000, 9000))
def test_the_index_finds_what_a_search_of_all_windows_finds(
    sizes: Sequence[int], capacity: int
) -> None:
    placed = place(np.array(sizes, dtype=np.int64), capacity=capacity)
    num_windows = max(placed.tolist(), default=-1) + 1
    used = np.bincount(placed, weights=sizes, minlength=num_windows)
    assert sorted((capacity - used).tolist()) == rooms_by_search(sizes, capacity=capacity)
