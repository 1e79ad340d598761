from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from megatron_crossic.data.chunks import Outline, atom_cuts, cut_together
from megatron_crossic.data.packing import ASSEMBLIES, Integers, Packing, best_fit, split_aware
from megatron_crossic.data.pieces import SPLIT_TOKENS

CAPACITY = 10
LARGEST = CAPACITY - SPLIT_TOKENS
Groups = Sequence[Sequence[int]]


def arrays(groups: Groups) -> tuple[Integers, Integers]:
    """Sizes of pieces and the group of each, from the piece sizes of each group."""
    sizes = [size for group in groups for size in group]
    numbers = [number for number, group in enumerate(groups) for _ in group]
    return np.array(sizes, dtype=np.int64), np.array(numbers, dtype=np.int64)


def windows_of(packing: Packing) -> list[list[range]]:
    """The pieces of each chunk of each window."""
    chunks = [range(first, stop) for first, stop in pairwise(packing.chunks.tolist())]
    return [
        [chunks[chunk] for chunk in packing.order[start:end]]
        for start, end in pairwise(packing.bounds.tolist())
    ]


def packed(
    assembly: str | Callable[..., Packing], *groups: Sequence[int], largest: int = LARGEST
) -> list[list[list[int]]]:
    """Windows of chunks of piece sizes."""
    sizes, numbers = arrays(groups)
    assemble = ASSEMBLIES[assembly] if isinstance(assembly, str) else assembly
    packing = assemble(sizes, numbers, capacity=CAPACITY, largest=largest)
    return [[sizes[list(chunk)].tolist() for chunk in window] for window in windows_of(packing)]


def filled(windows: Sequence[Sequence[Sequence[int]]]) -> list[int]:
    """Tokens in each window, SPLITs included."""
    return [sum(sum(chunk) + SPLIT_TOKENS for chunk in window) for window in windows]


pieces = st.lists(st.integers(1, 4), min_size=1, max_size=9)
many_groups = st.lists(pieces, max_size=12)
largest_chunks = st.integers(4, LARGEST)


def test_the_example_of_the_module() -> None:
    groups = [5], [3, 3, 4, 5], [4]
    assert packed(split_aware, *groups) == [[[5]], [[3, 3]], [[4, 5]], [[4]]]
    assert packed(best_fit, *groups) == [[[5], [3]], [[3], [4]], [[4, 5]]]


def test_the_example_of_filling() -> None:
    windows = packed(best_fit, [5, 2, 9, 9], [4, 5, 9], [3, 3, 9])
    assert [[5], [3]] in windows


def test_split_aware_backs_off_to_the_last_split() -> None:
    windows = packed(split_aware, [4], [3], [4], [4], [9], [1])
    assert windows == [[[4], [3]], [[4], [4]], [[9]], [[1]]]


def test_best_fit_takes_the_fullest_window_with_room() -> None:
    assert packed(best_fit, [5], [6], [7], [1], [2]) == [[[5]], [[6], [2]], [[7], [1]]]


def test_best_fit_keeps_a_group_that_fits_together_in_chunks_of_the_largest_size() -> None:
    # 2 + 2 and 2 + 2 are two chunks, 10 with their SPLITs.
    assert packed(best_fit, [2, 2, 2, 2], [5], largest=5) == [[[2, 2], [2, 2]], [[5]]]


@pytest.mark.parametrize("name", ASSEMBLIES)
def test_nothing_makes_no_window(name: str) -> None:
    packing = ASSEMBLIES[name](*arrays([]), capacity=CAPACITY, largest=LARGEST)
    assert packing.chunks.tolist() == packing.bounds.tolist() == [0]
    assert packing.order.size == 0


@pytest.mark.parametrize("name", ASSEMBLIES)
@given(groups=many_groups, largest=largest_chunks)
def test_every_piece_is_in_one_chunk_whole_in_one_window(
    name: str, groups: Groups, largest: int
) -> None:
    sizes, numbers = arrays(groups)
    packing = ASSEMBLIES[name](sizes, numbers, capacity=CAPACITY, largest=largest)
    windows = windows_of(packing)
    chunks = [chunk for window in windows for chunk in window]
    assert sorted(piece for chunk in chunks for piece in chunk) == list(range(len(sizes)))
    for chunk in chunks:
        assert len(set(numbers[list(chunk)])) == 1
        assert sizes[list(chunk)].sum() <= largest
    for window in windows:
        assert window
        assert sum(sizes[list(chunk)].sum() + SPLIT_TOKENS for chunk in window) <= CAPACITY
        assert [chunk.start for chunk in window] == sorted(chunk.start for chunk in window)
    firsts = [window[0].start for window in windows]
    assert firsts == sorted(firsts)


