"""Passages: laws that hold for any text, and where it is cut."""

import itertools
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from megatron_crossic.data.retrieval.texts.passages import Passage, cut_passages
from megatron_crossic.errors import ConfigError

PIECES = ["a", "bc", "Word", ". ", "! ", "。", " ", "\n", "\n\n", "\n \t\r\n", "é", "e\u0301"]
PIECES += ["\u0e01\u0e33", "ที่", "日本", "\u0301", "\ud83d\ude00", "👩\u200d🔬", "\u3000", "x" * 30]
TEXTS = st.one_of(st.lists(st.sampled_from(PIECES), max_size=80).map("".join), st.text())
SIZES = st.integers(1, 60)
LANGUAGES = st.sampled_from(["en", "ja", "th"])


def cut(text: str, characters: int, language: str = "en") -> list[str]:
    return [
        passage.text for passage in cut_passages(text, characters=characters, language=language)
    ]


@given(TEXTS, SIZES, LANGUAGES)
def test_laws(text: str, characters: int, language: str) -> None:
    passages = cut_passages(text, characters=characters, language=language)
    assert passages == cut_passages(text, characters=characters, language=language)
    for passage in passages:
        assert passage.text == text[passage.start : passage.stop]
        assert passage.text == passage.text.strip() != ""
        assert len(passage.text) <= characters
    for before, after in itertools.pairwise(passages):
        assert before.stop <= after.start
    bounds = [0, *(place for p in passages for place in (p.start, p.stop)), len(text)]
    for start, stop in zip(bounds[::2], bounds[1::2], strict=True):
        assert not text[start:stop].strip(), "only white space is in no passage"


@given(st.lists(st.integers(1, 20), min_size=1, max_size=40), st.integers(20, 100))
def test_as_few_as_paragraphs_allow(lengths: list[int], characters: int) -> None:
    text = "\n\n".join("x" * length for length in lengths)
    fewest, room = 0, 0
    for length in lengths:
        room -= length + 2
        if room < 0:
            fewest, room = fewest + 1, characters - length
    assert len(cut(text, characters)) == fewest


def test_a_text_that_fits_is_one_passage() -> None:
    assert cut_passages("  One.\n\nTwo. \n", characters=10, language="en") == [
        Passage(start=2, stop=12, text="One.\n\nTwo.")
    ]


@pytest.mark.parametrize("text", ["", " \n\n \t", "\u3000"])
def test_nothing_gives_nothing(text: str) -> None:
    assert cut(text, 10) == []


def test_no_short_rest() -> None:
    text = "\n\n".join(["x" * 98] * 11)  # 1,098 characters with room for 1,000
    assert [len(passage) for passage in cut(text, 1000)] == [598, 498]


def test_paragraphs_stay_whole() -> None:
    assert cut("aaaa\n\nbbbb\n\ncccc", 10) == ["aaaa\n\nbbbb", "cccc"]


def test_a_long_paragraph_is_cut_at_sentences() -> None:
    text = "Short.\n\nBees fly far. Bees make honey. Bees live in hives. Bees sting."
    assert cut(text, 40) == [
        "Short.\n\nBees fly far. Bees make honey.",
        "Bees live in hives. Bees sting.",
    ]
    text = "蜂は花に行く。蜜を集める。巣に戻る。"
    assert cut(text, 13, "ja") == ["蜂は花に行く。", "蜜を集める。巣に戻る。"]


def test_a_long_sentence_is_cut_at_white_space() -> None:
    assert cut("one two three four five six", 15) == ["one two three", "four five six"]


def test_a_long_list_is_cut_at_lines() -> None:
    assert cut("- one of them\n- two of us\n- three", 30) == [
        "- one of them",
        "- two of us\n- three",
    ]


def test_a_long_word_is_cut_evenly() -> None:
    assert cut("abcdefghijk", 10) == ["abcdef", "ghijk"]


@pytest.mark.parametrize("character", ["e\u0301", "ที่", "กำ", "👩\u200d🔬", "\ud83d\ude00", "👍🏽"])
def test_no_character_is_torn(character: str) -> None:
    found = cut(character * 50, 16, "th")
    assert len(found) > 3
    assert {len(passage) % len(character) for passage in found} == {0}


def test_marks_without_a_base_are_cut_all_the_same() -> None:
    assert unicodedata.combining("\u0301")
    assert [len(passage) for passage in cut("\u0301" * 25, 10)] == [9, 8, 8]


def test_no_size() -> None:
    with pytest.raises(ConfigError, match="characters of a passage must be positive, got 0"):
        cut_passages("a", characters=0, language="en")
