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

LENGTH_STEPS, RATIO_STEPS = 2, 4
"""Bars per doubling."""
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
    return Chart(
        name=f"lengths-{found.language}",
        title=f"Lengths, {found.language}",
        x_label="characters of a document",
        y_label="documents",
        caption=f"{quantiles_in_words(found.lengths, '{:,.0f}')}; the longest has "
        f"{found.longest:,} characters, {found.num_empty:,} have none.",
        bars=_bars(counts, first, last, LENGTH_STEPS, series, _number, _short_number),
        last_edge=_short_number(last / LENGTH_STEPS),
    )


def ratio_charts(statistics: PairStatistics) -> list[Chart]:
    """One chart for each two languages that are paired."""
    return [_ratio_chart(found) for found in statistics.sides.values() if found.ratios.total]


def _ratio_chart(found: SidesStatistics) -> Chart:
    largest = LARGEST_DOUBLING * RATIO_STEPS
    counts: dict[int, int] = {}
    for step, n in found.ratios.coarse(RATIO_STEPS).items():
        clipped = min(max(step, -largest), largest - 1)
        counts[clipped] = counts.get(clipped, 0) + n
    first, last = _whole_doublings(min(counts), max(counts), RATIO_STEPS)
    return Chart(
        name=f"ratios-{found.source}-{found.target}",
        title=f"Length ratios, {found.target} to {found.source}",
        x_label=f"{found.target} characters per {found.source} character",
        y_label="pairs",
        caption=f"{quantiles_in_words(found.ratios, '{:.2f}')}. {found.num_one_empty:,} pairs "
        f"have an empty side and no ratio. The outermost bars also hold what is beyond "
        f"1/{2**LARGEST_DOUBLING} and {2**LARGEST_DOUBLING}.",
        bars=_bars(counts, first, last, RATIO_STEPS, None, _ratio, times),
        last_edge=times(last / RATIO_STEPS),
    )


def quantiles_in_words(histogram: LogHistogram, form: str) -> str:
    """ "Median 3,200, 5 % below 410, 5 % above 21,000"."""
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
    return f"{2**doublings:,.0f}" if doublings < 17 else f"{2**doublings / 1e6:.2g}M"
