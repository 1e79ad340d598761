"""The page and the picture of a report as files; `test_pair_browser` has the page shown."""

import base64
import hashlib
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hostile_pairs import write_hostile_pairs
from inspected_windows import HOSTILE
from parsed_page import Page

from megatron_crossic.errors import ConfigError, DataError
from megatron_crossic.inspection.figure_style import theme_colours
from megatron_crossic.inspection.pairs.figure import figure_png
from megatron_crossic.inspection.pairs.identify import Confusion, Stranger
from megatron_crossic.inspection.pairs.page import page_html
from megatron_crossic.inspection.pairs.report import PairReport, ReportOptions, report_pairs
from megatron_crossic.inspection.pairs.terminal import summary_lines
from megatron_crossic.inspection.pairs.write import refuse_outputs, write_report

PAIRED = ("table", "section", "figure", "article", "div", "p", "details", "bdi", "a", "dl", "h4")


@pytest.fixture
def report(tmp_path: Path) -> PairReport:
    return report_pairs(write_hostile_pairs(tmp_path), ReportOptions())


def test_data_make_no_elements(report: PairReport) -> None:
    text = page_html(report)
    page = Page(text)
    tags = [tag for tag, _ in page.elements]
    assert not {"script", "img", "iframe", "object", "link", "base"} & set(tags)
    assert "<!--" not in text
    assert "&lt;script&gt;window.ran = true&lt;/script&gt;" in text
    assert not set("\u2028\u202e\x1b\x07\x9b") & set(text)
    for tag in PAIRED:
        assert text.count(f"<{tag}>") + text.count(f"<{tag} ") == text.count(f"</{tag}>"), tag
        assert tag in tags


def test_nothing_acts_and_nothing_comes_from_elsewhere(report: PairReport) -> None:
    page = Page(page_html(report))
    for _, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        assert "src" not in attributes
    addresses = {a["href"] for tag, a in page.elements if tag == "a"}
    assert {address for address in addresses if not (address or "").startswith("#")} == {
        "https://en.wikipedia.org/wiki/Berlin",
        "https://en.wikipedia.org/w/index.php?oldid=7&a=%22<b>",
        'https://example.org/"><script>window.ran=1</script>',  # harmless in there
    }
    (policy,) = [a["content"] for _, a in page.elements if a.get("http-equiv")]
    ((_, style),) = page.raw
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert not re.search(r"url\(|@import", style)


def test_texts_have_their_language_and_direction(report: PairReport) -> None:
    page = Page(page_html(report))
    texts = [a for tag, a in page.elements if tag == "div" and a.get("class") == "text"]
    assert [(a["lang"], a["dir"]) for a in texts] == [("en", "ltr"), ("ar", "rtl")] * 3
    titles = [a for tag, a in page.elements if tag == "h4"]
    assert [a["dir"] for a in titles] == ["ltr", "rtl"] * 3


def test_links_inside_the_page_lead_somewhere(report: PairReport) -> None:
    page = Page(page_html(report))
    names = [a["id"] for _, a in page.elements if "id" in a]
    assert len(names) == len(set(names))
    inside = [a["href"][1:] for t, a in page.elements if t == "a" and a["href"][:1] == "#"]
    assert len(inside) == 6
    assert set(inside) <= set(names)
    regions = [a for _, a in page.elements if a.get("role") == "region"]
    assert len(regions) == 3
    assert all(a["tabindex"] == "0" and a["aria-label"] for a in regions)


def test_the_same_file_makes_the_same_page(report: PairReport) -> None:
    again = report_pairs(report.path, ReportOptions())
    assert page_html(again) == page_html(report)
    other = report_pairs(report.path, ReportOptions(sample=1, seed=1))
    assert len(other.sample) == 1
    assert "1 of 3 by chance, seed 1" in page_html(other)


def test_without_a_manifest_it_says_so(tmp_path: Path) -> None:
    path = write_hostile_pairs(tmp_path, with_manifest=False)
    assert "There is no manifest beside the file" in page_html(report_pairs(path, ReportOptions()))


def with_confusion(report: PairReport) -> PairReport:
    stranger = Stranger(
        pair=1, pair_id="<b>", title="<script>", claimed="ar", detected="<i>", text="<img>"
    )
    confusion = Confusion(
        num_too_short=2, counts={"ar": Counter({"ar": 1, "<i>": 1})}, strangers=(stranger,)
    )
    return replace(report, confusion=confusion)


def test_documents_of_another_language_are_named(report: PairReport) -> None:
    text = page_html(with_confusion(report))
    tags = [tag for tag, _ in Page(text).elements]
    assert not {"script", "img", "i"} & set(tags)
    assert "<th scope=col>&lt;i&gt;</th>" in text
    assert "&lt;script&gt;" in text
    assert "1 of another language than claimed" in text


def test_the_picture_has_all_panels_and_no_formula(report: PairReport) -> None:
    png = figure_png(with_confusion(report))
    assert png.startswith(b"\x89PNG")
    width, height = (int.from_bytes(png[at : at + 4], "big") for at in (16, 20))
    # 4 breakdowns, languages, 2 lengths, a ratio and the confusion table in two columns: 5 rows
    assert (width, height) == (1440, round(120 * (5 * 3.2 + 0.5)))
    assert theme_colours()["l0"] == "#3d639c"


def test_the_terminal_gets_no_controls(report: PairReport) -> None:
    lines = list(summary_lines(with_confusion(report)))
    assert "3 pairs" in lines[0]
    assert not set("\n\x1b\x07\x9b\u202e") & set("".join(lines))
    assert any(HOSTILE[:20] in line for line in lines)


def test_files_are_not_replaced_by_mistake(report: PairReport, tmp_path: Path) -> None:
    html, png = tmp_path / "new" / "x.html", tmp_path / "x.png"
    assert write_report(report, html=html, png=png) == [html, png]
    with pytest.raises(ConfigError, match="output path must not exist, got .*x.png"):
        refuse_outputs(report.path, html=None, png=png, overwrite=False)
    refuse_outputs(report.path, html=html, png=png, overwrite=True)
    with pytest.raises(ConfigError, match="--html and --png must differ"):
        refuse_outputs(report.path, html=png, png=png, overwrite=True)
    for own in (report.path, report.path.with_name("pairs.jsonl.manifest.json")):
        with pytest.raises(ConfigError, match="output must not replace an input"):
            refuse_outputs(report.path, html=own, png=None, overwrite=True)


def test_files_that_cannot_be_reported(tmp_path: Path) -> None:
    path = tmp_path / "empty.jsonl"
    path.write_text("\n", encoding="utf-8")
    with pytest.raises(DataError, match="pair file must hold pairs, got none in .*empty.jsonl"):
        report_pairs(path, ReportOptions())
    hostile = write_hostile_pairs(tmp_path)
    with hostile.open("a", encoding="utf-8") as file:
        file.write("\n")
    with pytest.raises(DataError, match="pairs file must have .* bytes as its manifest says"):
        report_pairs(hostile, ReportOptions())


@pytest.mark.parametrize("name", ["sample", "detect", "short_characters"])
def test_options_have_bounds(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} must be at least ., got -1"):
        ReportOptions(**{name: -1})
