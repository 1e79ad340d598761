"""Stretches of flattened arrays as boxes."""

from math import prod

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from megatron_crossic.checkpoint.pieces import boxes


@st.composite
def stretches(draw: st.DrawFn) -> tuple[tuple[int, ...], int, int]:
    shape = tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)))
    start = draw(st.integers(0, prod(shape)))
    return shape, start, draw(st.integers(start, prod(shape)))


@given(stretches())
def test_boxes_are_the_stretch_in_order(stretch: tuple[tuple[int, ...], int, int]) -> None:
    shape, start, stop = stretch
    array = np.arange(prod(shape)).reshape(shape)
    found = list(boxes(shape, start, stop))
    inside = [
        array[tuple(slice(a, a + n) for a, n in zip(offset, sizes, strict=True))].flatten()
        for offset, sizes in found
    ]
    assert np.array_equal(np.concatenate([[], *inside]), np.arange(start, stop))
    assert len(found) <= 2 * len(shape) - 1


def test_the_example_of_the_documentation() -> None:
    assert list(boxes((4, 4), 2, 13)) == [
        ((0, 2), (1, 2)),
        ((1, 0), (2, 4)),
        ((3, 0), (1, 1)),
    ]