@given(groups=many_groups, largest=largest_chunks)
def test_split_aware_keeps_the_order_and_never_stops_early(groups: Groups, largest: int) -> None:
    windows = packed(split_aware, *groups, largest=largest)
    flat = [size for window in windows for chunk in window for size in chunk]
    assert flat == [size for group in groups for size in group]
    for window, following in pairwise(windows):
        assert filled([window])[0] + sum(following[0]) + SPLIT_TOKENS > CAPACITY


@given(
    sizes=st.lists(st.integers(1, 20), min_size=1, max_size=12),
    others=st.lists(st.integers(1, 20), min_size=1, max_size=12),
    largest=st.integers(8, 40),
)
def test_the_chunks_of_split_aware_are_the_parts_of_cut_together(
    sizes: Sequence[int], others: Sequence[int], largest: int
) -> None:
    sides = [Outline(paragraph_ends=np.cumsum(side, dtype=np.int64)) for side in (sizes, others)]
    atoms = np.diff(atom_cuts(sides, budget=largest).sum(axis=1))
    packing = split_aware(atoms, np.zeros_like(atoms), capacity=largest + 1, largest=largest)
    parts = np.diff(cut_together(sides, budget=largest).sum(axis=1))
    assert np.add.reduceat(atoms, packing.chunks[:-1]).tolist() == parts.tolist()


@given(groups=many_groups, largest=largest_chunks)
def test_best_fit_never_parts_a_group_that_fits(groups: Groups, largest: int) -> None:
    sizes, numbers = arrays(groups)
    packing = best_fit(sizes, numbers, capacity=CAPACITY, largest=largest)
    homes = [{int(numbers[chunk[0]]) for chunk in window} for window in windows_of(packing)]
    for number, group in enumerate(groups):
        chunks = packed(split_aware, group, largest=largest)
        if sum(filled(chunks)) <= CAPACITY:
            assert sum(number in home for home in homes) == 1
            assert np.isin(numbers[packing.chunks[:-1]], number).sum() == sum(map(len, chunks))


@given(groups=many_groups, largest=largest_chunks)
def test_no_two_windows_of_best_fit_would_fit_in_one(groups: Groups, largest: int) -> None:
    """Which is why there are at most twice as many as full windows."""
    windows = packed(best_fit, *groups, largest=largest)
    smallest = sorted(filled(windows))[:2]
    assert len(windows) < 2 or sum(smallest) > CAPACITY
    assert len(windows) <= 2 * -(-sum(filled(windows)) // CAPACITY)


@given(sizes=st.lists(st.integers(1, LARGEST), max_size=40))
def test_best_fit_of_whole_groups_stays_within_its_bound(sizes: Sequence[int]) -> None:
    """11/9 of the fewest windows, plus four; split_aware's are at least the fewest."""
    groups = [[size] for size in sizes]
    in_order = len(packed(split_aware, *groups))
    assert len(packed(best_fit, *groups)) <= 11 * in_order / 9 + 4


def real_like_groups() -> list[list[int]]:
    """40 groups of 20 to 400 pieces of 1 to 160 tokens, 1.3 million in all."""
    return [[1 + 7919 * (i + 31 * j) % 160 for i in range(20 + 10 * j)] for j in range(40)]


@pytest.mark.parametrize("largest", [4095, 1024])
@pytest.mark.parametrize("capacity", [2048, 4096])
def test_best_fit_leaves_at_most_half_a_percent_of_long_groups(largest: int, capacity: int) -> None:
    sizes, numbers = arrays(real_like_groups())
    largest = min(largest, capacity - SPLIT_TOKENS)
    packing = best_fit(sizes, numbers, capacity=capacity, largest=largest)
    laid = int(sizes.sum()) + SPLIT_TOKENS * len(packing.order)
    fewest = -(-laid // capacity)
    assert packing.num_windows <= 1.005 * fewest + 1
    in_order = split_aware(sizes, numbers, capacity=capacity, largest=largest)
    assert packing.num_windows < in_order.num_windows


def test_no_run_is_cut_to_a_crumb() -> None:
    sizes, numbers = arrays(real_like_groups())
    packing = best_fit(sizes, numbers, capacity=4096, largest=4095)
    chunks = np.add.reduceat(sizes, packing.chunks[:-1])
    last = np.append(np.diff(numbers[packing.chunks[:-1]]) != 0, True)
    assert (~last).sum() > 100
    assert chunks[~last].min() >= 4096 // 32


def test_a_group_of_100_000_pieces_and_a_wide_window() -> None:
    sizes = 1 + np.arange(100_000, dtype=np.int64) * 7919 % 2000
    packing = best_fit(sizes, np.zeros_like(sizes), capacity=131_072, largest=131_071)
    assert packing.chunks[-1] == len(sizes)
    assert packing.num_windows <= 1.02 * sizes.sum() / 131_072 + 1
