"""Charts as inline SVG with their numbers in a table: no script, no outside resource."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 360, 200
LEFT, RIGHT, TOP, BOTTOM = 46, 22, 10, 44
MOST_BARS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One bar and its line in the table."""

    label: str
    """The range of values, or what was counted."""
    edge: str
    """What stands below the bar's left end."""
    count: int
    series: int | None = None
    """Colour of a language; None is the neutral one."""
    part: int = 0
    """A second count, drawn over the first in the colour of parts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """A line across the bars."""

    at: float
    """In widths of a bar from the left end of the first."""
    label: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """What a histogram says."""

    name: str
    """Unique on the page; letters and hyphens only."""
    title: str
    x_label: str
    y_label: str
    caption: str
    bars: tuple[Bar, ...]
    last_edge: str = ""
    """What stands below the right end of the last bar."""
    is_discrete: bool = False
    """Whether bars stand for things apart, with their label below the middle."""
    part_label: str = ""
    """What the second counts are; empty where there are none."""
    mark: Mark | None = None


def times(doublings: float) -> str:
    """-2 -> "1/4", 3 -> "8"."""
    return f"{2**doublings:g}" if doublings >= 0 else f"1/{2**-doublings:g}"


def coarsen(
    values: NDArray[np.float64],
    counts: NDArray[np.int64],
    *,
    label: Callable[[float], str],
    limit: float,
) -> tuple[tuple[Bar, ...], str]:
    """At most `MOST_BARS` bars of a round width over the values that occur, and the last edge.

    `limit`, the largest value there can be, falls into the bar that ends there.
    """
    used = values[counts > 0]
    if not len(used):
        return (), ""
    step = _round_step((float(used[-1]) - float(used[0])) / (MOST_BARS - 2) or limit / MOST_BARS)
    last_bin = math.ceil(limit / step) - 1
    bins = np.minimum(np.floor(values / step + 1e-9), last_bin).astype(np.int64)
    first, last = (int(bins[np.searchsorted(values, used[i])]) for i in (0, -1))
    sums = np.bincount(bins, weights=counts, minlength=last + 1).astype(np.int64)
    edges = [label(round(i * step, 6)) for i in range(first, last + 2)]
    every = -(-(last + 1 - first) // 5)
    return tuple(
        Bar(
            label=f"{low} to {high}",
            edge=low if i % every == 0 else "",
            count=int(sums[first + i]),
        )
        for i, (low, high) in enumerate(itertools.pairwise(edges))
    ), edges[-1] if (last + 1 - first) % every == 0 else ""


def _round_step(smallest: float) -> float:
    """The least of 1, 2, 5, 10, 20 … (and 0.5, 0.2, 0.1 …) that is not below `smallest`."""
    power = 10.0 ** math.floor(math.log10(smallest))
    return next(power * m for m in (1, 2, 5, 10) if power * m >= smallest * (1 - 1e-9))


def chart_html(chart: Chart) -> str:
    """A figure: caption, drawing with a description for those who cannot see it, numbers."""
    name = chart.name
    has_parts = bool(chart.part_label)
    rows = "".join(
        f"<tr><th scope=row>{escape(bar.label)}</th><td>{bar.count:,}</td>"
        f"{f'<td>{bar.part:,}</td>' if has_parts else ''}</tr>"
        for bar in chart.bars
    )
    parts = f"<th scope=col>{escape(chart.part_label)}</th>" if has_parts else ""
    legend = (
        f"<p class=legend><span class=key></span>{escape(chart.y_label)} "
        f'<span class="key part"></span>{escape(chart.part_label)}</p>'
        if has_parts
        else ""
    )
    highest = max(chart.bars, key=lambda bar: bar.count, default=None)
    peak = f" Most at {highest.label}: {highest.count:,}." if highest else " Nothing to count."
    return (
        f"<figure class=chart id=chart-{name}><figcaption><h3>{escape(chart.title)}</h3>"
        f"<p>{escape(chart.caption)}</p>{legend}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role=img aria-labelledby="t-{name} d-{name}">'
        f'<title id="t-{name}">{escape(chart.title)}</title>'
        f'<desc id="d-{name}">{escape(chart.y_label)} by {escape(chart.x_label)}.{escape(peak)}'
        f"</desc>{''.join(_drawing(chart))}</svg>"
        f"<details><summary>Numbers</summary><table><thead><tr><th scope=col>"
        f"{escape(chart.x_label)}</th><th scope=col>{escape(chart.y_label)}</th>{parts}</tr>"
        f"</thead><tbody>{rows}</tbody></table></details></figure>"
    )


def _drawing(chart: Chart) -> list[str]:
    """Grid, bars and labels in the coordinates of the view box."""
    plot_width, plot_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    bottom = TOP + plot_height
    highest = max([1, *(max(bar.count, bar.part) for bar in chart.bars)])
    step = _round_step(highest / 4) if highest > 4 else 1.0
    top = step * math.ceil(highest / step)
    parts = []
    for i in range(round(top / step) + 1):
        y = bottom - plot_height * i * step / top
        parts.append(f'<path class=grid d="M{LEFT} {y:.1f}h{plot_width}"/>')
        parts.append(_label(LEFT - 6, y + 3.5, _short(i * step), "end"))
    each = plot_width / max(1, len(chart.bars))
    width = min(each * 0.6, 60) if chart.is_discrete else max(each - 1, each * 0.6)
    for i, bar in enumerate(chart.bars):
        x = LEFT + i * each + (each - width) / 2
        parts.append(_bar(bar, x=x, width=width, scale=plot_height / top, bottom=bottom))
        at = LEFT + (i + 0.5 * chart.is_discrete) * each
        parts.append(_label(at, bottom + 14, bar.edge, "middle"))
    parts.append(_label(LEFT + plot_width, bottom + 14, chart.last_edge, "middle"))
    if chart.mark is not None:
        parts.append(_mark(chart.mark, x=LEFT + chart.mark.at * each, bottom=bottom))
    parts.append(_label(LEFT + plot_width / 2, HEIGHT - 8, chart.x_label, "middle", "axis"))
    turned = f'transform="rotate(-90 9 {TOP + plot_height / 2:g})"'
    parts.append(_label(9, TOP + plot_height / 2, chart.y_label, "middle", "axis", turned))
    return parts


def _bar(bar: Bar, *, x: float, width: float, scale: float, bottom: float) -> str:
    """A bar and the one drawn over it; `scale` is the height of one."""
    series = "" if bar.series is None else f" l{bar.series % 8}"
    part = f", {bar.part:,}" if bar.part else ""
    drawn = [
        (bar.count, f"mark{series}", f"<title>{escape(bar.label)}: {bar.count:,}{part}</title>")
    ]
    if bar.part:
        drawn.append((bar.part, "part", ""))
    found = []
    for count, kind, title in drawn:
        height = max(scale * count, 1.0 if count else 0.0)
        found.append(
            f'<rect class="{kind}" x="{x:.1f}" y="{bottom - height:.1f}" '
            f'width="{width:.1f}" height="{height:.1f}" rx="1">{title}</rect>'
        )
    return "".join(found)


def _mark(mark: Mark, *, x: float, bottom: float) -> str:
    """The line, its label above the bars on the side that has more room."""
    is_left = x < LEFT + (WIDTH - LEFT - RIGHT) / 2
    label = _label(x, TOP - 2, mark.label, "start" if is_left else "end")
    return f'<path class=threshold d="M{x:.1f} {TOP}V{bottom}"/>{label}'


def _label(x: float, y: float, text: str, anchor: str, kind: str = "tick", more: str = "") -> str:
    if not text:
        return ""
    return (
        f'<text class={kind} x="{x:.1f}" y="{y:.1f}" text-anchor={anchor} {more}>'
        f"{escape(text)}</text>"
    )


def _short(number: float) -> str:
    """1,500 -> 1.5k; keeps an axis narrow."""
    for size, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:g}{suffix}"
    return f"{number:g}"
