"""Texts of the made-up wikis: whole blocks, changed in every copy, of the bytes they say."""

import html
import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from real_pages import ENGLISH, THAI, page_text
from synthetic_texts import (
    Letters,
    Texts,
    blocks_of,
    chained_words,
    escape,
    letters_of,
    texts_from_pages,
)

from megatron_crossic.data.wikipedia.cleaning.clean import clean_wikitext
from megatron_crossic.errors import DataError

PAGES = [page_text(ENGLISH, seed=1), page_text(ENGLISH, seed=2)]
LETTERS = Letters(pairs=tuple(a + b for a in "bdfgklmn" for b in "aeiouyxw"))


@pytest.fixture(scope="module")
def texts() -> Texts:
    return texts_from_pages(PAGES, language="en", seed=1)


def test_blocks_end_where_nothing_is_open() -> None:
    page = "{{Box\n\n| a = 1}}\n\nText.\n== H ==\n{|\n\n| x\n|}\n\n<ref>a\n\nb</ref> [[c]]\n\nEnd."
    assert list(blocks_of(page)) == [
        "{{Box\n\n| a = 1}}",
        "Text.",
        "== H ==\n{|\n\n| x\n|}",
        "<ref>a\n\nb</ref> [[c]]",
        "End.",
    ]


@given(st.lists(st.sampled_from(["{{", "}}", "[[", "]]", "\n\n", "\n== h ==\n", "word", "<ref>"])))
def test_blocks_hold_the_page_whole(parts: list[str]) -> None:
    page = "".join(parts)
    assert "".join("".join(blocks_of(page)).split()) == "".join(page.split())


@given(st.sets(st.integers(0, 64**5 - 1), min_size=2, max_size=20))
def test_no_two_numbers_have_one_word(numbers: set[int]) -> None:
    assert len({LETTERS.word(number) for number in numbers}) == len(numbers)


def test_letters_are_of_the_language() -> None:
    assert all(pair.isascii() for pair in letters_of(ENGLISH).pairs)
    assert not any(pair.isascii() for pair in letters_of([*THAI, "latin"]).pairs)
    with pytest.raises(DataError, match="must be written in letters, got 0 pairs"):
        letters_of(["1", "2"])


def test_chained_words_use_letters_as_their_models_do() -> None:
    made = chained_words(["abab", "abac"], Random(1), count=50)
    assert len(made) == 50
    assert all(re.fullmatch(r"(ab)*(ab|ac)", word) for word in made)
    assert len(set(made)) > 2


def test_an_article_has_the_length_and_the_bytes_it_says(texts: Texts) -> None:
    for num_bytes in (300, 3_000, 30_000):
        made = texts.article(Random(1), title="A & B", num_bytes=num_bytes, serial=5)
        unescaped = html.unescape(made.escaped().decode())
        # Blank lines at the end are dropped after counting.
        assert abs(made.num_bytes_unescaped() - len(unescaped.encode())) <= 12
        assert num_bytes / 2 < len(unescaped.encode()) < num_bytes * 1.3 + 600


def test_articles_are_the_same_again_and_each_is_its_own(texts: Texts) -> None:
    def article(serial: int) -> str:
        made = texts.article(Random(7), title="T", num_bytes=4_000, serial=serial)
        return made.escaped().decode()

    assert article(1) == article(1)
    assert article(1) != article(2)  # words made up for one page alone, chance being equal
    another = texts.article(Random(8), title="T", num_bytes=4_000, serial=1).escaped().decode()
    assert another != article(1)


def test_markup_stays_whole_and_cleaning_leaves_text(texts: Texts) -> None:
    for seed in range(20):
        made = texts.article(Random(seed), title="Name", num_bytes=5_000, serial=seed)
        wikitext = html.unescape(made.escaped().decode())
        assert wikitext.count("{{") == wikitext.count("}}") > 0
        assert wikitext.count("<ref>") == wikitext.count("</ref>")
        assert clean_wikitext(wikitext, language="en").startswith("Name ")


def test_names_of_templates_parameters_and_files_never_change() -> None:
    page = "{{Infobox city | name = x}} [[File:A 1999.jpg|thumb|old town 1900 here]] &#8211; " * 300
    made = texts_from_pages([page + "\n\n".join(PAGES)], language="en", seed=1).leads[0][0]
    filled = html.unescape(made.filled(Random(1), "zzz").decode())
    assert filled.count("{{Infobox city | name = x}} [[File:A 1999.jpg|thumb|") == 300
    assert filled.count("&#8211;") == 300
    assert "1900" not in filled.replace("A 1999.jpg", "") or filled.count("1900") < 30


def test_escapes_are_those_of_dumps() -> None:
    assert escape('<a href="x">&amp;') == b"&lt;a href=&quot;x&quot;&gt;&amp;amp;"


def test_pages_without_text_are_refused() -> None:
    with pytest.raises(DataError, match="pages of en must hold articles, got 0 words in 1 pages"):
        texts_from_pages(["{{x}}"], language="en", seed=1)
