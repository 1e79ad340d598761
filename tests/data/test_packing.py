from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from megatron_crossic.data.packing import ASSEMBLIES, Integers, Packing, best_fit, split_aware

CAPACITY = 10
Assembly = Callable[..., Packing]


def arrays(*pairs: Sequence[int]) -> tuple[Integers, Integers]:
    """Sizes of chunks and the group of each, from the chunk sizes of each pair."""
    sizes = [size for pair in pairs for size in pair]
    groups = [group for group, pair in enumerate(pairs) for _ in pair]
    return np.array(sizes, dtype=np.int64), np.array(groups, dtype=np.int64)


def windows_of(packing: Packing) -> list[list[int]]:
    inner = np.split(packing.order, packing.bounds[1:-1])
    return [window.tolist() for window in inner] if packing.num_windows else []


pairs = st.lists(st.lists(st.integers(1, CAPACITY), min_size=1, max_size=6), max_size=12)
singles = st.lists(st.lists(st.integers(1, CAPACITY), min_size=1, max_size=1), max_size=40)


def test_split_aware_ends_a_window_at_the_first_chunk_that_does_not_fit() -> None:
    packing = split_aware(*arrays([5, 4], [5, 5], [10], [2]), capacity=CAPACITY)
    assert packing.order.tolist() == [0, 1, 2, 3, 4, 5]
    assert packing.bounds.tolist() == [0, 2, 4, 5, 6]


def test_the_example_of_the_module() -> None:
    packing = best_fit(*arrays([4, 4], [2], [3, 4, 9]), capacity=CAPACITY)
    assert windows_of(packing) == [[0, 1, 2], [3, 4], [5]]


def test_best_fit_fills_the_gaps() -> None:
    packing = best_fit(*arrays([8], [7], [3], [2], [6], [4]), capacity=CAPACITY)
    assert windows_of(packing) == [[0, 3], [1, 2], [4, 5]]


def test_best_fit_takes_the_fullest_window_with_room() -> None:
    packing = best_fit(*arrays([6], [7], [8], [2], [3]), capacity=CAPACITY)
    assert windows_of(packing) == [[0], [1, 4], [2, 3]]


def test_a_group_too_large_for_a_window_goes_in_runs() -> None:
    packing = best_fit(*arrays([4, 4, 4, 4, 3], [2], [2]), capacity=CAPACITY)
    assert windows_of(packing) == [[0, 1, 6], [2, 3, 5], [4]]


@pytest.mark.parametrize("name", ASSEMBLIES)
def test_nothing_makes_no_window(name: str) -> None:
    assert ASSEMBLIES[name](*arrays(), capacity=CAPACITY).bounds.tolist() == [0]


@pytest.mark.parametrize("name", ASSEMBLIES)
@given(pairs=pairs)
def test_every_chunk_is_in_one_window_with_room_for_it(
    name: str, pairs: Sequence[Sequence[int]]
) -> None:
    sizes, groups = arrays(*pairs)
    packing = ASSEMBLIES[name](sizes, groups, capacity=CAPACITY)
    assert np.array_equal(np.sort(packing.order), np.arange(len(sizes)))
    windows = windows_of(packing)
    assert all(windows)
    assert all(sizes[window].sum() <= CAPACITY for window in windows)
    assert all(window == sorted(window) for window in windows)
    firsts = [window[0] for window in windows]
    assert firsts == sorted(firsts)


@given(pairs=pairs)
def test_split_aware_keeps_the_order_and_never_stops_early(pairs: Sequence[Sequence[int]]) -> None:
    sizes, groups = arrays(*pairs)
    packing = split_aware(sizes, groups, capacity=CAPACITY)
    assert np.array_equal(packing.order, np.arange(len(sizes)))
    for start, end in zip(packing.bounds[:-2], packing.bounds[1:-1], strict=True):
        assert sizes[start : end + 1].sum() > CAPACITY


@given(pairs=pairs)
def test_best_fit_never_parts_a_group_that_fits(pairs: Sequence[Sequence[int]]) -> None:
    sizes, groups = arrays(*pairs)
    windows = windows_of(best_fit(sizes, groups, capacity=CAPACITY))
    for group, pair in enumerate(pairs):
        if sum(pair) <= CAPACITY:
            assert sum(group in groups[window] for window in windows) == 1


@given(pairs=st.one_of(pairs, singles))
def test_no_two_windows_of_best_fit_would_fit_in_one(pairs: Sequence[Sequence[int]]) -> None:
    sizes, groups = arrays(*pairs)
    windows = windows_of(best_fit(sizes, groups, capacity=CAPACITY))
    filled = sorted(int(sizes[window].sum()) for window in windows)
    assert len(filled) < 2 or filled[0] + filled[1] > CAPACITY
    assert len(windows) <= 2 * -(-int(sizes.sum()) // CAPACITY)


@given(pairs=singles)
def test_best_fit_stays_within_its_bound_of_any_other_packing(
    pairs: Sequence[Sequence[int]],
) -> None:
    """Its 11/9 of the fewest windows, plus four, against an upper bound of the fewest."""
    sizes, groups = arrays(*pairs)
    in_order = split_aware(sizes, groups, capacity=CAPACITY).num_windows
    assert best_fit(sizes, groups, capacity=CAPACITY).num_windows <= 11 * in_order / 9 + 4


def naive_best_fit(sizes: Sequence[int], *, capacity: int) -> list[int]:
    """Free tokens of all windows by trying every window for every chunk."""
    free: list[int] = []
    for size in sorted(sizes, reverse=True):
        room = [space for space in free if space >= size]
        if room:
            free.remove(min(room))
        free.append((min(room) if room else capacity) - size)
    return sorted(free)


@given(sizes=st.lists(st.integers(1, 5000), max_size=60), capacity=st.integers(5000, 9000))
def test_the_index_of_free_space_finds_what_a_search_of_all_windows_finds(
    sizes: Sequence[int], capacity: int
) -> None:
    chunks, groups = arrays(*[[size] for size in sizes])
    windows = windows_of(best_fit(chunks, groups, capacity=capacity))
    free = sorted(capacity - int(chunks[window].sum()) for window in windows)
    assert free == naive_best_fit(sizes, capacity=capacity)


def test_a_group_of_100_000_chunks_and_a_wide_window() -> None:
    sizes = 1 + np.arange(100_000, dtype=np.int64) * 7919 % 2000
    packing = best_fit(sizes, np.zeros_like(sizes), capacity=131_072)
    assert len(packing.order) == len(sizes)
    assert packing.num_windows <= 1.02 * sizes.sum() / 131_072 + 1
