"""The page in a real browser: Debian's Chromium without a screen."""

from pathlib import Path

import pytest
from browser import Browser
from inspected_windows import ARABIC, Chunk, hostile_data_set, record, write_data_set

from megatron_crossic.data.spans import Role
from megatron_crossic.inspection.page import write_page

SOURCE, TARGET = Role.SOURCE, Role.TARGET
MANY = 500


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    store, tokenizer = hostile_data_set(folder)
    write_page(folder / "page.html", store, tokenizer, [0, 1])
    return folder / "page.html"


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """500 windows of 4,096 tokens in three languages; one of them holds "needle"."""
    folder = tmp_path_factory.mktemp("large")
    paragraph = {
        (SOURCE, "en"): "Berlin is the capital of Germany.\n\n",
        (TARGET, "ar"): ARABIC,
        (TARGET, "es"): "Berlín es la capital de Alemania.\n\n",
    }
    chunk = [(*key, text * 6) for key, text in paragraph.items()]
    windows: list[list[Chunk]] = [[(i, chunk)] * 4 for i in range(MANY)]
    windows[321] = [(321, [(SOURCE, "en", "A NEEDLE, İ, a needle.\n\n"), *chunk[1:]])]
    records = [record(f"id-{i}", en=f"Title {i}", ar="عنوان", es="Título") for i in range(MANY)]
    store, tokenizer = write_data_set(folder / "x", windows, records, seq_length=4096)
    write_page(folder / "page.html", store, tokenizer, range(MANY))
    return folder / "page.html"


def test_arabic_runs_from_right_to_left(browser: Browser, hostile: Path) -> None:
    browser.open(hostile)
    text = "document.querySelector('.text[lang=ar]')"
    assert browser.ask(f"getComputedStyle({text}).direction") == "rtl"
    assert (
        browser.ask("getComputedStyle(document.querySelector('.text[lang=en]')).direction") == "ltr"
    )
    places = """
        (() => {
          const node = document.querySelector(arguments[0]).firstChild;
          return Array.from({length: 5}, (_, i) => {
            const range = document.createRange();
            range.setStart(node, i);
            range.setEnd(node, i + 1);
            return range.getClientRects()[0].left;
          });
        })()
    """
    arabic, english = (browser.ask(places, f".text[lang={code}] p") for code in ("ar", "en"))
    assert arabic == sorted(arabic, reverse=True)
    assert english == sorted(english)
    assert len(set(arabic)) == len(set(english)) == 5
    box = browser.ask(f"(r => [r.left, r.right])({text}.getBoundingClientRect())")
    assert box[1] - arabic[0] < arabic[0] - box[0]  # it begins at the right edge


def test_nothing_in_the_data_runs(browser: Browser, hostile: Path) -> None:
    browser.complaints()
    browser.open(hostile)
    browser.press("j")
    assert browser.text("#window-title") == "Window 1"
    assert "<script>window.ran = true</script>" in browser.text(".text p")
    assert browser.ask("document.querySelectorAll('#window script, #window img').length") == 0
    assert browser.ask("window.ran === undefined")
    links = browser.ask("[...document.querySelectorAll('.sources a')].map(a => a.href)")
    assert links == ["https://en.wikipedia.org/wiki/Berlin?a=%22%3Cb%3E"]
    assert "javascript:alert(1)" in browser.text(".sources")
    assert browser.complaints() == []


def test_the_policy_forbids_other_scripts_and_requests(browser: Browser, hostile: Path) -> None:
    browser.open(hostile)
    browser.complaints()
    browser.ask("document.body.append(Object.assign(document.createElement('script'),"
                "{textContent: 'window.ran = 1'}))")  # fmt: skip
    browser.ask("document.body.append(Object.assign(new Image(), {src: 'https://example.org/x'}))")
    assert browser.ask("window.ran === undefined")
    complaints = browser.complaints()
    assert len([text for text in complaints if "Content Security Policy" in text]) == 2


