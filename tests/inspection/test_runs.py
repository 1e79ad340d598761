"""Runs as curves, as a picture and as a page; the command line on top."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import Browser

from megatron_crossic.errors import ConfigError, DataError
from megatron_crossic.inspection.figure_style import theme_colours
from megatron_crossic.inspection.runs import curves
from megatron_crossic.inspection.runs.curves import read_run, read_runs, smooth, tokens_at
from megatron_crossic.inspection.runs.figure import figure_png
from megatron_crossic.inspection.runs.page import check_format, page_html, run_section, write_plot

TOOL = Path(__file__).parents[2] / "tools" / "plot_run.py"


def write_run(folder: Path, *, num_steps: int = 6, change: Callable[..., Any] = dict) -> Path:
    """A run whose loss falls from 3 by a tenth a step; 100 tokens a step; `es` from step 2 on."""
    folder.mkdir(parents=True)
    with (folder / "metrics.jsonl").open("w", encoding="utf-8") as file:
        for step in range(1, num_steps + 1):
            loss = 3 - step / 10
            record = {
                "step": step,
                "loss": loss,
                "loss_by_language": {"en": loss} | ({"es": loss + 1} if step > 1 else {}),
                "grad_norm": 2.0**step,
                "learning_rate": 1e-3 / step,
                "num_tokens_total": 100 * step,
                "tokens_per_second": 1000.0,
                "seconds": 0.5,
            }
            file.write(json.dumps(change(record)) + "\n")
    with (folder / "validation.jsonl").open("w", encoding="utf-8") as file:
        for step in (0, num_steps):
            record = {
                "step": step,
                "loss": 4.0,
                "loss_by_language": {"en": 3.5, "es": 4.5},
                "transfer_gain": {"over_random": {"es after en": step / 4}},
                "retention": {"<b>wiki": 2.0},
            }
            file.write(json.dumps(record) + "\n")
    return folder


def test_the_files_are_those_that_training_writes() -> None:
    metrics = pytest.importorskip("megatron_crossic.train.metrics")
    assert curves.METRICS_FILE == metrics.METRICS_FILE
    assert curves.VALIDATION_FILE == metrics.VALIDATION_FILE


def test_curves_are_what_the_lines_say(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "a"), name="a")
    assert run.training.steps.tolist() == [1, 2, 3, 4, 5, 6]
    assert run.training.get("loss").tolist() == pytest.approx([2.9, 2.8, 2.7, 2.6, 2.5, 2.4])
    assert np.isnan(run.training.languages["es"][0])
    assert run.training.languages["es"][1:].tolist() == pytest.approx([3.8, 3.7, 3.6, 3.5, 3.4])
    assert np.isnan(run.training.get("not there")).all()
    assert run.validation.languages["en"].tolist() == [3.5, 3.5]
    assert tokens_at(run, run.validation.steps).tolist() == [0, 600]


def test_a_line_that_is_just_being_written_is_left_out(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "a")
    with (folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"step": 7, "lo')
    assert read_run(folder, name="a").training.steps[-1] == 6


def test_what_is_no_number_is_a_gap(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "a", change=lambda r: {**r, "loss": None, "grad_norm": "x"})
    run = read_run(folder, name="a")
    assert np.isnan(run.training.get("loss")).all()
    assert figure_png([run]).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "metrics.jsonl must have a step, got none"),
        ("[1]\n", "metrics.jsonl, line 1 must be a JSON object"),
        ('{"loss": 1}\n', "must have a whole number as step in every line"),
    ],
)
def test_files_of_something_else_are_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "metrics.jsonl").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_run(tmp_path, name="a")


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="input file must be readable, got .*metrics.jsonl"):
        read_run(tmp_path, name="a")


def test_names_tell_runs_apart(tmp_path: Path) -> None:
    folders = [write_run(tmp_path / name) for name in ("a/run", "b/run", "other")]
    assert [run.name for run in read_runs(folders)] == [str(folders[0]), str(folders[1]), "other"]


def test_smoothing_is_a_mean_of_the_last_values() -> None:
    values = np.arange(100.0)
    assert smooth(values)[:4].tolist() == [0, 0.5, 1.5, 2.5]
    values[2] = np.nan
    assert smooth(values)[:5].tolist() == [0, 0.5, 1, 3, 3.5]
    assert smooth(np.array([5.0, 7.0])).tolist() == [5, 7]
    assert np.isnan(smooth(np.array([np.nan]))).all()


@pytest.mark.parametrize("x", ["step", "tokens"])
@pytest.mark.parametrize("num_steps", [1, 300])
@pytest.mark.filterwarnings("error")
def test_pictures_of_one_and_of_many_runs(tmp_path: Path, x: Any, num_steps: int) -> None:
    folders = [write_run(tmp_path / f"${i}" / ("r" * 40), num_steps=num_steps) for i in range(5)]
    (folders[1] / "validation.jsonl").unlink()
    runs = read_runs(folders)
    for some in (runs[:1], runs[1:2], runs):
        png = figure_png(some, x=x)
        width, height = (int.from_bytes(png[at : at + 4], "big") for at in (16, 20))
        assert (width, height) == (1440, 1212)


def test_the_dark_picture_has_dark_paper(tmp_path: Path) -> None:
    light, dark = theme_colours(), theme_colours(dark=True)
    assert set(dark) <= set(light)
    assert light["paper"] > "#ee" > "#33" > dark["paper"]
    run = read_run(write_run(tmp_path / "a"), name="a")
    assert figure_png([run], dark=True) != figure_png([run])


def test_the_page_is_complete_and_escaped(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "a"), name="<img src=x>")
    page = page_html([run], x="step")
    assert "<img src=x>" not in page
    assert page.count("data:image/png;base64,") == 2
    assert not re.search(r"https?:|<script", page)
    rows = dict(run_section(run).rows)
    assert rows["loss"] == "2.9000 to 2.4000"
    assert rows["held-out loss, es"] == "4.5000 to 4.5000"
    assert rows["transfer gain over a random source, es after en"] == "0.0000 to 1.5000"
    assert rows["retention, <b>wiki"] == "2.0000 to 2.0000"
    assert "<b>wiki" not in page
    assert (rows["tokens with loss"], rows["time in steps"]) == ("600", "0:00:03")


def test_the_page_in_a_browser(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    write_plot(page, read_runs([write_run(tmp_path / "a"), write_run(tmp_path / "b")]), x="step")
    browser.complaints()
    shown = set()
    for dark in (False, True):
        for width in (320, 1280):
            browser.open(page, width=width, dark=dark)
            assert browser.wait_for("document.querySelector('img').naturalWidth") == 1440
            sizes = browser.ask("(e => [e.scrollWidth, e.clientWidth])(document.documentElement)")
            assert sizes[0] == sizes[1] <= width
            shown.add(browser.ask("document.querySelector('img').currentSrc"))
    assert len(shown) == 2, "one picture for light, one for dark"
    assert browser.complaints() == []


def test_another_format_is_refused() -> None:
    with pytest.raises(ConfigError, match="--output must end in .png or .html, got x.gif"):
        check_format(Path("x.gif"))


def test_the_command_line(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "a")

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(TOOL), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    output = tmp_path / "new" / "a.png"
    first = run(folder, "--output", output)
    assert (first.returncode, first.stdout, first.stderr) == (0, f"{output}\n", "")
    assert output.read_bytes().startswith(b"\x89PNG")
    again = run(folder, "--output", output)
    assert again.returncode == 2
    assert "pass --overwrite" in again.stderr
    missing = run(tmp_path / "none", "--output", tmp_path / "b.png")
    assert missing.returncode == 3
    assert "Traceback" not in missing.stderr
