"""The fast path and the parser give the same text, byte for byte."""

import os
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from wikipedia_examples import EXAMPLES

from megatron_crossic.data.wikipedia.cleaning.brackets import MAX_DEPTH, visible_parts
from megatron_crossic.data.wikipedia.cleaning.clean import clean_wikitext
from megatron_crossic.data.wikipedia.cleaning.render import Renderer
from megatron_crossic.data.wikipedia.cleaning.tidy import MARKS, to_paragraphs
from megatron_crossic.data.wikipedia.dump import read_pages
from megatron_crossic.errors import DataError

FOLDER = "MEGATRON_CROSSIC_WIKIPEDIA_DUMPS"
"""Environment variable: a folder of `XXwiki*.xml*` dumps to try all pages of."""

ARTICLE = "\n\n".join(wikitext for _, wikitext, _ in EXAMPLES)
SOUP = """
    [[ ]] {{ }} {{{ }}} {| |} |- | ! '' ''' '''''' <ref> </ref> <ref/> <!-- --> == = <math> </math>
    <nowiki> </nowiki> <div> </div> [[File: |thumb Category: lang|la| {{lang|la| {{convert| &nbsp;
    &#123; &#91;&#91; &lt; &amp; & ; * # : ---- ----- __NOTOC__ ( ) （ ） , 、 . a Bé 蜂 نحل 12 <br>
    <sup> </sup> [[a|b]] [[a]] [[:fr:x]] [[fr:x]] [[x|]] {{nowrap| 1= {{ubl| { } [ ] > < http: //
    mailto: [http://x.y {{formatnum: {{!}} {{=}} {{quote| <poem> </poem> {{frac|1|2}} ' "
    [[File:a]] {{x}} |}
    """
PIECES = st.sampled_from([*SOUP.split(), "\n", "\n\n", " "])

WORDS = st.sampled_from(
    ["a", "two words", "蜂", "(b)", "''c''", "x = y", "&amp;", "* d", "\n", "1"]
)
NAMES = st.sampled_from(
    "lang nowrap convert quote ubl ill frac unknown as_of ルビ formatnum:1 =".split()
)
TITLES = st.sampled_from(["a", "File:a.png", ":fr:a", "fr:a", "Category:a", "b (c)", "a, b", "A:b"])


def constructs(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Links and templates around what `inner` makes, and rows of them."""
    values = st.lists(inner | st.tuples(st.just("x="), inner).map("".join), max_size=3)
    return st.one_of(
        st.tuples(TITLES, values).map(lambda link: "[[" + "|".join([link[0], *link[1]]) + "]]"),
        st.tuples(NAMES, values).map(lambda use: "{{" + "|".join([use[0], *use[1]]) + "}}"),
        st.lists(inner, max_size=4).map(" ".join),
        inner.map(lambda text: f"<small>{text}</small>[http://x.y {text}]"),
    )


def assert_equal_paths(wikitext: str, language: str) -> None:
    fast = clean_wikitext(wikitext, language=language)
    assert fast == clean_wikitext(wikitext, language=language, use_parser=True)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=25).map("".join), st.sampled_from(["en", "ja"]))
@example("''==[[a|b]]==", "en")  # a heading only after the quotes are gone
def test_of_any_soup_of_markup(wikitext: str, language: str) -> None:
    assert_equal_paths(wikitext, language)


@settings(max_examples=300, deadline=None)
@given(st.recursive(WORDS, constructs, max_leaves=12))
@example("[[a|b\n==c]] {{x}}d= [[e]] f=\n")  # no heading swallows the end of the link
@example("{{lang|en|[[a|b=c]]}} {{nowrap|{{=}}|x}} [[a|{{!}}]]")
def test_of_nested_links_and_templates(wikitext: str) -> None:
    assert_equal_paths(wikitext, "en")


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, len(ARTICLE)),
    st.integers(0, 300),
    st.integers(0, 40),
    st.lists(PIECES, max_size=2).map("".join),
)
def test_of_an_article_with_a_hole_or_a_patch(
    start: int, length: int, num_torn: int, patch: str
) -> None:
    piece = ARTICLE[start : start + length]
    torn = piece[: length // 2] + patch + piece[length // 2 + num_torn :]
    assert_equal_paths(torn, "en")


def test_of_every_page_of_given_dumps() -> None:
    if not os.environ.get(FOLDER):
        pytest.skip(f"{FOLDER} names no folder of dumps")
    dumps = sorted(Path(os.environ[FOLDER]).rglob("*wiki*.xml*"))
    assert dumps
    for dump in dumps:
        for page in read_pages(dump, with_text=True):
            assert_equal_paths(page.text, dump.name[:2])


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=25).map("".join))
def test_parts_are_balanced(wikitext: str) -> None:
    for part in visible_parts(wikitext, language="en"):
        assert part.count("{{") == part.count("}}") or "{{{" in part
        assert part.count("[[") == part.count("]]")
        assert part.startswith(("[[", "{{")) or not {"[[", "]]", "{{", "}}"} & set(part.split())


def test_brackets_deeper_than_the_bound_are_text() -> None:
    nested = "[[a|" * (MAX_DEPTH + 2) + "b" + "]]" * (MAX_DEPTH + 2)
    assert len(visible_parts(nested, language="en")) > 1
    assert clean_wikitext(nested, language="en").count("b") == 1


HOLEY = st.lists(st.sampled_from([*"(),;:!. ab「」、（）", "----", "\n"]), max_size=12).map("".join)


@settings(max_examples=500)
@given(HOLEY)
@example("(())")
def test_lines_that_are_passed_over_had_nothing_to_tidy(text: str) -> None:
    # A mark of markup anywhere in a section makes every line go through all patterns.
    plain = to_paragraphs(text, language="en")
    assert not any(mark in line for line in plain for mark in MARKS if mark != "!")
    assert to_paragraphs(f"{text}\n\n{{a", language="en")[:-1] == plain


def test_what_is_beyond_the_parser_is_a_data_error() -> None:
    # `brackets` keeps this away from the parser: it bounds the depth.
    with pytest.raises(DataError, match=r"must be parseable, got .* Leave the page out"):
        Renderer(language="en").render(["{{" * 3000 + "}}" * 3000])
