"""Pair records: JSON there and back, and refusals that say where."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from megatron_crossic.data.records import (
    LANGUAGES,
    Document,
    Pair,
    check_language,
    pair_from_json,
    pair_to_json,
)
from megatron_crossic.errors import DataError

documents = st.builds(
    Document,
    language=st.sampled_from(sorted(LANGUAGES)),
    title=st.text(),
    text=st.text(),
    id=st.text(),
)
pairs = st.builds(
    Pair,
    id=st.text(),
    source=documents,
    targets=st.lists(documents, min_size=1, max_size=3).map(tuple),
    origin=st.sampled_from(["langlink", "retrieval", "given"]),
    score=st.none() | st.floats(allow_nan=False),
    provenance=st.dictionaries(st.text(), st.integers()),
)


@given(pairs)
def test_pair_round_trip(pair: Pair) -> None:
    assert pair_from_json(pair_to_json(pair), where="here") == pair


def test_paragraphs_are_what_blank_lines_separate() -> None:
    text = "\n\none\nstill one\n\n\n  two  \n\n \n\nthree\n"
    document = Document(language="en", title="T", text=text)
    assert document.paragraphs() == ["one\nstill one", "two", "three"]


def test_blank_lines_may_hold_blanks_and_carriage_returns() -> None:
    document = Document(language="en", title="", text="one\r\nstill\r\n\r\ntwo\n \t\n\nthree\r\n")
    assert document.paragraphs() == ["one\r\nstill", "two", "three"]


def test_all_iso_639_1_codes_are_known() -> None:
    assert len(LANGUAGES) == 183
    assert {"ar", "en", "es", "ja", "ko", "pt", "th"} <= LANGUAGES


GOOD: dict[str, Any] = {
    "id": "1",
    "source": {"lang": "en", "title": "Water", "text": "Water is wet."},
    "target": {"lang": "es", "title": "Agua", "text": "El agua moja."},
}


def test_origin_and_score_are_optional() -> None:
    pair = pair_from_json(GOOD, where="here")
    assert (pair.origin, pair.score) == ("given", None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": 1}, "p, line 3: id must be a string, got int"),
        ({"source": None}, "p, line 3: source must be an object with lang, title and text"),
        ({"target": {**GOOD["target"], "text": None}}, "p, line 3: target: text must be a string"),
        ({"target": {**GOOD["target"], "lang": "spa"}}, "target.lang must be a two-letter ISO"),
        ({"origin": "dream"}, "origin must be one of langlink, retrieval, given, got 'dream'"),
        ({"score": "high"}, "score must be a number, got 'high'"),
        ({"score": True}, "score must be a number, got True"),
        (
            {"source": {**GOOD["source"], "id": 7}},
            "p, line 3: source: id must be a string, got int",
        ),
        ({"provenance": "the web"}, "provenance must be an object, got 'the web'"),
    ],
)
def test_a_bad_record_is_refused_with_its_place(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        pair_from_json({**GOOD, **change}, where="p, line 3")


def test_unknown_language_codes_are_refused() -> None:
    assert check_language("th", thing="--target-lang") == "th"
    with pytest.raises(DataError, match="--target-lang must be a two-letter .* got 'tha'"):
        check_language("tha", thing="--target-lang")


def test_other_fields_are_kept_with_the_provenance() -> None:
    pair = pair_from_json({**GOOD, "meta": {"commit": "c0ffee"}}, where="here")
    assert pair.provenance["meta"] == {"commit": "c0ffee"}
    assert pair_from_json(pair_to_json(pair), where="here") == pair
