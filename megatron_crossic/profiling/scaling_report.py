"""The scaling report as Markdown, PNG and JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from megatron_crossic.files import atomic_output, refuse_existing, write_text_atomically
from megatron_crossic.inspection.figure_style import (
    Colours,
    panel_title,
    panels_png,
    theme_colours,
)
from megatron_crossic.profiling.document import read_profile
from megatron_crossic.profiling.scaling import Group, group_points
from megatron_crossic.profiling.table import percent, table

JSON_FILE, TABLE_FILE, PICTURE_FILE = "scaling.json", "scaling.md", "scaling.png"
SCHEMA_VERSION = 1
_HEADS = (
    "devices",
    "step, ms",
    "tokens/s",
    "tokens/s a device",
    "speed-up",
    "efficiency, %",
    "MFU, causal, %",
    "fastest of",
    "point",
)


def report_scaling(profiles: Sequence[Path], folder: Path, *, overwrite: bool = False) -> str:
    """Write the report of these results into `folder`; the tables."""
    outputs = [folder / name for name in (JSON_FILE, TABLE_FILE, PICTURE_FILE)]
    refuse_existing(*outputs, overwrite=overwrite)
    groups = group_points([(str(path), read_profile(path)) for path in profiles])
    document = {"schema_version": SCHEMA_VERSION, "groups": [asdict(group) for group in groups]}
    text = to_markdown(groups)
    write_text_atomically(outputs[0], json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    write_text_atomically(outputs[1], text)
    with atomic_output(outputs[2]) as file:
        file.write(to_png(groups))
    return text


def to_markdown(groups: Sequence[Group]) -> str:
    """A table for each group."""
    blocks = ["# Scaling\n"]
    for group in groups:
        rows = [
            [
                str(place.num_devices),
                f"{1e3 * place.step_seconds:,.1f}",
                f"{place.tokens_per_second:,.0f}",
                f"{place.tokens_per_second / place.num_devices:,.0f}",
                f"{place.speedup:.2f}",
                percent(place.efficiency),
                percent(place.mfu_causal),
                str(place.num_passed_over + 1),
                place.name,
            ]
            for place in group.places
        ]
        blocks += [_title(group) + ":\n", table(_HEADS, rows)]
    return "\n".join(blocks)


def _title(group: Group) -> str:
    each = " a device" if group.kind == "weak" else ""
    return f"{group.kind.capitalize()} scaling, {group.batch:g} windows a step{each}"


def to_png(groups: Sequence[Group]) -> bytes:
    """Speed-up, against the ideal, and efficiency."""
    colours = theme_colours()
    return panels_png(
        "Scaling",
        [partial(_draw_speedup, groups, colours), partial(_draw_efficiency, groups, colours)],
        colours,
    )


def _draw_speedup(groups: Sequence[Group], colours: Colours, axes: Axes) -> None:
    panel_title(axes, "Tokens/s over those of the fewest devices; dotted: ideal", colours)
    for number, group in enumerate(groups):
        counts = [place.num_devices for place in group.places]
        colour = colours[f"l{number % 8}"]
        speedups = [place.speedup for place in group.places]
        axes.plot(counts, speedups, "o-", color=colour, label=_title(group))
        axes.plot(counts, [count / counts[0] for count in counts], ":", color=colour)
    axes.set_yscale("log", base=2)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.legend(frameon=False, labelcolor=colours["soft"], fontsize=8)
    _count_devices(groups, colours, axes)


def _draw_efficiency(groups: Sequence[Group], colours: Colours, axes: Axes) -> None:
    panel_title(axes, "Efficiency, %", colours)
    for number, group in enumerate(groups):
        axes.plot(
            [place.num_devices for place in group.places],
            [100 * place.efficiency for place in group.places],
            "o-",
            color=colours[f"l{number % 8}"],
        )
    axes.set_ylim(bottom=0)
    _count_devices(groups, colours, axes)


def _count_devices(groups: Sequence[Group], colours: Colours, axes: Axes) -> None:
    axes.set_xscale("log", base=2)
    counts = sorted({place.num_devices for group in groups for place in group.places})
    axes.xaxis.set_major_locator(FixedLocator(counts))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel("devices")
    axes.grid(color=colours["line"])
