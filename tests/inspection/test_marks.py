"""What acts is shown; what is read stays."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from megatron_crossic.inspection.marks import CUT, one_cut_mark, visible, visible_line

ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()))
ACTING = "\x00\x07\x1b\x7f\x9b\r\u2028\u2029\u202a\u202e\u2066\u2069\ufeff\U000e0041\ud800"


@given(ANY_TEXT)
def test_nothing_that_acts_is_left(text: str) -> None:
    shown = visible(text)
    shown.encode("utf-8")
    kinds = {c: (unicodedata.category(c), unicodedata.bidirectional(c)) for c in shown}
    assert not [c for c, (category, _) in kinds.items() if category == "Cc" and c not in "\n\t"]
    assert not [c for c, (category, _) in kinds.items() if category in ("Zl", "Zp", "Cs")]
    embeddings = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
    assert not [c for c, (_, bidi) in kinds.items() if bidi in embeddings]
    assert not set("\n\t") & set(visible_line(text))


@pytest.mark.parametrize("character", ACTING)
def test_each_is_shown_by_its_number(character: str) -> None:
    assert visible(f"a{character}b") == f"a⟨U+{ord(character):04X}⟩b"


@pytest.mark.parametrize(
    "text", ["می\u200cخواهم", "👩\u200d🔬 🏳️", "क्\u200dष", "\u200fعربي", "a\tb\n\nc"]
)
def test_what_is_needed_to_write_stays(text: str) -> None:
    assert visible(text) == text


def test_a_cut_character_is_one_mark() -> None:
    assert one_cut_mark(f"{CUT * 3}a{CUT}{CUT}b{CUT}") == f"{CUT}a{CUT}{CUT}b{CUT}"
    assert one_cut_mark(CUT * 4) == CUT
    assert one_cut_mark("") == ""
