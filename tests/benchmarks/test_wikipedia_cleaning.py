"""The comparison with wikiextractor: what it counts, and that it runs a program beside ours."""

import json
import sys
from pathlib import Path

import pytest
import wikipedia_cleaning
from wikipedia_cleaning import compare, count, table
from wikipedia_residue import lost_numbers, lost_outside_lists, numbers, residue, running_text

from megatron_crossic.data.wikipedia.dump import read_pages

WIKITEXT = """{{Infobox|year=1}}<!-- 2 -->In [[1990 in film|1990]], 5&nbsp;km.<ref>{{a|3}} 4</ref>
[[File:A6.jpg|thumb|In [[7]]]]
{| class="8"
|}
== 9 ==
* [http://x.y/10 Site 11]<br style="12">10<sup>6</sup> <math>13</math>
{|
| 14
|}
[[Category:15]][[fr:16]]
== References ==
17
"""

# Stands in for a checkout: takes the same options and writes one record a page, badly cleaned.
PROGRAM = """
import argparse, json, os, re, sys
parser = argparse.ArgumentParser()
parser.add_argument("input")
parser.add_argument("-o", "--output")
parser.add_argument("--processes", type=int)
parser.add_argument("--html-safe")
parser.add_argument("--json", action="store_true")
parser.add_argument("--quiet", action="store_true")
options = parser.parse_args()
os.makedirs(options.output + "/AA")
with open(options.output + "/AA/wiki_00", "w") as file:
    for page, text in (("7", "Left [[over 1"), ("8", "")):
        file.write(json.dumps({"id": page, "text": text}) + "\\n")
"""


def test_the_running_text_has_the_numbers_a_reader_sees() -> None:
    assert list(numbers(running_text(WIKITEXT))) == ["1990", "5", "11", "10", "6"]


def test_numbers_are_lost_as_often_as_they_are_missing() -> None:
    assert lost_numbers(WIKITEXT, "In 1990, 5 km. Site 11: 10⁶") == 0
    assert lost_outside_lists(WIKITEXT, "In 1990, 5 km.") == 0  # the list has the other three
    assert lost_outside_lists(WIKITEXT, "In 1990.") == 1
    assert lost_numbers("5 and 5 and 1,000", "5") == 2
    assert lost_numbers("20<sub>16</sub>", "2016") == 2


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("Clean (text), [sic] {x} of 'it' & more: a|b.", []),
        ("a [[b", ["[["]),
        ("{{a}}", ["{{", "}}"]),
        ("a&nbsp;b", ["entity"]),
        ("หมวดหมู่:ผึ้ง", ["category"]),
        ("x|thumb|y <ref", ["|thumb", "<ref"]),
        ("''a'' __NOTOC__<br/>", ["''", "tag", "switch"]),
    ],
)
def test_residue(text: str, kinds: list[str]) -> None:
    assert residue(text) == kinds


def page_xml(page: str) -> str:
    title, number, namespace, target, text = page.split("|")
    redirect = f'<redirect title="{target}" />' if target else ""
    return (
        f"<page><title>{title}</title><ns>{namespace}</ns><id>{number}</id>{redirect}"
        f"<revision><id>1</id><text>{text}</text></revision></page>"
    )


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    pages = [
        "A|7|0||Left over 1 [[2]]",
        "B|8|0||3",
        "C|9|0|A|#REDIRECT [[A]]",
        "D|11|0||5",
        "Talk:A|10|1||4",
    ]
    path = tmp_path / "wiki.xml"
    path.write_text(f"<mediawiki>{''.join(map(page_xml, pages))}</mediawiki>", encoding="utf-8")
    return path


def test_an_article_without_text_is_empty(dump: Path) -> None:
    pages = list(read_pages(dump, with_text=True))[:2]
    counts = count(pages, {7: "Left over 1 2"})
    assert (counts["articles"], counts["empty"], counts["lost numbers"]) == (2, 1, 1)


def test_both_clean_the_same_articles(dump: Path, tmp_path: Path) -> None:
    package = tmp_path / "checkout" / "wikiextractor"
    package.mkdir(parents=True)
    (package / "WikiExtractor.py").write_text(PROGRAM)
    counts = compare([("en", dump)], checkout=package.parent, python=sys.executable)
    assert counts["ours"] == {
        "articles": 2, "with residue": 0, "empty": 0, "lost numbers": 0,
        "lost numbers outside lists": 0,
        "articles that lost a number": 0, "characters": 14, "numbers": 3,
    }  # fmt: skip
    assert counts["wikiextractor"] == {
        "not read": 1, "articles": 2, "with residue": 1, "residue [[": 1, "empty": 1,
        "lost numbers": 2, "lost numbers outside lists": 2,
        "articles that lost a number": 2, "characters": 13, "numbers": 3,
    }  # fmt: skip
    assert "residue [[" in table(counts)


def test_the_result_is_written(
    dump: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    package = tmp_path / "checkout" / "wikiextractor"
    package.mkdir(parents=True)
    (package / "WikiExtractor.py").write_text(PROGRAM)
    output = tmp_path / "result.json"
    arguments = [f"en={dump}", "--wikiextractor", str(package.parent), "--output", str(output)]
    monkeypatch.setattr(sys, "argv", ["wikipedia_cleaning.py", *arguments])
    wikipedia_cleaning.main()
    assert json.loads(output.read_text())["ours"]["articles"] == 2
    assert "wikiextractor" in capsys.readouterr().out
