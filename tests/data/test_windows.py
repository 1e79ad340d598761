from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from megatron_crossic.data.modes import Chunk, Part
from megatron_crossic.data.spans import NO_CHUNK, NO_LANGUAGE, NO_PAIR, Role
from megatron_crossic.data.windows import WindowLayout, best_fit, build_window, split_aware

CAPACITY = 10
Assembly = Callable[..., Iterator[list[Chunk]]]


def chunk(size: int, *, pair: int = 0, target: int = 0) -> Chunk:
    """`size` source tokens 10, 11, … and `target` target tokens 50, 51, …"""
    parts = [
        Part(tokens=np.arange(first, first + n, dtype=np.int32), language=language, role=role)
        for first, n, language, role in ((10, size, 0, Role.SOURCE), (50, target, 1, Role.TARGET))
        if n
    ]
    return Chunk(pair=pair, parts=tuple(parts), num_tokens=size + target)


def groups_of(sizes: Sequence[Sequence[int]]) -> list[list[Chunk]]:
    return [[chunk(size, pair=i) for size in group] for i, group in enumerate(sizes)]


def sizes_of(windows: Iterator[list[Chunk]]) -> list[list[int]]:
    return [[chunk.num_tokens for chunk in window] for window in windows]


def test_split_aware_backs_off_to_the_last_split() -> None:
    # Windows of ten; every chunk takes one more for its SPLIT.
    found = sizes_of(split_aware(groups_of([[4, 3], [4, 4], [9], [1]]), capacity=CAPACITY))
    assert found == [[4, 3], [4, 4], [9], [1]]


def test_best_fit_fills_the_gaps() -> None:
    found = sizes_of(best_fit(groups_of([[7], [6], [2], [1], [5], [3]]), capacity=CAPACITY))
    assert sorted(found) == [[5, 3], [6, 2], [7, 1]]


def test_best_fit_keeps_a_pair_together_in_order() -> None:
    found = sizes_of(best_fit(groups_of([[1, 3], [3], [2, 1, 1]]), capacity=CAPACITY))
    assert found == [[1, 3, 3], [2, 1, 1]]


def test_best_fit_takes_a_pair_apart_that_fits_nowhere() -> None:
    found = sizes_of(best_fit(groups_of([[6, 5], [3], [2]]), capacity=CAPACITY))
    assert sorted(found) == [[5, 3], [6, 2]]


def test_best_fit_looks_no_further_than_its_buffer() -> None:
    taken = 0

    def stream() -> Iterator[list[Chunk]]:
        nonlocal taken
        for group in groups_of([[7]] * 100):
            taken += 1
            yield group

    next(best_fit(stream(), capacity=CAPACITY, buffer_chunks=8))
    assert taken == 8


pair_sizes = st.lists(st.lists(st.integers(1, CAPACITY - 1), min_size=1, max_size=4), max_size=12)


@pytest.mark.parametrize("assembly", [split_aware, best_fit])
@given(sizes=pair_sizes)
def test_every_chunk_is_whole_in_one_window(
    assembly: Assembly, sizes: Sequence[Sequence[int]]
) -> None:
    groups = groups_of(sizes)
    options = {} if assembly is split_aware else {"buffer_chunks": 5}
    windows = list(assembly(groups, capacity=CAPACITY, **options))
    placed = [id(chunk) for window in windows for chunk in window]
    assert sorted(placed) == sorted(id(chunk) for group in groups for chunk in group)
    assert all(windows)
    assert all(sum(c.num_tokens + 1 for c in window) <= CAPACITY for window in windows)
    if assembly is split_aware:
        assert placed == [id(chunk) for group in groups for chunk in group]
    arrival = {id(c): i for i, c in enumerate(c for group in groups for c in group)}
    for window in windows:
        places = [arrival[id(chunk)] for chunk in window]
        assert places == sorted(places)


@given(sizes=pair_sizes)
def test_best_fit_never_parts_a_pair_that_fits(sizes: Sequence[Sequence[int]]) -> None:
    windows = list(best_fit(groups_of(sizes), capacity=CAPACITY, buffer_chunks=5))
    for pair, group in enumerate(sizes):
        if sum(group) + len(group) <= CAPACITY:
            holding = [window for window in windows if any(c.pair == pair for c in window)]
            assert len(holding) == 1


@given(sizes=st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=1), min_size=1))
def test_best_fit_needs_no_more_windows(sizes: Sequence[Sequence[int]]) -> None:
    in_order = len(list(split_aware(groups_of(sizes), capacity=CAPACITY)))
    packed = len(list(best_fit(groups_of(sizes), capacity=CAPACITY)))
    assert packed <= in_order


def layout(*, bos_id: int | None = 1) -> WindowLayout:
    return WindowLayout(
        seq_length=12, bos_id=bos_id, split_id=2, pad_id=3, dtype=np.dtype(np.uint16)
    )


def test_the_layout_of_a_window() -> None:
    window = build_window([chunk(2, pair=7, target=3), chunk(1, pair=8)], layout())
    assert window.tokens.tolist() == [1, 10, 11, 50, 51, 52, 2, 10, 2, 3, 3, 3]
    assert window.tokens.dtype == np.uint16
    none = (NO_CHUNK, NO_PAIR, NO_LANGUAGE)
    assert window.spans.tolist() == [
        (0, 1, *none, Role.BOS),
        (1, 2, 0, 7, 0, Role.SOURCE),
        (3, 3, 0, 7, 1, Role.TARGET),
        (6, 1, 0, 7, NO_LANGUAGE, Role.SPLIT),
        (7, 1, 1, 8, 0, Role.SOURCE),
        (8, 1, 1, 8, NO_LANGUAGE, Role.SPLIT),
        (9, 3, *none, Role.PAD),
    ]


def test_a_full_window_without_bos_has_neither_bos_nor_padding() -> None:
    window = build_window([chunk(11)], layout(bos_id=None))
    assert window.tokens.tolist() == [*range(10, 21), 2]
    assert [row[-1] for row in window.spans.tolist()] == [Role.SOURCE, Role.SPLIT]


def test_what_fits() -> None:
    assert (layout().capacity, layout().budget) == (11, 10)
    assert (layout(bos_id=None).capacity, layout(bos_id=None).budget) == (12, 11)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 3)), max_size=2), st.booleans())
def test_spans_cover_a_window(parts: list[tuple[int, int]], with_bos: bool) -> None:
    chunks = [chunk(size, target=target) for size, target in parts][:1]
    window = build_window(chunks, layout(bos_id=1 if with_bos else None))
    starts, lengths = window.spans["start"], window.spans["length"]
    assert starts[0] == 0
    assert (starts[1:] == (starts + lengths)[:-1]).all()
    assert starts[-1] + lengths[-1] == 12
    assert (lengths > 0).all()
