"""Whether two results differ by more than their steps differ among themselves.

For a point in both, the ratio of the medians of the step times, and an interval for it by the
bootstrap: both lists of step times are drawn from again, with repetition, ten thousand times, and
the middle 95 % of the ratios are the interval. Where it holds 1, the difference is within the
spread. The draws have a fixed seed, so the same files give the same answer.

What the interval cannot know is how much two runs of the same differ, on other nodes or another
day. Measure the baseline twice: two results of the same configuration should be within the spread.
And of many points that are the same, one in twenty differs by this rule.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.errors import DataError
from megatron_crossic.profiling.document import Point, measured
from megatron_crossic.profiling.table import table

DRAWS = 10_000
CONFIDENCE = 0.95
SEED = 1234


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """Two measurements of one point."""

    name: str
    before: float
    """Median seconds of a step in the first result."""
    after: float
    low: float
    """Lower end of the interval of the ratio `after` / `before`."""
    high: float

    @property
    def ratio(self) -> float:
        """Above 1 the second result is slower."""
        return self.after / self.before

    @property
    def verdict(self) -> Literal["faster", "slower", "within the spread"]:
        """What the second result is, compared with the first."""
        if self.high < 1:
            return "faster"
        return "slower" if self.low > 1 else "within the spread"


def compare(first: Sequence[Point], second: Sequence[Point]) -> list[Difference]:
    """Every point measured in both, in the order of the first; `DataError` where there is none.

    Results of one point each compare whatever the names: two variants of one configuration.
    """
    before, after = measured(first), measured(second)
    if len(before) == len(after) == 1:
        pairs = [(before[0], after[0])]
    else:
        by_name = {point["name"]: point for point in after}
        pairs = [(one, by_name[one["name"]]) for one in before if one["name"] in by_name]
    if not pairs:
        raise DataError(
            "results that are compared must have a measured point in common, got "
            f"{_names(before)} and {_names(after)}. Measure the same points."
        )
    return [_difference(one, other) for one, other in pairs]


def _names(points: Sequence[Point]) -> str:
    return ", ".join(point["name"] for point in points) or "none"


def _difference(first: Point, second: Point) -> Difference:
    for what, work in (("model", _model), ("tokens a step", _tokens), ("attention scope", _scope)):
        if work(first) != work(second):
            raise DataError(
                f"points that are compared must have the same {what}, got others in "
                f"{first['name']} and {second['name']}. Measure the same work."
            )
    low, high = ratio_interval(first["every_step_seconds"], second["every_step_seconds"])
    names = dict.fromkeys((first["name"], second["name"]))
    return Difference(
        name=" -> ".join(names),
        before=first["step_seconds"]["median"],
        after=second["step_seconds"]["median"],
        low=low,
        high=high,
    )


def _model(point: Point) -> Any:
    return point["model"], point["work"]["seq_length"]


def _scope(point: Point) -> Any:
    return point["config"]["data"]["attention_scope"]


def _tokens(point: Point) -> int:
    return int(point["work"]["seq_length"] * point["work"]["global_batch_size"])


def ratio_interval(before: Sequence[float], after: Sequence[float]) -> tuple[float, float]:
    """The middle 95 % of median(after) / median(before) over draws with repetition."""
    random = np.random.default_rng(SEED)
    ratios = _medians(random, after) / _medians(random, before)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(ratios, (tail, 1 - tail))
    return float(low), float(high)


def _medians(random: np.random.Generator, seconds: Sequence[float]) -> NDArray[np.float64]:
    drawn = random.choice(np.asarray(seconds, dtype=np.float64), size=(DRAWS, len(seconds)))
    medians: NDArray[np.float64] = np.median(drawn, axis=1)
    return medians


def to_markdown(differences: Sequence[Difference]) -> str:
    """The comparison as a table."""
    heads = ("point", "before, ms", "after, ms", "ratio", f"{CONFIDENCE:.0%} interval", "verdict")
    return table(
        heads,
        (
            [
                one.name,
                f"{1e3 * one.before:,.1f}",
                f"{1e3 * one.after:,.1f}",
                f"{one.ratio:.3f}",
                f"{one.low:.3f} to {one.high:.3f}",
                one.verdict,
            ]
            for one in differences
        ),
    )
