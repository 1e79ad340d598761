"""The picture and the last figures of some runs: a PNG file, or one HTML file without script.

The page's Content-Security-Policy allows its one style and the picture in it, nothing else.
"""

import base64
from collections.abc import Iterator, Sequence
from datetime import timedelta
from html import escape
from pathlib import Path
from string import Template

import numpy as np

from megatron_crossic.errors import ConfigError
from megatron_crossic.files import atomic_output
from megatron_crossic.inspection.account import Section
from megatron_crossic.inspection.markup import assets, content_policy, section_html
from megatron_crossic.inspection.runs.curves import RunCurves
from megatron_crossic.inspection.runs.figure import XAxis, figure_png

FORMATS = (".png", ".html")
WATCHED = {
    "transfer_gain/over_random/": "transfer gain over a random source",
    "transfer_gain/over_alone/": "transfer gain over no source",
    "retention/": "retention",
}
"""Figures of a validation by the first part of their names."""


def check_format(path: Path) -> None:
    """`ConfigError` for a name that ends in no format we write."""
    if path.suffix.lower() not in FORMATS:
        raise ConfigError(
            f"--output must end in {' or '.join(FORMATS)}, got {path}. Choose one of them."
        )


def write_plot(path: Path, runs: Sequence[RunCurves], *, x: XAxis) -> None:
    """Write the picture, or the page where the name ends in `.html`."""
    check_format(path)
    is_page = path.suffix.lower() == ".html"
    content = page_html(runs, x=x).encode("utf-8") if is_page else figure_png(runs, x=x)
    with atomic_output(path) as file:
        file.write(content)


def page_html(runs: Sequence[RunCurves], *, x: XAxis) -> str:
    """The page as one string; it has the picture for light and for dark screens."""
    style = assets("base.css", "runs.css")
    return Template(assets("runs.html")).substitute(
        policy=content_policy(style=style, pictures=True),
        style=style,
        name=escape(", ".join(run.name for run in runs)),
        light=_data_address(figure_png(runs, x=x)),
        dark=_data_address(figure_png(runs, x=x, dark=True)),
        alt=escape(" ".join(_sentence(run) for run in runs)),
        account="".join(section_html(run_section(run)) for run in runs),
    )


def run_section(run: RunCurves) -> Section:
    """The figures of a run as they are now."""
    return Section(title=run.name, rows=tuple(_rows(run)), is_numeric=True)


def _rows(run: RunCurves) -> Iterator[tuple[str, str]]:
    training, validation = run.training, run.validation
    yield "step", f"{training.steps[-1]:,}"
    yield "tokens with loss", f"{np.nan_to_num(training.get('num_tokens_total')[-1]):,.0f}"
    yield "loss", f"{training.get('loss')[0]:.4f} to {training.get('loss')[-1]:.4f}"
    if len(validation.steps):
        first, last = validation.get("loss")[[0, -1]]
        yield "held-out loss", f"{first:.4f} to {last:.4f}"
    for language, losses in validation.languages.items():
        yield f"held-out loss, {language}", f"{losses[0]:.4f} to {losses[-1]:.4f}"
    for group, title in WATCHED.items():
        for name, values in validation.values.items():
            if name.startswith(group):
                first, last = values[[0, -1]]
                yield f"{title}, {name.removeprefix(group)}", f"{first:.4f} to {last:.4f}"
    yield "tokens a second, median", f"{np.nanmedian(training.get('tokens_per_second')):,.0f}"
    yield "time in steps", str(timedelta(seconds=round(np.nansum(training.get("seconds")))))


def _sentence(run: RunCurves) -> str:
    """The picture for those who cannot see it."""
    return f"{run.name}: {', '.join(f'{name} {value}' for name, value in _rows(run))}."


def _data_address(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
