"""What all pictures share: the colours of the pages, and panels in them as one PNG."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from megatron_crossic.inspection.markup import assets

COLUMNS = 2
PANEL_INCHES = (6.0, 3.2)

Colours = Mapping[str, str]
"""Name of a colour -> #rrggbb."""
Draw = Callable[[Axes], None]


def theme_colours(*, dark: bool = False) -> dict[str, str]:
    """The colours of the page, in light or in dark, from its style sheet."""
    light, _, rest = assets("base.css").partition("@media")
    block = rest.partition("\n}")[0] if dark else light
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))


def panels_png(title: str, panels: Sequence[Draw], colours: Colours) -> bytes:
    """Every panel draws into axes of its own, two in a row."""
    rows = math.ceil(len(panels) / COLUMNS)
    # Labels come from the data: a dollar sign in them is no formula.
    with mpl.rc_context({"text.parse_math": False, "font.size": 9}):
        figure = Figure(
            figsize=(COLUMNS * PANEL_INCHES[0], rows * PANEL_INCHES[1] + 0.5),
            layout=ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.15),
            facecolor=colours["paper"],
        )
        figure.suptitle(title, color=colours["ink"])
        grid = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
        for axes in grid[len(panels) :]:
            axes.remove()
        for axes, draw in zip(grid, panels, strict=False):
            _dress(axes, colours)
            draw(axes)
        content = BytesIO()
        figure.savefig(content, format="png", dpi=120)
    return content.getvalue()


def _dress(axes: Axes, colours: Colours) -> None:
    axes.set_facecolor(colours["paper"])
    axes.tick_params(which="both", colors=colours["soft"], length=0)
    axes.spines[:].set_visible(False)
    axes.xaxis.label.set_color(colours["soft"])
    axes.yaxis.label.set_color(colours["soft"])
    axes.set_axisbelow(True)


def panel_title(axes: Axes, text: str, colours: Colours) -> None:
    """What the panel shows, above its left end."""
    axes.set_title(text, loc="left", color=colours["ink"], fontweight="bold", fontsize=10)
