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
    rows = "".join(
        f"<tr><th scope=row>{escape(bar.label)}</th><td>{bar.count:,}</td></tr>"
        for bar in chart.bars
    )
    highest = max(chart.bars, key=lambda bar: bar.count, default=None)
    peak = f" Most at {highest.label}: {highest.count:,}." if highest else " Nothing to count."
    return (
        f"<figure class=chart id=chart-{name}><figcaption><h3>{escape(chart.title)}</h3>"
        f"<p>{escape(chart.caption)}</p></figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role=img aria-labelledby="t-{name} d-{name}">'
        f'<title id="t-{name}">{escape(chart.title)}</title>'
        f'<desc id="d-{name}">{escape(chart.y_label)} by {escape(chart.x_label)}.{escape(peak)}'
        f"</desc>{''.join(_drawing(chart))}</svg>"
        f"<details><summary>Numbers</summary><table><thead><tr><th scope=col>"
        f"{escape(chart.x_label)}</th><th scope=col>{escape(chart.y_label)}</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></details></figure>"
    )


def _drawing(chart: Chart) -> list[str]:
    """Grid, bars and labels in the coordinates of the view box."""
    plot_width, plot_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    bottom = TOP + plot_height
    highest = max([1, *(bar.count for bar in chart.bars)])
    step = _round_step(highest / 4) if highest > 4 else 1.0
    top = step * math.ceil(highest / step)
    parts = []
    for i in range(round(top / step) + 1):
        y = bottom - plot_height * i * step / top
        parts.append(f'<path class=grid d="M{LEFT} {y:.1f}h{plot_width}"/>')
        parts.append(_label(LEFT - 6, y + 3.5, _short(i * step), "end"))
    each = plot_width / max(1, len(chart.bars))
    width = min(each * 0.6, 60) if chart.is_discrete else max(each - 1, 0.5)
    for i, bar in enumerate(chart.bars):
        height = max(plot_height * bar.count / top, 1.0 if bar.count else 0.0)
        x = LEFT + i * each + (each - width) / 2
        series = "" if bar.series is None else f" l{bar.series % 8}"
        parts.append(
            f'<rect class="mark{series}" x="{x:.1f}" y="{bottom - height:.1f}" '
            f'width="{width:.1f}" height="{height:.1f}" rx="1">'
            f"<title>{escape(bar.label)}: {bar.count:,}</title></rect>"
        )
        at = LEFT + (i + 0.5 * chart.is_discrete) * each
        parts.append(_label(at, bottom + 14, bar.edge, "middle"))
    parts.append(_label(LEFT + plot_width, bottom + 14, chart.last_edge, "middle"))
    parts.append(_label(LEFT + plot_width / 2, HEIGHT - 8, chart.x_label, "middle", "axis"))
    turned = f'transform="rotate(-90 9 {TOP + plot_height / 2:g})"'
    parts.append(_label(9, TOP + plot_height / 2, chart.y_label, "middle", "axis", turned))
    return parts


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
