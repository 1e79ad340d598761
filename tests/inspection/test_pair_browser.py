"""The report in a real browser."""

from pathlib import Path

import pytest
from browser import Browser
from hostile_pairs import write_hostile_pairs

from megatron_crossic.inspection.pairs.report import ReportOptions, report_pairs
from megatron_crossic.inspection.pairs.write import write_report


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    report = report_pairs(write_hostile_pairs(folder), ReportOptions())
    (written,) = write_report(report, html=folder / "report.html", png=None)
    return written


def test_nothing_in_the_data_runs(browser: Browser, page: Path) -> None:
    browser.complaints()
    browser.open(page)
    assert browser.ask("window.ran === undefined")
    assert browser.ask("document.querySelectorAll('script, img').length") == 0
    assert "<script>window.ran = true</script>" in browser.text("#pairs")
    assert browser.complaints() == []


def test_arabic_runs_from_right_to_left(browser: Browser, page: Path) -> None:
    browser.open(page)
    style = "getComputedStyle(document.querySelector(arguments[0])).direction"
    assert browser.ask(style, ".text[lang=ar]") == "rtl"
    assert browser.ask(style, "h4[lang=ar]") == "rtl"
    assert browser.ask(style, ".text[lang=en]") == "ltr"


@pytest.mark.parametrize("width", [320, 390, 800, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_no_width_scrolls_sideways(browser: Browser, page: Path, width: int, dark: bool) -> None:
    browser.open(page, width=width, dark=dark)
    browser.ask("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    sizes = browser.ask("(e => [e.scrollWidth, e.clientWidth])(document.documentElement)")
    assert sizes[0] == sizes[1] <= width
    paper = browser.ask(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    )
    assert (sum(paper) < 3 * 64) == dark
    tops = browser.ask(
        "[...document.querySelectorAll('.pair:first-of-type .span')]"
        ".map(e => e.getBoundingClientRect().top)"
    )
    assert (tops[0] == tops[1]) == (width >= 760)  # side by side, or one below the other


def test_the_keyboard_reaches_everything(browser: Browser, page: Path) -> None:
    """Tab goes through the skip link, the parts, each table that scrolls, and each disclosure."""
    browser.open(page, width=390)
    reached = []
    for _ in range(60):
        browser.press("\ue004")
        found = browser.ask(
            "(e => e === document.body ? '' : e.className || e.tagName)(document.activeElement)"
        )
        if not found:
            break
        reached.append(found)
    assert reached[0] == "skip"
    expected = browser.ask(
        "document.querySelectorAll('a, summary, [tabindex]').length"
        " - document.querySelectorAll('details:not([open]) > :not(summary) a').length"
    )
    assert len(reached) == expected
    assert reached.count("wide") == 3


def test_every_region_has_a_name(browser: Browser, page: Path) -> None:
    browser.open(page)
    nameless = browser.ask("""
        [...document.querySelectorAll('nav, article, main > section, [role=region], svg[role=img]')]
          .filter(e => !e.ariaLabel && !e.getAttribute('aria-labelledby'))
          .map(e => e.outerHTML)
    """)
    assert nameless == []


def test_it_can_be_printed(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert browser.print_pdf()[:6] == b"JVBERi"  # "%PDF" in base 64
