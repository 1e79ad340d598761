"""What the statistics of windows say, as charts."""

from collections.abc import Sequence

import numpy as np

from megatron_crossic.inspection.charts import Bar, Chart, chart_html, coarsen, times
from megatron_crossic.inspection.marks import visible_line
from megatron_crossic.inspection.statistics import (
    LARGEST_DOUBLING,
    RATIO_STEPS,
    Statistics,
    ratio_bins,
)


def statistics_charts(statistics: Statistics, languages: Sequence[str]) -> list[Chart]:
    """Fill rate, chunk lengths, length ratios and language shares."""
    windows = f"{statistics.num_counted:,} windows"
    every = statistics.num_counted == statistics.num_windows
    over = f"All {windows}" if every else f"{windows} of {statistics.num_windows:,}, evenly spread"
    return [
        _fill_chart(statistics, over),
        _chunk_chart(statistics, over),
        _ratio_chart(statistics, over),
        _language_chart(statistics, over, languages),
    ]


def _fill_chart(statistics: Statistics, over: str) -> Chart:
    seq_length = len(statistics.filled) - 1
    percent = 100 * np.arange(seq_length + 1) / seq_length
    mean = float(percent @ statistics.filled) / max(1, statistics.num_counted)
    bars, last = coarsen(percent, statistics.filled, label=lambda x: f"{x:g} %", limit=100)
    return Chart(
        name="fill",
        title="Fill rate",
        x_label="tokens that are not padding",
        y_label="windows",
        caption=f"{over}; {mean:.2f} % filled on average.",
        bars=bars,
        last_edge=last,
    )


def _chunk_chart(statistics: Statistics, over: str) -> Chart:
    counts = statistics.chunk_tokens
    lengths = np.arange(len(counts), dtype=np.float64)
    total = int(counts.sum())
    mean = float(lengths @ counts) / max(1, total)
    bars, last = coarsen(lengths, counts, label=lambda x: f"{x:,.0f}", limit=len(counts) - 1)
    return Chart(
        name="chunks",
        title="Chunk lengths",
        x_label="tokens of a chunk",
        y_label="chunks",
        caption=f"{over} with {total:,} chunks of {mean:,.0f} tokens on average.",
        bars=bars,
        last_edge=last,
    )


def _ratio_chart(statistics: Statistics, over: str) -> Chart:
    edges, counts = ratio_bins(), statistics.ratios
    used = np.flatnonzero(counts)
    first, last = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 0)
    # Whole doublings at both ends, so that the axis reads ½ 1 2 4.
    first, last = first // RATIO_STEPS * RATIO_STEPS, -(-last // RATIO_STEPS) * RATIO_STEPS
    upper = edges + 1 / RATIO_STEPS
    bars = tuple(
        Bar(
            label=f"{2 ** edges[i]:.2f} to {2 ** upper[i]:.2f}",
            edge=times(edges[i]) if i % RATIO_STEPS == 0 else "",
            count=int(counts[i]),
        )
        for i in range(first, last)
    )
    alone = statistics.chunks_of_one_side
    largest = 2**LARGEST_DOUBLING
    return Chart(
        name="ratios",
        title="Length ratios",
        x_label="target tokens per source token, in a chunk",
        y_label="chunks",
        caption=(
            f"{over}; {alone:,} chunks have one side only and no ratio. The outermost bars also "
            f"hold what is beyond 1/{largest} and {largest}."
        ),
        bars=bars,
        last_edge=times(edges[last - 1] + 1 / RATIO_STEPS) if last else "",
    )


def _language_chart(statistics: Statistics, over: str, languages: Sequence[str]) -> Chart:
    total = int(statistics.language_tokens.sum())
    names = [visible_line(name) for name in languages]
    counted = zip(names, statistics.language_tokens.tolist(), strict=True)
    return Chart(
        name="languages",
        title="Language shares",
        x_label="language",
        y_label="tokens",
        caption=f"{over} with {total:,} tokens of text.",
        bars=tuple(
            Bar(label=f"{name}, {n / max(1, total):.1%}", edge=name, count=n, series=i)
            for i, (name, n) in enumerate(counted)
        ),
        is_discrete=True,
    )


def charts_html(statistics: Statistics, languages: Sequence[str]) -> str:
    """All figures, one after the other."""
    return "".join(map(chart_html, statistics_charts(statistics, languages)))
