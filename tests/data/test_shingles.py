"""Shingles, sketches and the index on texts of a few words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from megatron_crossic.data.deduplicate.growing import GrowingIndex
from megatron_crossic.data.deduplicate.index import DuplicateIndex
from megatron_crossic.data.deduplicate.shingles import shingle
from megatron_crossic.data.deduplicate.sketches import SLOTS, Sketches, band_rows, similarity


def hashes(text: str, language: str = "en") -> list[int]:
    return shingle([text], language=language)[0].tolist()


def jaccard(one: str, other: str, language: str = "en") -> float:
    a, b = set(hashes(one, language)), set(hashes(other, language))
    return len(a & b) / len(a | b)


def test_words_in_runs_of_three() -> None:
    assert len(hashes("the bee flies to the hive")) == 4
    assert hashes("the bee flies to")[:1] == hashes("the bee flies")
    assert hashes("far away the bee flies")[-1:] == hashes("the bee flies")
    # Six shingles each; the last two differ, so four of eight are shared.
    assert jaccard("a b c d e f g h", "a b c d e f x y") == 4 / 8


def test_characters_in_runs_of_five_where_no_spaces_are() -> None:
    assert len(hashes("ミツバチは春に", "ja")) == 3
    assert hashes("ミツバチは、\n春に", "ja") == hashes("ミツバチは春に", "ja")
    assert jaccard("ผึ้งบินไป", "ผึ้งบินมา", "th") > 0.3


def test_case_width_and_punctuation_do_not_count() -> None:
    assert hashes("The Bee, flies!") == hashes("the  bee\nflies") == hashes("ＴＨＥ bee flies")
    assert hashes("... !!! \n") == []
    assert hashes("Bee") == hashes("bee.") != hashes("bees")


def test_marks_belong_to_words() -> None:
    """Hindi vowel signs and Arabic short vowels are marks: without them words would fall apart."""
    assert len(hashes("कि की कु कू", "hi")) == 2
    assert hashes("कि की कु", "hi") != hashes("की कि कु", "hi")


def test_languages_and_order_of_words_matter() -> None:
    assert jaccard("a b c", "c b a") == 0
    assert not set(hashes("a b c", "en")) & set(hashes("a b c", "es"))
    (other,) = shingle(["a b c"], language="en", domain="en of en es")
    assert other.tolist() != hashes("a b c")


@given(st.lists(st.text("ab c.\0é蜂🐝\u0301\ud800", max_size=12), max_size=6))
def test_a_text_has_the_same_shingles_alone_and_among_others(texts: list[str]) -> None:
    for language in ("en", "ja"):
        together = shingle(texts, language=language)
        alone = [shingle([text], language=language)[0] for text in texts]
        assert [a.tolist() for a in together] == [a.tolist() for a in alone]


@pytest.mark.parametrize(("threshold", "rows"), [(0.5, 3), (0.8, 6), (0.9, 10), (1.0, 128)])
def test_bands_find_what_they_should(threshold: float, rows: int) -> None:
    assert band_rows(threshold) == rows
    assert 1 - (1 - threshold**rows) ** (SLOTS // rows) >= 0.99


def sketches_of(*sets: range) -> Sketches:
    pytest.importorskip("rensa", reason="near-duplicate removal needs the extra `dedup`")
    sketches = Sketches(threshold=0.8)
    values = [np.array([*numbers], dtype=np.uint64) for numbers in sets]
    for i, numbers in enumerate(values):  # in batches of one
        sketches.add([numbers], [(i + 1).to_bytes(8, "little")])
    return sketches


def test_similarity_is_estimated() -> None:
    # 900 of 1100 shared, half shared, nothing shared.
    slots = sketches_of(range(1000), range(100, 1100), range(500, 1000), range(5000, 6000)).slots()
    found = similarity(slots[0], slots)
    assert found[0] == 1
    assert found[1:] == pytest.approx([0.818, 0.5, 0], abs=0.15)


def test_signatures_are_fixed() -> None:
    """Another rensa with another algorithm must not go unnoticed: results would differ."""
    slots = sketches_of(range(1000)).slots()
    assert slots[0, :8].tolist() == GOLDEN


GOLDEN = [146, 35, 211, 181, 1, 49, 87, 155]


def test_the_index_finds_what_was_added() -> None:
    found = DuplicateIndex(
        sketches_of(range(1000), range(20, 1020), range(5000, 6000)), threshold=0.8
    )
    assert (len(found), found.find(1)) == (3, None)
    assert found.add(0)
    assert (found.find(1).of, found.find(1).is_exact) == (0, False)
    assert found.find(2) is None
    assert not found.add(2), "it shares no band with any text"
    found.remove(0)
    assert found.find(1) is None


def test_runs_of_another_length() -> None:
    (found,) = shingle(["a b c d e f g"], language="en", size=5)
    assert len(found) == 3
    (found,) = shingle(["ミツバチは春に"], language="ja", size=6)
    assert len(found) == 2


@pytest.mark.parametrize("waiting", [1, 2, 100])
def test_a_growing_index_finds_what_was_added(waiting: int) -> None:
    pytest.importorskip("rensa", reason="near-duplicate removal needs the extra `dedup`")
    index = GrowingIndex(threshold=0.8, waiting=waiting)
    sets = [range(1000), range(5000, 6000), range(20, 1020), range(5010, 6010), range(9000, 9900)]
    found = [index.find_or_add(np.array([*numbers], dtype=np.uint64)) for numbers in sets]
    assert found == [None, None, 0, 1, None]
    assert index.find_or_add(np.zeros(0, dtype=np.uint64)) is None
    assert len(index) == 3
    assert index.find_or_add(np.arange(9000, 9900, dtype=np.uint64)) == 2
