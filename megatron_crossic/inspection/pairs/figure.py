"""The charts of the report as one PNG, in the colours of the page."""

import math
import re
from collections.abc import Callable, Sequence
from functools import partial
from io import BytesIO

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from megatron_crossic.inspection.charts import Chart
from megatron_crossic.inspection.marks import visible_line
from megatron_crossic.inspection.markup import assets
from megatron_crossic.inspection.pairs.account import Breakdown, breakdowns
from megatron_crossic.inspection.pairs.charts import (
    language_breakdown,
    length_charts,
    ratio_charts,
)
from megatron_crossic.inspection.pairs.identify import Confusion
from megatron_crossic.inspection.pairs.report import PairReport
from megatron_crossic.inspection.pairs.tables import confusion_rows

COLUMNS = 2
PANEL_INCHES = (6.0, 3.2)
MOST_ROWS = 10
"""Bars of a breakdown; the smallest are left to the page."""
MOST_PANELS = 40
"""A file of many languages has more charts than one picture can hold."""

Draw = Callable[[Axes], None]


def figure_png(report: PairReport) -> bytes:
    """All charts of the page, one panel each."""
    colours = theme_colours()
    panels = _panels(report, colours)[:MOST_PANELS]
    rows = math.ceil(len(panels) / COLUMNS)
    # Labels come from the data: a dollar sign in them is no formula.
    with mpl.rc_context({"text.parse_math": False, "font.size": 9}):
        figure = Figure(
            figsize=(COLUMNS * PANEL_INCHES[0], rows * PANEL_INCHES[1] + 0.5),
            layout=ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.15),
            facecolor=colours["paper"],
        )
        name = visible_line(report.path.name)
        figure.suptitle(f"{name}: {report.statistics.num_pairs:,} pairs", color=colours["ink"])
        grid = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
        for axes in grid[len(panels) :]:
            axes.remove()
        for axes, draw in zip(grid, panels, strict=False):
            _dress(axes, colours)
            draw(axes)
        content = BytesIO()
        figure.savefig(content, format="png", dpi=120)
    return content.getvalue()


def theme_colours() -> dict[str, str]:
    """The colours of the page in light: name -> #rrggbb, from its style sheet."""
    light = assets("base.css").split("@media")[0]
    return dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", light))


def _panels(report: PairReport, colours: dict[str, str]) -> list[Draw]:
    found = [] if report.manifest is None else breakdowns(report.manifest)
    charts = [*length_charts(report.statistics), *ratio_charts(report.statistics)]
    tables = [*found, language_breakdown(report.statistics)]
    panels: list[Draw] = [partial(_draw_breakdown, table, colours) for table in tables]
    panels += [partial(_draw_chart, chart, colours) for chart in charts]
    if report.confusion is not None and report.confusion.counts:
        panels.append(partial(_draw_confusion, report.confusion, colours))
    return panels


def _dress(axes: Axes, colours: dict[str, str]) -> None:
    axes.set_facecolor(colours["paper"])
    axes.tick_params(colors=colours["soft"], length=0)
    axes.spines[:].set_visible(False)
    axes.xaxis.label.set_color(colours["soft"])
    axes.yaxis.label.set_color(colours["soft"])
    axes.set_axisbelow(True)


def _title(axes: Axes, text: str, colours: dict[str, str]) -> None:
    axes.set_title(text, loc="left", color=colours["ink"], fontweight="bold", fontsize=10)


def _colour(series: int | None, colours: dict[str, str]) -> str:
    return colours["neutral"] if series is None else colours[f"l{series % 8}"]


def _draw_breakdown(breakdown: Breakdown, colours: dict[str, str], axes: Axes) -> None:
    rows = breakdown.rows[:MOST_ROWS]
    left_out = len(breakdown.rows) - len(rows)
    _title(axes, breakdown.title + (f" (and {left_out} more)" if left_out else ""), colours)
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


def _draw_chart(chart: Chart, colours: dict[str, str], axes: Axes) -> None:
    _title(axes, chart.title, colours)
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


def _draw_confusion(confusion: Confusion, colours: dict[str, str], axes: Axes) -> None:
    _title(axes, "Languages: claimed (rows) and detected", colours)
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
    colours: dict[str, str],
) -> None:
    total = max(1, sum(numbers))
    for x, (code, number) in enumerate(zip(detected, numbers, strict=True)):
        colour = colours["l2"] if code == claimed else colours["l1"]
        share = 0.1 + 0.5 * number / total if number else 0.0
        axes.barh(y, 0.96, left=x - 0.48, height=0.94, color=colour, alpha=share)
        ink = colours["ink"] if number else colours["soft"]
        axes.text(x, y, f"{number:,}", ha="center", va="center", color=ink)
