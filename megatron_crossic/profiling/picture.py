"""The points of a profile as PNG: where the time of a step goes, and how fast each point is."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter

from megatron_crossic.inspection.figure_style import (
    Colours,
    panel_title,
    panels_png,
    theme_colours,
)
from megatron_crossic.profiling.document import Point, measured
from megatron_crossic.profiling.parts import PARTS

_LONGEST_NAME = 36
_LABEL_POINTS = 170
"""Height of all labels together."""
_COLOURS = {
    "data": "l4",
    "forward": "l0",
    "backward": "l5",
    "optimizer": "l2",
    "gradients": "l1",
    "tensor": "l6",
    "transfer": "l3",
    "bubble": "l7",
    "rest": "line",
}


def to_png(points: Sequence[Point]) -> bytes | None:
    """Two panels; None where nothing was measured."""
    found = measured(points)
    if not found:
        return None
    colours = theme_colours()
    return panels_png(
        "Throughput",
        [partial(_draw_shares, found, colours), partial(_draw_speed, found, colours)],
        colours,
    )


def _draw_shares(points: Sequence[Point], colours: Colours, axes: Axes) -> None:
    panel_title(axes, "Time of a step, % of the mean rank", colours)
    places = np.arange(len(points))
    left = np.zeros(len(points))
    for part in PARTS:
        widths = np.array([100 * point["shares"]["mean"][part] for point in points])
        if widths.max() > 0:
            axes.barh(places, widths, left=left, color=colours[_COLOURS[part]], label=part)
        left += widths
    _name_points(axes, points)
    axes.set_xlim(0, 100)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(
        handles,
        labels,
        loc="upper center",
        bbox_to_anchor=(0.45, -0.1),
        ncols=5,
        frameon=False,
        labelcolor=colours["soft"],
        fontsize=8,
        handlelength=1,
    )


def _draw_speed(points: Sequence[Point], colours: Colours, axes: Axes) -> None:
    panel_title(axes, "Tokens/s a device, middle half", colours)
    medians = np.array([point["tokens_per_second_per_device"] for point in points])
    steps = [point["step_seconds"] for point in points]
    slow = medians * [1 - step["median"] / step["q3"] for step in steps]
    fast = medians * [step["median"] / step["q1"] - 1 for step in steps]
    axes.barh(
        np.arange(len(points)),
        medians,
        xerr=np.stack([slow, fast]),
        color=colours["l0"],
        ecolor=colours["ink"],
        capsize=3,
    )
    _name_points(axes, points)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.grid(axis="x", color=colours["line"])


def _name_points(axes: Axes, points: Sequence[Point]) -> None:
    """The first point on top."""
    size = min(9.0, _LABEL_POINTS / len(points))
    axes.set_yticks(np.arange(len(points)), short_names(points), fontsize=size)
    axes.invert_yaxis()


def short_names(points: Sequence[Point]) -> list[str]:
    """What tells the points of a sweep apart: `tensor=2 micro_batch_size=1`; else their names."""
    settings: list[dict[str, str]] = [point.get("settings") or {} for point in points]
    differing = [key for key in settings[0] if len({setting.get(key) for setting in settings}) > 1]
    if not differing or not all(settings):
        return [_cut(point["name"]) for point in points]
    return [
        _cut(" ".join(f"{key.rpartition('.')[2]}={one.get(key)}" for key in differing))
        for one in settings
    ]


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
