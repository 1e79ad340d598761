"""Inputs of the benchmarks: the same every time, never the same text twice."""

import json
import re
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from repeated_pairs import (
    changed,
    document_text,
    made_up_word,
    num_lines,
    repeated,
    write_documents,
    write_repeated,
)
from small_pairs import make_pair, write_byte_tokenizer, write_pairs

from megatron_crossic.data.bulk import TokenizersEncoder
from megatron_crossic.data.pairs import read_pairs
from megatron_crossic.data.records import Document
from megatron_crossic.data.sides import encode_pairs
from megatron_crossic.data.tokenizer import load_tokenizer
from megatron_crossic.errors import DataError

PAIR = make_pair("a", "First line of 2019.\n\nSecond.", "Primera línea de 2019.\n\n- x")


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    return write_pairs(
        tmp_path / "pairs.jsonl", [PAIR, make_pair("b", "Text. " * 9, "Texto. " * 9)]
    )


def test_the_first_copy_is_the_original() -> None:
    assert changed(PAIR, copy=0, first_line=7) is PAIR


def test_a_copy_has_other_digits_and_a_new_word_in_every_fifth_line() -> None:
    found = changed(PAIR, copy=1, first_line=0)
    word = made_up_word(1, 0)
    assert found.id == "a#1"
    assert found.source.text == f"First lin{word}e of 3120.\n\nSecond."
    # The target's lines are numbered 3 to 5, of which 5 is due but too short to be text.
    assert found.targets[0].text == "Primera línea de 3120.\n\n- x"


def test_copies_are_deterministic_and_differ(pairs: Path) -> None:
    once, again = (list(repeated([pairs], copies=4)) for _ in range(2))
    assert once == again
    assert len({pair.source.text for pair in once[::2]}) == len(once[::2]) == 4


def test_without_a_number_of_copies_there_is_no_end(pairs: Path) -> None:
    ids = [pair.id for pair in islice(repeated([pairs, pairs], copies=None), 9)]
    assert ids == ["a", "b", "a", "b", "a#1", "b#1", "a#1", "b#1", "a#2"]


def test_no_word_is_made_up_twice_in_a_file(pairs: Path) -> None:
    texts = [p.source.text + p.targets[0].text for p in repeated([pairs, pairs], copies=5)]
    words = re.findall(r"(?:[bdfgklmnprstvz][aeiou]){6,}", " ".join(texts))
    assert len(words) == len(set(words)) == 8  # lines 0 and 15 of copies 1 to 4


@given(
    places=st.lists(
        st.tuples(st.integers(1, 10_000), st.integers(0, 10**9)), min_size=2, unique=True
    )
)
def test_made_up_words_are_all_different(places: list[tuple[int, int]]) -> None:
    assert len({made_up_word(copy, line) for copy, line in places}) == len(places)


def test_a_size_is_reached_and_not_passed_by_more_than_a_pair(pairs: Path, tmp_path: Path) -> None:
    written = write_repeated(tmp_path / "out.jsonl", [pairs], num_bytes=1500)
    lines = (tmp_path / "out.jsonl").read_bytes().splitlines(keepends=True)
    assert written.num_bytes == sum(map(len, lines)) >= 1500
    assert written.num_bytes - len(lines[-1]) < 1500
    assert written.num_pairs == len(lines) == len(list(read_pairs(tmp_path / "out.jsonl")))


def test_files_without_pairs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="pair files must hold pairs, got none in"):
        write_repeated(tmp_path / "out", [write_pairs(tmp_path / "empty.jsonl", [])], num_bytes=9)


def test_lines_are_counted_over_both_sides() -> None:
    assert num_lines(PAIR) == 6


def test_a_document_is_its_title_and_paragraphs_each_with_a_blank_line() -> None:
    document = Document(
        language="en", title=" Berlin ", text="\n\n One. \n \t\n\nTwo\nlines.\r\n\r\n"
    )
    assert document_text(document) == "Berlin\n\nOne.\n\nTwo\nlines.\n\n"
    assert document_text(Document(language="en", title="  ", text="x")) == "x\n\n"
    assert document_text(Document(language="en", title="", text=" \n\n")) == ""


def test_documents_have_the_tokens_of_the_sides(pairs: Path, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(write_byte_tokenizer(tmp_path / "tokenizer"))
    size = write_documents(tmp_path / "documents.jsonl", pairs)
    assert size == (tmp_path / "documents.jsonl").stat().st_size
    texts = [json.loads(line)["text"] for line in (tmp_path / "documents.jsonl").open()]
    encoded = list(encode_pairs(read_pairs(pairs), tokenizer, TokenizersEncoder(tokenizer)))
    sides = [side.tokens.tolist() for pair in encoded for side in pair.sides]
    assert [list(text.encode("utf-8")) for text in texts] == sides