def test_keys(browser: Browser, large: Path) -> None:
    browser.complaints()
    browser.open(large)
    title = []
    for keys in ("j", "j", "k", "\ue014", "\ue012", "G", "j", "g", "k"):  # arrows: right, left
        browser.press(keys)
        title.append(browser.text("#window-title").removeprefix("Window "))
    assert title == ["1", "2", "1", "2", "1", "499", "499", "0", "0"]
    assert browser.ask("document.activeElement.id") == "window-title"
    assert browser.ask("location.hash") == "#window-0"
    browser.press("o")
    assert browser.ask("getComputedStyle(document.getElementById('overview')).display") != "none"
    browser.press("o")
    assert browser.ask("getComputedStyle(document.getElementById('overview')).display") == "none"
    browser.press("?")
    assert browser.ask("document.getElementById('help').open")
    browser.press("j")  # nothing moves behind the help
    browser.press("\ue00c")
    assert not browser.ask("document.getElementById('help').open")
    assert browser.text("#window-title") == "Window 0"
    browser.press("s")
    tops = browser.ask("[...document.querySelectorAll('.chunk .span')].slice(0, 3)"
                       ".map(e => e.getBoundingClientRect().top)")  # fmt: skip
    assert len(set(tops)) == 1  # three languages side by side
    assert browser.complaints() == []


def test_search(browser: Browser, large: Path) -> None:
    browser.complaints()
    browser.open(large)
    assert browser.ask("document.querySelectorAll('#list li').length") == MANY
    browser.press("/")
    browser.press("needle")
    browser.wait_for("document.getElementById('hits').value === '1 of 2 in 1 window'")
    assert browser.text("#window-title") == "Window 321"
    marks = "[...document.querySelectorAll('mark')].map(m => m.textContent)"
    assert browser.ask(marks) == ["NEEDLE", "needle"]
    browser.wait_for("document.querySelectorAll('#list li:not([hidden])').length === 1")
    browser.press("\ue007")
    assert browser.text("mark.current") == "needle"
    assert browser.ask("document.getElementById('hits').value") == "2 of 2 in 1 window"
    browser.press("\ue00c")
    browser.wait_for("document.querySelectorAll('#list li:not([hidden])').length === 500")
    assert browser.ask("document.querySelectorAll('mark').length") == 0


def test_hits_counted_are_hits_shown(browser: Browser, large: Path) -> None:
    browser.open(large)
    for query in ("id-499", "title 17", "عنوان", "Alemania", "E"):
        browser.ask("search(arguments[0])", query)
        counts, at = browser.ask("[state.counts, state.at]")
        assert browser.ask("document.querySelectorAll('#window mark').length") == counts[at] > 0
        place, total = browser.ask("document.getElementById('hits').value.split(/ of | in /)")[:2]
        assert int(place.replace(",", "")) == sum(counts[:at]) + 1
        assert int(total.replace(",", "")) == sum(counts)
    browser.ask("search('nowhere in here')")
    assert browser.ask("document.getElementById('hits').value") == "no hits"
    assert browser.ask("!document.getElementById('nothing').hidden")
    browser.press("j")
    browser.press("n")


@pytest.mark.parametrize("width", [320, 360, 390, 800, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_no_width_scrolls_sideways(browser: Browser, hostile: Path, width: int, dark: bool) -> None:
    browser.open(hostile, width=width, dark=dark)
    for keys in ("j", "o"):
        browser.press(keys)
        browser.ask("document.querySelectorAll('details').forEach(d => { d.open = true; })")
        page = browser.ask("(e => [e.scrollWidth, e.clientWidth])(document.documentElement)")
        assert page[0] == page[1] <= width
    luminance = browser.ask(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    )
    assert (sum(luminance) < 3 * 64) == dark


def test_a_phone_opens_the_list_by_a_button(browser: Browser, large: Path) -> None:
    browser.open(large, width=360)
    shown = "getComputedStyle(document.getElementById('list')).display"
    assert browser.ask(shown) == "none"
    browser.click("#open-list")
    assert browser.ask(shown) != "none"
    browser.click("#list li:nth-child(3) a")
    assert browser.text("#window-title") == "Window 2"
    assert browser.ask(shown) == "none"


def test_every_control_and_region_has_a_name(browser: Browser, hostile: Path) -> None:
    browser.open(hostile)
    nameless = browser.ask("""
        [...document.querySelectorAll('button, input, nav, section, dialog, svg[role=img]')]
          .filter(e => !e.textContent.trim() && !e.ariaLabel && !e.getAttribute('aria-labelledby'))
          .map(e => e.outerHTML)
    """)
    assert nameless == []


def test_a_link_to_a_window_opens_it(browser: Browser, large: Path) -> None:
    browser.open(large)
    browser.ask("location.assign('#window-17')")
    browser.wait_for("document.getElementById('window-title').textContent === 'Window 17'")
    assert browser.ask("document.querySelector('#list [aria-current]').dataset.at") == "17"


def test_it_can_be_printed(browser: Browser, hostile: Path) -> None:
    browser.open(hostile)
    assert browser.print_pdf()[:6] == b"JVBERi"  # "%PDF" in base 64
