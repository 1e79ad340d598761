"""The page of mined pairs: what it says, that data do not act, and how a browser shows it."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from browser import Browser
from hypothesis import given, settings
from hypothesis import strategies as st
from inspected_windows import ARABIC, HOSTILE
from mined_texts import ListedTexts, alone, distinct_texts, linked, passage, select_from, words
from parsed_page import Page

from megatron_crossic.data.records import Document
from megatron_crossic.data.retrieval.selection.options import SelectionOptions
from megatron_crossic.data.retrieval.selection.sample import write_mining_report_data
from megatron_crossic.errors import ConfigError, DataError
from megatron_crossic.inspection.mining.charts import (
    MOST_BARS,
    kept_at_thresholds,
    outcome_breakdowns,
    score_chart,
)
from megatron_crossic.inspection.mining.page import page_html
from megatron_crossic.inspection.mining.record import MiningRecord, read_mining_record
from megatron_crossic.inspection.mining.write import write_report

PLAIN = SelectionOptions(near_duplicate=None, min_score=1.05)
Row = tuple[int, int, float]


def hostile_texts() -> tuple[list[Row], ListedTexts]:
    """An honest Arabic document, a hostile one, and one below the threshold."""
    bad = HOSTILE.replace("\x00", "")
    passages = [
        passage(words(1)),
        Document(language="en", title=bad, text=f"{bad}\n\n{words(2)}", id=f"{bad}#0-9"),
    ]
    targets = [
        linked(ARABIC * 4, language="ar"),
        replace(
            alone(f"{bad} {words(3)}", language="ar"), id=bad, provenance={"url": "javascript:x()"}
        ),
        linked(words(4), language="ja"),
    ]
    return [(0, 0, 1.4), (1, 1, 1.3), (2, 1, 0.9)], ListedTexts(passages, targets)


def record_of(
    folder: Path, rows: list[Row], texts: ListedTexts, options: SelectionOptions = PLAIN
) -> MiningRecord:
    path = folder / "mining.json"
    write_mining_report_data(path, select_from(rows, texts, options), texts)
    return read_mining_record(path)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mining")
    record_of(folder, *hostile_texts())
    write_report(folder / "report.html", folder / "mining.json", name=HOSTILE)
    return folder / "report.html"


def test_data_make_no_elements_and_nothing_acts(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    elements = Page(text).elements
    assert not {"script", "img", "iframe", "object", "link", "base"} & {tag for tag, _ in elements}
    assert "&lt;script&gt;window.ran = true&lt;/script&gt;" in text
    assert not set("\u2028\u202e\x1b\x07\x9b") & set(text)
    for _, attributes in elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
    links = {a["href"] for tag, a in elements if tag == "a" and (a["href"] or "#")[0] != "#"}
    assert links == {
        "https://en.example/0",
        "https://en.example/1",
        "https://es.example/2",
    }
    for tag in ("section", "article", "div", "p", "details", "table", "dl", "span", "h4", "svg"):
        assert text.count(f"<{tag}>") + text.count(f"<{tag} ") == text.count(f"</{tag}>"), tag


def test_ids_are_unique_and_links_inside_lead_somewhere(page: Path) -> None:
    elements = Page(page.read_text(encoding="utf-8")).elements
    names = [a["id"] for _, a in elements if "id" in a]
    assert len(names) == len(set(names))
    inside = [a["href"] for tag, a in elements if tag == "a" and (a["href"] or "")[:1] == "#"]
    assert {(address or "")[1:] for address in inside} <= set(names)
    assert len(inside) == 5


def test_texts_have_their_language_and_direction(page: Path) -> None:
    elements = Page(page.read_text(encoding="utf-8")).elements
    shown = [a for tag, a in elements if tag == "div" and a.get("class") == "text"]
    found = [(a["lang"], a["dir"]) for a in shown]
    assert found == [("en", "ltr"), ("ar", "rtl")] * 2 + [("en", "ltr"), ("ja", "ltr")]


def test_the_page_says_what_became_of_each(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"<span class=(?:chosen|rejected)>([^<]+)", text) == [
        "chosen",
        "chosen",
        "below threshold",
    ]
    after = text.split("what follows is below it")[1]
    assert "below threshold" in after
    assert "margin 0.900 · similarity 0.450 · by title 0.450 · by keywords 0.225" in after
    assert "2 pairs of 3 documents · margin of at least 1.05" in text


def test_the_same_record_makes_the_same_page(page: Path) -> None:
    record = read_mining_record(page.with_name("mining.json"))
    assert page_html(record, name="x") == page_html(record, name="x")


def test_nothing_mined_can_be_shown(tmp_path: Path) -> None:
    record = record_of(tmp_path, [], distinct_texts(3, 1))
    text = page_html(record, name="nothing")
    assert "No document has a candidate." in text
    assert "0 pairs of 3 documents" in text


def test_a_threshold_in_the_chart(tmp_path: Path) -> None:
    rows = [(i, i, 0.9 + 0.02 * i) for i in range(20)]
    chart = score_chart(record_of(tmp_path, rows, distinct_texts(20, 20)))
    assert sum(bar.count for bar in chart.bars) == 20
    assert sum(bar.part for bar in chart.bars) == 12
    assert chart.bars[0].label == "0.90 to 0.91"
    assert chart.mark is not None
    assert chart.mark.at == pytest.approx(15)
    assert all(bar.part == 0 for bar in chart.bars[:15])
    edges = [bar.edge for bar in chart.bars if bar.edge]
    assert edges == ["0.90", "0.95", "1.00", "1.05", "1.10", "1.15", "1.20", "1.25"]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-2, 4, width=32), max_size=20), st.floats(-0.9, 2.9))
def test_all_documents_are_in_the_charts(
    tmp_path_factory: pytest.TempPathFactory, scores: list[float], threshold: float
) -> None:
    rows = [(i, i % 3, score) for i, score in enumerate(scores)]
    texts = distinct_texts(21, 3)
    options = replace(PLAIN, min_score=threshold)
    record = record_of(tmp_path_factory.mktemp("m"), rows, texts, options)
    chart = score_chart(record)
    assert 1 <= len(chart.bars) <= MOST_BARS + 1
    assert sum(bar.count for bar in chart.bars) == len(scores)
    assert sum(bar.part for bar in chart.bars) == record.num_pairs
    documents, candidates = outcome_breakdowns(record)
    assert (documents.total, candidates.total) == (21, len(scores))
    assert page_html(record, name="any")


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 4), st.integers(80, 140)),
        max_size=40,
        unique_by=lambda row: row[:2],
    ),
    st.sampled_from([0.9, 1.05, 1.1]),
)
def test_other_thresholds_are_what_selecting_with_them_gives(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[tuple[int, int, int]], current: float
) -> None:
    rows = [(query, passage, score / 100) for query, passage, score in numbers]
    texts = distinct_texts(10, 5)
    folder = tmp_path_factory.mktemp("m")
    kept = kept_at_thresholds(record_of(folder, rows, texts, replace(PLAIN, min_score=current)))
    assert [k.threshold for k in kept] == sorted({k.threshold for k in kept})
    assert [k.threshold for k in kept if k.is_current] == [current]
    for found in kept:
        options = replace(PLAIN, min_score=found.threshold)
        again = record_of(folder, rows, texts, options)
        assert found.num_reaching == again.num_above
        assert found.num_pairs == (None if found.threshold < current else again.num_pairs)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "must be a JSON object written by the selection"),
        ("[]", "must be a JSON object written by the selection"),
        ('{"kind": "pairs", "format_version": 1}', "must be of kind mining, format 1, got 'pairs'"),
        ('{"kind": "mining", "format_version": 1}', "written by the selection.*histograms"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "mining.json").write_text(content)
    with pytest.raises(DataError, match=message):
        read_mining_record(tmp_path / "mining.json")


@pytest.mark.parametrize(
    ("part", "values"),
    [
        ("options", {"score": "margin", "min_score": float("nan")}),
        ("counts", {"documents": 1, "pairs": 2}),
        ("histograms", {"bins_per_unit": 0, "best": {}, "chosen": {}}),
        ("sample", [{"score": "high"}]),
    ],
)
def test_a_damaged_record_is_refused(tmp_path: Path, part: str, values: object) -> None:
    record_of(tmp_path, *hostile_texts())
    record = json.loads((tmp_path / "mining.json").read_bytes())
    (tmp_path / "mining.json").write_text(json.dumps({**record, part: values}))
    with pytest.raises(DataError, match="mining record must be a JSON object written"):
        read_mining_record(tmp_path / "mining.json")


def test_outputs_are_not_replaced(tmp_path: Path) -> None:
    record_of(tmp_path, *hostile_texts())
    mining, page = tmp_path / "mining.json", tmp_path / "report.html"
    with pytest.raises(DataError, match="none.json"):
        write_report(page, tmp_path / "none.json")
    assert not page.exists()
    write_report(page, mining)
    with pytest.raises(ConfigError, match="output path must not exist"):
        write_report(page, mining)
    write_report(page, mining, overwrite=True)
    with pytest.raises(ConfigError, match="output must not replace an input"):
        write_report(mining, mining, overwrite=True)


def test_nothing_runs_in_a_browser(browser: Browser, page: Path) -> None:
    browser.complaints()
    browser.open(page)
    assert browser.ask("window.ran === undefined")
    assert "<script>window.ran = true</script>" in browser.text("#around")
    assert browser.complaints() == []
    style = "getComputedStyle(document.querySelector(arguments[0])).direction"
    assert browser.ask(style, ".text[lang=ar]") == "rtl"
    assert browser.ask(style, ".text[lang=en]") == "ltr"
    assert browser.print_pdf()[:6] == b"JVBERi"


@pytest.mark.parametrize("width", [320, 800, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_no_width_scrolls_sideways(browser: Browser, page: Path, width: int, dark: bool) -> None:
    browser.open(page, width=width, dark=dark)
    browser.ask("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    sizes = browser.ask("(e => [e.scrollWidth, e.clientWidth])(document.documentElement)")
    assert sizes[0] == sizes[1] <= width
    tops = browser.ask(
        "[...document.querySelectorAll('.pair:first-of-type .span')]"
        ".map(e => e.getBoundingClientRect().top)"
    )
    assert (tops[0] == tops[1]) == (width >= 760)


def test_every_region_has_a_name(browser: Browser, page: Path) -> None:
    browser.open(page)
    nameless = browser.ask("""
        [...document.querySelectorAll('nav, article, main > section, svg[role=img]')]
          .filter(e => !e.ariaLabel && !e.getAttribute('aria-labelledby'))
          .map(e => e.outerHTML)
    """)
    assert nameless == []
