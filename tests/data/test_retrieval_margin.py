"""The ratio margin by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from megatron_crossic.data.retrieval.selection.margin import mean_of_neighbours, ratio_margin

LEAST_FLOAT = np.finfo(np.float32).min


def test_the_example_of_the_docstring() -> None:
    forward = mean_of_neighbours(np.array([[0.8, 0.6, 0.5, 0.5]] * 2, dtype=np.float32))
    backward = mean_of_neighbours(np.array([[0.8, 0.5, 0.4, 0.3], [0.8] * 4], dtype=np.float32))
    assert forward == pytest.approx([0.6, 0.6])
    assert backward == pytest.approx([0.5, 0.8])
    found = ratio_margin(np.array([0.8, 0.8]), forward, backward)
    assert found == pytest.approx([0.8 / 0.55, 0.8 / 0.7])


def test_neighbours_that_do_not_exist_do_not_count() -> None:
    scores = np.array(
        [
            [0.8, 0.4, -np.inf, -np.inf],
            [0.8, LEAST_FLOAT, LEAST_FLOAT, LEAST_FLOAT],
            [0.5, -0.5, np.nan, -np.inf],
            [-np.inf] * 4,
        ],
        dtype=np.float32,
    )
    assert mean_of_neighbours(scores) == pytest.approx([0.6, 0.8, 0.0, 0.0])
    assert mean_of_neighbours(np.zeros((0, 4), dtype=np.float32)).shape == (0,)


def test_a_mean_that_is_not_positive_says_nothing() -> None:
    similarity = np.array([0.5, 0.5, -0.2, 0.5])
    forward = np.array([0.0, -0.3, -0.2, -0.1])
    backward = np.array([0.0, 0.1, -0.2, 0.3])
    assert ratio_margin(similarity, forward, backward) == pytest.approx([0, 0, 0, 5])


@given(st.floats(0.01, 1), st.floats(0.01, 1), st.floats(0.01, 1), st.floats(0.1, 10))
def test_the_scale_of_an_encoder_does_not_matter(
    similarity: float, forward: float, backward: float, scale: float
) -> None:
    values = [np.array([value]) for value in (similarity, forward, backward)]
    scaled = [scale * value for value in values]
    assert ratio_margin(*values) == pytest.approx(ratio_margin(*scaled))
    assert ratio_margin(values[1], values[1], values[1]) == pytest.approx(1)
