"""Charts say what the numbers say, also to those who cannot see them."""

import itertools
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from inspected_windows import hostile_data_set

from megatron_crossic.inspection.charts import MOST_BARS, chart_html
from megatron_crossic.inspection.statistics import Statistics, count_windows, ratio_bins
from megatron_crossic.inspection.window_charts import statistics_charts

COUNTS = st.dictionaries(st.integers(0, 4096), st.integers(1, 10**7), max_size=30)


def dense(counts: dict[int, int], size: int) -> np.ndarray:
    array = np.zeros(size, dtype=np.int64)
    for index, count in counts.items():
        array[index % size] += count
    return array


@given(COUNTS, COUNTS, COUNTS)
def test_bars_hold_all_that_was_counted(
    filled: dict[int, int], chunks: dict[int, int], ratios: dict[int, int]
) -> None:
    statistics = Statistics(
        num_windows=sum(filled.values()),
        num_counted=sum(filled.values()),
        filled=dense(filled, 4097),
        chunk_tokens=dense(chunks, 4097),
        ratios=dense(ratios, len(ratio_bins())),
        chunks_of_one_side=0,
        language_tokens=np.array([5, 0]),
    )
    charts = {chart.name: chart for chart in statistics_charts(statistics, ["en", "es"])}
    totals = {name: sum(bar.count for bar in chart.bars) for name, chart in charts.items()}
    expected = [sum(counts.values()) for counts in (filled, chunks, ratios)]
    assert list(totals.values()) == [*expected, 5]
    for name in ("fill", "chunks"):
        bars = charts[name].bars
        assert len(bars) <= MOST_BARS
        assert not bars or (bars[0].count and bars[-1].count)
        for bar, following in itertools.pairwise(bars):
            assert bar.label.split(" to ")[1] == following.label.split(" to ")[0]


def test_figures_are_complete_and_well_formed(tmp_path: Path) -> None:
    store, _ = hostile_data_set(tmp_path)
    charts = statistics_charts(count_windows(store), ["en", "</svg><script>"])
    assert [chart.title for chart in charts] == [
        "Fill rate",
        "Chunk lengths",
        "Length ratios",
        "Language shares",
    ]
    for chart in charts:
        html = chart_html(chart)
        assert "<script" not in html
        quoted = re.sub(r"(\s[\w-]+)=([\w-]+)(?=[\s>/])", r'\1="\2"', html)
        figure = ElementTree.fromstring(quoted)  # the drawing and the table are closed properly
        svg = figure.find("svg")
        assert svg is not None
        assert svg.get("role") == "img"
        described = (svg.get("aria-labelledby") or "").split()
        assert described == [e.get("id") for e in svg if e.tag in ("title", "desc")]
        assert [e.text for e in svg.findall("text[@class='axis']")] == [
            chart.x_label,
            chart.y_label,
        ]
        cells = [cell.text for cell in figure.iterfind(".//td")]
        assert cells == [f"{bar.count:,}" for bar in chart.bars]
        assert "All 2 windows" in html


def test_a_part_of_the_windows_is_called_a_part(tmp_path: Path) -> None:
    store, _ = hostile_data_set(tmp_path)
    charts = statistics_charts(count_windows(store, most_windows=1), store.languages)
    assert all(chart.caption.startswith("1 windows of 2, evenly spread") for chart in charts)
