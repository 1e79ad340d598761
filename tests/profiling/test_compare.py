"""Whether two results differ by more than their steps do."""

from typing import Any

import numpy as np
import pytest
from small_profiles import failed, point

from megatron_crossic.errors import DataError
from megatron_crossic.profiling.compare import compare, ratio_interval, to_markdown


def steps(median: float, *, seed: int, spread: float = 0.02, num: int = 20) -> list[float]:
    random = np.random.default_rng(seed)
    return [float(value) for value in median * (1 + spread * random.standard_normal(num))]


def test_a_large_difference_exceeds_the_spread() -> None:
    (slower,) = compare([point("a", steps(1.0, seed=1))], [point("a", steps(1.2, seed=2))])
    assert slower.verdict == "slower"
    assert 1.1 < slower.low < slower.ratio < slower.high < 1.3
    (faster,) = compare([point("a", steps(1.2, seed=2))], [point("a", steps(1.0, seed=1))])
    assert faster.verdict == "faster"


def test_the_same_twice_is_within_the_spread() -> None:
    verdicts = {
        compare([point("a", steps(1.0, seed=0))], [point("a", list(reversed(steps(1.0, seed=0))))])[
            0
        ].verdict
    }
    assert verdicts == {"within the spread"}


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    # 95 % by its own account; medians of 20 steps make it a little wide.
    held = 0
    for seed in range(60):
        low, high = ratio_interval(steps(1.0, seed=2 * seed), steps(1.0, seed=2 * seed + 1))
        held += low <= 1 <= high
    assert held >= 52


def test_the_same_files_give_the_same_answer() -> None:
    first, second = steps(1.0, seed=3), steps(1.01, seed=4)
    assert ratio_interval(first, second) == ratio_interval(first, second)


def test_points_are_matched_by_name_and_single_ones_without() -> None:
    before = [point("a"), point("b"), failed("c")]
    after = [point("b", [2.0, 2.0]), point("c"), point("d")]
    assert [one.name for one in compare(before, after)] == ["b"]
    (single,) = compare([point("a")], [point("z", [0.5, 0.5])])
    assert (single.name, single.ratio, single.verdict) == ("a -> z", 0.5, "faster")
    with pytest.raises(DataError, match="a measured point in common, got a, b and d, e"):
        compare([point("a"), point("b")], [point("d"), point("e")])
    with pytest.raises(DataError, match="got none and none"):
        compare([failed("a")], [failed("a")])


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"batch": 16}, "tokens a step"),
        ({"seq_length": 50}, "model"),
        ({"num_layers": 3}, "model"),
        ({"scope": "chunk"}, "attention scope"),
    ],
)
def test_other_work_does_not_compare(other: dict[str, Any], what: str) -> None:
    with pytest.raises(DataError, match=f"the same {what}, got others in a and b"):
        compare([point("a")], [point("b", **other)])


def test_the_table_names_the_verdict() -> None:
    text = to_markdown(compare([point("a", [1.0, 1.0])], [point("a", [1.5, 1.5])]))
    assert "| a | 1,000.0 | 1,500.0 | 1.500 | 1.500 to 1.500 | slower |" in text
