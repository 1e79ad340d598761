"""The curves of some runs as one picture.

A run has a colour where one curve stands for it. Where a curve stands for a language, the language
has the colour and the run the style of the line.
"""

from collections.abc import Sequence
from functools import partial
from itertools import cycle
from typing import Literal

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator

from megatron_crossic.inspection.figure_style import (
    Colours,
    Draw,
    panel_title,
    panels_png,
    theme_colours,
)
from megatron_crossic.inspection.runs.curves import Curves, RunCurves, Values, smooth, tokens_at

XAxis = Literal["step", "tokens"]
Style = Literal["-", "--", ":", "-."]
STYLES: tuple[Style, ...] = ("-", "--", ":", "-.")
NUM_COLOURS = 8
RAW_ALPHA = 0.25
MOST_IN_LEGEND = 16
LOG_RATIO = 5
"""Gradient norms that differ by more are drawn by their logarithm."""


def figure_png(runs: Sequence[RunCurves], *, x: XAxis = "step", dark: bool = False) -> bytes:
    """Loss, loss by language, validation, gradient norm, learning rate, tokens/s."""
    colours = theme_colours(dark=dark)
    title = ", ".join(_cut(run.name) for run in runs[:4])
    title += f" and {len(runs) - 4} more" if len(runs) > 4 else ""
    draws = (_loss, _training_languages, _validation_languages, _grad_norm, _rate, _speed)
    panels: list[Draw] = [partial(draw, runs, x, colours) for draw in draws]
    return panels_png(title, panels, colours)


def _loss(runs: Sequence[RunCurves], x: XAxis, colours: Colours, axes: Axes) -> None:
    _begin(axes, "Loss, points: held out", x, colours, y_label="nats a token")
    for run, colour in zip(runs, cycle(_series(colours)), strict=False):
        _raw_and_smooth(axes, run, run.training.get("loss"), x, colour, label=_cut(run.name))
        held_out = run.validation
        axes.plot(
            _places(run, held_out, x), held_out.get("loss"), "o", color=colour, markersize=3.5
        )
    if len(runs) > 1:
        _legend(axes, axes.get_legend_handles_labels()[0], colours)


def _training_languages(runs: Sequence[RunCurves], x: XAxis, colours: Colours, axes: Axes) -> None:
    _begin(axes, "Loss by language", x, colours, y_label="nats a token")
    for run, style, language, colour in _by_language(runs, colours):
        values = run.training.languages[language]
        _raw_and_smooth(axes, run, values, x, colour, style=style, raw=len(runs) == 1)
    _language_legend(axes, runs, colours)


def _validation_languages(
    runs: Sequence[RunCurves], x: XAxis, colours: Colours, axes: Axes
) -> None:
    _begin(axes, "Held-out loss by language", x, colours, y_label="nats a token")
    for run, style, language, colour in _by_language(runs, colours):
        values = run.validation.languages.get(language)
        if values is not None:
            places = _places(run, run.validation, x)
            axes.plot(places, values, style, marker="o", markersize=3.5, color=colour)
    if axes.lines:
        _language_legend(axes, runs, colours)
        return
    axes.set(xticks=[], yticks=[], xlabel="", ylabel="")
    axes.text(
        0.5, 0.5, "no validation", ha="center", color=colours["soft"], transform=axes.transAxes
    )


def _grad_norm(runs: Sequence[RunCurves], x: XAxis, colours: Colours, axes: Axes) -> None:
    _begin(axes, "Gradient norm before clipping", x, colours)
    _simple(axes, runs, "grad_norm", x, colours)
    low, high = axes.dataLim.intervaly
    if high > LOG_RATIO * low > 0:
        axes.set_yscale("log")
        axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
        axes.yaxis.set_minor_formatter("{x:g}")
        axes.grid(which="minor", color=colours["line"], linewidth=0.8)
    axes.yaxis.set_major_formatter("{x:g}")


