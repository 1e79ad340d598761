"""The counts of a pair file as charts: lengths of each language, ratios of each two."""

import math
from collections.abc import Callable, Mapping

from megatron_crossic.inspection.charts import Bar, Chart, times
from megatron_crossic.inspection.pairs.account import Breakdown
from megatron_crossic.inspection.pairs.log_histogram import LogHistogram
from megatron_crossic.inspection.pairs.statistics import (
    LanguageStatistics,
    PairStatistics,
    SidesStatistics,
)

LENGTH_STEPS = 2
"""Bars per doubling."""
RATIO_STEPS = (16, 8, 4)
"""The same for ratios: the most that make no more than `MOST_BARS`."""
MOST_BARS = 40
LARGEST_DOUBLING = 4
"""Ratios beyond 1/16 and 16 are drawn in the outermost bars."""
MOST_EDGES = 7
"""Numbers below an axis that do not touch each other on a phone."""


def language_breakdown(statistics: PairStatistics) -> Breakdown:
    """Documents by language."""
    rows = tuple((code, s.num_documents) for code, s in statistics.languages.items())
    return Breakdown(
        title="Documents by language",
        caption=f"{statistics.num_documents:,} documents in {statistics.num_pairs:,} pairs.",
        rows=rows,
    )


def length_charts(statistics: PairStatistics) -> list[Chart]:
    """One chart a language, all over the same range so that they can be compared."""
    coarse = [s.lengths.coarse(LENGTH_STEPS) for s in statistics.languages.values()]
    used = [step for counts in coarse for step in counts]
    if not used:
        return []
    first, last = _whole_doublings(min(used), max(used), LENGTH_STEPS)
    return [
        _length_chart(found, counts, first, last, series)
        for series, (found, counts) in enumerate(
            zip(statistics.languages.values(), coarse, strict=True)
        )
    ]


def _length_chart(
    found: LanguageStatistics, counts: Mapping[int, int], first: int, last: int, series: int
) -> Chart:
    empty = f" Empty: {found.num_empty:,}." if found.num_empty else ""
    return Chart(
        name=f"lengths-{found.language}",
        title=f"Lengths, {found.language}",
        x_label="characters of a document",
        y_label="documents",
        caption=f"{quantiles_in_words(found.lengths, '{:,.0f}')}; the longest has "
        f"{found.longest:,} characters.{empty}",
        bars=_bars(counts, first, last, LENGTH_STEPS, series, _number, _short_number),
        last_edge=_short_number(last / LENGTH_STEPS),
    )


def ratio_charts(statistics: PairStatistics) -> list[Chart]:
    """One chart for each two languages that are paired."""
    return [_ratio_chart(found) for found in statistics.sides.values() if found.ratios.total]


def _ratio_chart(found: SidesStatistics) -> Chart:
    steps, counts, (first, last) = _ratio_bars(found.ratios)
    empty = f" With an empty side: {found.num_one_empty:,}." if found.num_one_empty else ""
    return Chart(
        name=f"ratios-{found.source}-{found.target}",
        title=f"Length ratios, {found.target} to {found.source}",
        x_label=f"{found.target} characters per {found.source} character",
        y_label="pairs",
        caption=f"{quantiles_in_words(found.ratios, '{:.2f}')}.{empty}{_beyond(found)}",
        bars=_bars(counts, first, last, steps, None, _ratio, times),
        last_edge=times(last / steps),
    )


def _beyond(found: SidesStatistics) -> str:
    """Says so where the outermost bars hold more than their place on the axis."""
    doublings = found.ratios.coarse(1)
    if min(doublings) >= -LARGEST_DOUBLING and max(doublings) < LARGEST_DOUBLING:
        return ""
    largest = 2**LARGEST_DOUBLING
    return f" The outermost bars also hold what is beyond 1/{largest} and {largest}."


def _ratio_bars(ratios: LogHistogram) -> tuple[int, dict[int, int], tuple[int, int]]:
    """Bars per doubling, counts of bars, and the range of bars: the finest that fits."""
    for steps in RATIO_STEPS:
        largest = LARGEST_DOUBLING * steps
        counts: dict[int, int] = {}
        for step, n in ratios.coarse(steps).items():
            clipped = min(max(step, -largest), largest - 1)
            counts[clipped] = counts.get(clipped, 0) + n
        first, last = _whole_doublings(min(counts), max(counts), steps)
        if last - first <= MOST_BARS:
            break
    return steps, counts, (first, last)


def quantiles_in_words(histogram: LogHistogram, form: str) -> str:
    """As in "Median 3,200, 5 % below 410, 5 % above 21,000"."""
    low, middle, high = (histogram.quantile(q) for q in (0.05, 0.5, 0.95))
    if low is None or middle is None or high is None:
        return "Nothing to measure"
    return (
        f"Median {form.format(middle)}, 5 % below {form.format(low)}, 5 % above {form.format(high)}"
    )


def _whole_doublings(first: int, last: int, steps: int) -> tuple[int, int]:
    """The bars from `first` to `last` and those up to the next powers of 2: (first, end)."""
    return first // steps * steps, (last // steps + 1) * steps


def _bars(
    counts: Mapping[int, int],
    first: int,
    last: int,
    steps: int,
    series: int | None,
    label: Callable[[float], str],
    edge: Callable[[float], str],
) -> tuple[Bar, ...]:
    """Bars of 1/steps doublings; `label` and `edge` write a number that is given as its log2."""
    every = steps * math.ceil((last - first) / steps / MOST_EDGES)
    return tuple(
        Bar(
            label=f"{label(i / steps)} to {label((i + 1) / steps)}",
            edge=edge(i / steps) if (i - first) % every == 0 and i + every <= last else "",
            count=counts.get(i, 0),
            series=series,
        )
        for i in range(first, last)
    )


def _number(doublings: float) -> str:
    return f"{2**doublings:,.0f}"


def _ratio(doublings: float) -> str:
    return f"{2**doublings:.2f}"


def _short_number(doublings: float) -> str:
    return f"{2**doublings:,.0f}" if doublings < 20 else f"{2**doublings / 1e6:.2g}M"
