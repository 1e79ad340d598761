"""The charts of the report as one PNG, in the colours of the page."""

import re
from collections.abc import Sequence
from functools import partial

from matplotlib.axes import Axes

from megatron_crossic.inspection.charts import Chart
from megatron_crossic.inspection.figure_style import (
    Colours,
    Draw,
    panel_title,
    panels_png,
    theme_colours,
)
from megatron_crossic.inspection.marks import visible_line
from megatron_crossic.inspection.pairs.account import Breakdown, breakdowns
from megatron_crossic.inspection.pairs.charts import (
    language_breakdown,
    length_charts,
    ratio_charts,
)
from megatron_crossic.inspection.pairs.identify import Confusion
from megatron_crossic.inspection.pairs.report import PairReport
from megatron_crossic.inspection.pairs.tables import confusion_rows

MOST_ROWS = 10
"""Bars of a breakdown; the smallest are left to the page."""
MOST_PANELS = 40
"""A file of many languages has more charts than one picture can hold."""


def figure_png(report: PairReport) -> bytes:
    """All charts of the page, one panel each."""
    colours = theme_colours()
    title = f"{visible_line(report.path.name)}: {report.statistics.num_pairs:,} pairs"
    return panels_png(title, _panels(report, colours)[:MOST_PANELS], colours)


def _panels(report: PairReport, colours: Colours) -> list[Draw]:
    found = [] if report.manifest is None else breakdowns(report.manifest)
    charts = [*length_charts(report.statistics), *ratio_charts(report.statistics)]
    tables = [*found, language_breakdown(report.statistics)]
    panels: list[Draw] = [partial(_draw_breakdown, table, colours) for table in tables]
    panels += [partial(_draw_chart, chart, colours) for chart in charts]
    if report.confusion is not None and report.confusion.counts:
        panels.append(partial(_draw_confusion, report.confusion, colours))
    return panels


def _colour(series: int | None, colours: Colours) -> str:
    return colours["neutral"] if series is None else colours[f"l{series % 8}"]


def _draw_breakdown(breakdown: Breakdown, colours: Colours, axes: Axes) -> None:
    rows = breakdown.rows[:MOST_ROWS]
    left_out = len(breakdown.rows) - len(rows)
    panel_title(axes, breakdown.title + (f" (and {left_out} more)" if left_out else ""), colours)
    bars = axes.barh(
        range(len(rows)), [n for _, n in rows], color=_colour(breakdown.series, colours), height=0.6
    )
    total = max(1, breakdown.total)
    numbers = [f"{n:,}  {n / total:.1%}" for _, n in rows]
    axes.bar_label(bars, numbers, padding=4, color=colours["soft"], fontsize=8)
    axes.set_yticks(range(len(rows)), [_cut(label) for label, _ in rows])
    axes.set_ylim(max(len(rows), 4) - 0.4, -0.6)
    axes.set_xticks([])
    axes.margins(x=0.25)


def _cut(label: str, most: int = 30) -> str:
    return label if len(label) <= most else f"{label[: most - 1]}…"


def _draw_chart(chart: Chart, colours: Colours, axes: Axes) -> None:
    panel_title(axes, chart.title, colours)
    counts = [bar.count for bar in chart.bars]
    series = chart.bars[0].series if chart.bars else None
    axes.bar(range(len(counts)), counts, width=0.92, align="edge", color=_colour(series, colours))
    edges = [*(bar.edge for bar in chart.bars), chart.last_edge]
    places = [i for i, edge in enumerate(edges) if edge]
    axes.set_xticks(places, [edges[i] for i in places])
    axes.set_xlim(0, max(1, len(counts)))
    axes.set_xlabel(f"{chart.x_label}\n{_first_sentence(chart.caption)}")
    axes.set_ylabel(chart.y_label)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.locator_params(axis="y", integer=True)
    axes.grid(axis="y", color=colours["line"], linewidth=0.8)


def _first_sentence(caption: str) -> str:
    """The quantiles; what follows has its place on the page."""
    return re.split(r"; |\. ", caption, maxsplit=1)[0]


def _draw_confusion(confusion: Confusion, colours: Colours, axes: Axes) -> None:
    panel_title(axes, "Languages: claimed (rows) and detected", colours)
    detected, rows = confusion_rows(confusion)
    for y, (claimed, numbers) in enumerate(rows):
        _draw_confusion_row(axes, y, claimed, numbers, detected, colours)
    axes.set_xticks(range(len(detected)), detected)
    axes.set_yticks(range(len(rows)), [claimed for claimed, _ in rows])
    axes.set_xlim(-0.5, len(detected) - 0.5)
    axes.set_ylim(max(len(rows), 5) - 0.5, -0.5)
    axes.xaxis.tick_top()


def _draw_confusion_row(
    axes: Axes,
    y: int,
    claimed: str,
    numbers: Sequence[int],
    detected: Sequence[str],
    colours: Colours,
) -> None:
    total = max(1, sum(numbers))
    for x, (code, number) in enumerate(zip(detected, numbers, strict=True)):
        colour = colours["l2"] if code == claimed else colours["l1"]
        share = 0.1 + 0.5 * number / total if number else 0.0
        axes.barh(y, 0.96, left=x - 0.48, height=0.94, color=colour, alpha=share)
        ink = colours["ink"] if number else colours["soft"]
        axes.text(x, y, f"{number:,}", ha="center", va="center", color=ink)