def _rate(runs: Sequence[RunCurves], x: XAxis, colours: Colours, axes: Axes) -> None:
    _begin(axes, "Learning rate", x, colours)
    for run, colour in zip(runs, cycle(_series(colours)), strict=False):
        rate = run.training.get("learning_rate")
        axes.plot(_places(run, run.training, x), rate, marker=_marker(rate), color=colour)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter("{x:.3g}")


def _speed(runs: Sequence[RunCurves], x: XAxis, colours: Colours, axes: Axes) -> None:
    _begin(axes, "Tokens a second, all ranks", x, colours)
    _simple(axes, runs, "tokens_per_second", x, colours)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(EngFormatter(sep=""))


def _simple(axes: Axes, runs: Sequence[RunCurves], name: str, x: XAxis, colours: Colours) -> None:
    for run, colour in zip(runs, cycle(_series(colours)), strict=False):
        _raw_and_smooth(axes, run, run.training.get(name), x, colour)


def _raw_and_smooth(
    axes: Axes,
    run: RunCurves,
    values: Values,
    x: XAxis,
    colour: str,
    *,
    label: str | None = None,
    style: str = "-",
    raw: bool = True,
) -> None:
    """Every step as a faint line, and the running mean over it."""
    places = _places(run, run.training, x)
    if raw:
        axes.plot(places, values, "-", color=colour, alpha=RAW_ALPHA, linewidth=0.8)
    (line,) = axes.plot(places, smooth(values), style, color=colour, linewidth=1.6, label=label)
    line.set_marker(_marker(values))


def _marker(values: Values) -> str:
    """A line of one point cannot be seen."""
    return "o" if len(values) == 1 else ""


def _places(run: RunCurves, curves: Curves, x: XAxis) -> Values:
    """Where the values stand from left to right."""
    if x == "tokens":
        return tokens_at(run, curves.steps)
    return curves.steps.astype(np.float64)


def _begin(axes: Axes, title: str, x: XAxis, colours: Colours, *, y_label: str = "") -> None:
    panel_title(axes, title, colours)
    axes.set_xlabel("step" if x == "step" else "tokens with loss")
    axes.set_ylabel(y_label)
    axes.grid(color=colours["line"], linewidth=0.8)
    axes.margins(x=0.01)
    axes.xaxis.set_major_locator(MaxNLocator(7, integer=True, min_n_ticks=1))
    axes.xaxis.set_major_formatter(EngFormatter(sep="") if x == "tokens" else "{x:,.0f}")


def _by_language(
    runs: Sequence[RunCurves], colours: Colours
) -> list[tuple[RunCurves, Style, str, str]]:
    """(run, style, language, colour) of every curve; a language has one colour in all runs."""
    colour = _language_colours(runs, colours)
    return [
        (run, style, language, colour[language])
        for run, style in zip(runs, cycle(STYLES), strict=False)
        for language in run.training.languages
    ]


def _language_colours(runs: Sequence[RunCurves], colours: Colours) -> dict[str, str]:
    languages = sorted({language for run in runs for language in run.training.languages})
    return dict(zip(languages, cycle(_series(colours)), strict=False))


def _series(colours: Colours) -> list[str]:
    return [colours[f"l{i}"] for i in range(NUM_COLOURS)]


def _cut(name: str, most: int = 28) -> str:
    return name if len(name) <= most else f"…{name[1 - most :]}"


def _language_legend(axes: Axes, runs: Sequence[RunCurves], colours: Colours) -> None:
    """The colours of the languages and, of several runs, the styles."""
    handles = [
        Line2D([], [], color=colour, label=language)
        for language, colour in _language_colours(runs, colours).items()
    ]
    if len(runs) > 1:
        handles += [
            Line2D([], [], color=colours["soft"], linestyle=style, label=_cut(run.name))
            for run, style in zip(runs, cycle(STYLES), strict=False)
        ]
    _legend(axes, handles, colours)


def _legend(axes: Axes, handles: Sequence[Artist], colours: Colours) -> None:
    axes.legend(
        handles=handles[:MOST_IN_LEGEND],
        frameon=False,
        labelcolor=colours["soft"],
        fontsize=8,
        ncols=2 if len(handles) > 4 else 1,
    )
