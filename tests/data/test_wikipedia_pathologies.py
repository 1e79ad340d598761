"""Pages that are broken thousands of times: each would take minutes if anything were quadratic."""

import pytest

from megatron_crossic.data.wikipedia.cleaning.clean import clean_wikitext

MANY = 20_000
PATHOLOGIES = {
    "notes": "<ref>" * MANY,
    "notes with text": 'a <ref name="x">b ' * MANY,
    "note tags": "<ref name=a/ " * MANY,
    "braces": "{{" * MANY,
    "braces with text": "{{lang|en|" * MANY,
    "nested templates": "{{lang|en|" * MANY + "}}" * MANY,
    "braces in one run": "{" * MANY + "}" * MANY,
    "arguments": "{{{a|" * MANY + "}}}" * MANY,
    "brackets": "[[" * MANY,
    "links": "[[a|" * MANY,
    "nested links": "[[a|" * MANY + "]]" * MANY,
    "brackets and braces": "[[{{" * MANY + "]]}}" * MANY,
    "files": "[[File:a|thumb|" * MANY,
    "files on lines": "[[File:a|thumb|\n" * MANY,
    "pieces of files": "|thumb" * MANY,
    "broken links in a template": "{{quote|" + "[[a\n]] " * MANY + "}}",
    "open links in a template": "{{quote|" + "[[a " * MANY + "}}",
    "links in a template": "{{quote|" + "[[a|[b] c]] " * MANY + "}}",
    "parameters": "{{convert|" + "1|ft|" * MANY + "}}",
    "tables": "{|\n" * MANY,
    "tables with ends": "{|\n|a\n" * MANY + "|}\n" * MANY,
    "tables in a line": "{|" * MANY,
    "divisions": "<div>" * MANY,
    "nested divisions": "<div>" * MANY + "</div>" * MANY,
    "unknown elements": "<foo>" * MANY + "</foo>" * MANY,
    "verbatim": "<nowiki>" * MANY,
    "formulas": "<math>a " * MANY,
    "galleries": "<gallery>\n" * MANY,
    "poems": "<poem>a\n" * MANY,
    "hidden": '<i style="display:none">' * MANY,
    "superscripts": "<sup>" * MANY,
    "tags": "<br " * MANY,
    "comments": "\n<!-- " * MANY,
    "closed comments": "\n<!--a-->" * MANY,
    "quotes": "''" * MANY,
    "quotes with text": "''a " * MANY,
    "headings": "== a ==\n=== b ===\n" * MANY,
    "equals": "= " * MANY + "x",
    "blanks in a heading": "==" + " " * MANY + "x",
    "appendices": "== References ==\n" * MANY,
    "addresses": "[http://a " * MANY,
    "bare addresses": "http://,,,," * MANY,
    "schemes": "://" * MANY,
    "blanks": " " * MANY + ")",
    "commas": "," * MANY,
    "commas and blanks": " ," * MANY + ")",
    "brackets around nothing": "(" * MANY + ")" * MANY,
    "corner brackets": "「" * MANY + "」" * MANY,
    "colons": "]" + "a:" * MANY,
    "categories": "[Category:" * MANY + "]",
    "labels": "[http://a " + "[[a]] " * MANY,
    "pipe trick": "[[" + "( " * MANY + "|]]",
    "entities": "&amp" * MANY,
    "switches": "__NO" * MANY,
    "definitions": ";a:b\n" * MANY,
    "rules": "----\n" * MANY,
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("wikitext", PATHOLOGIES.values(), ids=PATHOLOGIES.keys())
def test_broken_pages_end(wikitext: str) -> None:
    text = clean_wikitext(wikitext, language="en")
    assert "[[" not in text
    assert "{{" not in text
    assert len(text) < 3 * len(wikitext)


@pytest.mark.parametrize("line_end", [" ", "\n", "\n\n"])
def test_a_page_of_30_mb(line_end: str) -> None:
    sentence = "A sentence of plain text, with nothing in it."
    num = 30_000_000 // len(sentence)
    text = clean_wikitext((sentence + line_end) * num, language="en")
    assert text.count(sentence) == num
