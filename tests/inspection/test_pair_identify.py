"""Languages detected against languages claimed."""

import sys
from collections import Counter
from pathlib import Path

import pytest
from hostile_pairs import write_hostile_pairs
from hypothesis import given
from hypothesis import strategies as st
from small_pairs import make_pair

from megatron_crossic.errors import ConfigError
from megatron_crossic.inspection.pairs.identify import Confusion, candidates, confuse
from megatron_crossic.inspection.pairs.report import ReportOptions, report_pairs
from megatron_crossic.inspection.pairs.tables import MOST_DETECTED, OTHERS, confusion_rows

ENGLISH = "The capital of Germany is the largest city of the country. " * 3
SPANISH = "La capital de Alemania es la ciudad más grande del país y su centro. " * 3


def test_what_is_detected_is_compared_with_what_is_claimed() -> None:
    pytest.importorskip("py3langid", reason="py3langid is an extra")
    pairs = [
        make_pair("good", ENGLISH, SPANISH),
        make_pair("left in English", ENGLISH, ENGLISH),
        make_pair("short", "Hi", SPANISH),
    ]
    confusion = confuse((10 * i, candidates(pair)) for i, pair in enumerate(pairs))
    assert confusion.counts == {"en": {"en": 2}, "es": {"es": 2, "en": 1}}
    assert (confusion.num_looked_at, confusion.num_too_short) == (5, 1)
    assert confusion.num_strangers == 1
    (stranger,) = confusion.strangers
    assert (stranger.pair, stranger.claimed, stranger.detected) == (10, "es", "en")
    assert stranger.text.startswith("The capital of Germany")


CODES = [f"{a}{b}" for a in "abcd" for b in "xyz"]
COUNTS = st.dictionaries(
    st.sampled_from(CODES), st.dictionaries(st.sampled_from(CODES), st.integers(1, 99)), max_size=5
)


@given(COUNTS)
def test_the_table_holds_all_that_was_looked_at(counts: dict[str, dict[str, int]]) -> None:
    confusion = Confusion(
        num_too_short=0,
        counts={claimed: Counter(found) for claimed, found in counts.items()},
        strangers=(),
    )
    head, rows = confusion_rows(confusion)
    assert head[: len(counts)] == list(counts)  # the diagonal
    assert len(head) <= MOST_DETECTED + 1
    assert sum(sum(numbers) for _, numbers in rows) == confusion.num_looked_at
    for (claimed, numbers), found in zip(rows, counts.values(), strict=True):
        assert len(numbers) == len(head)
        assert numbers[head.index(claimed)] == found.get(claimed, 0)
    if OTHERS in head:
        assert sum(numbers[-1] for _, numbers in rows) > 0


def test_without_an_identifier_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_hostile_pairs(tmp_path)
    monkeypatch.setitem(sys.modules, "py3langid", None)
    with pytest.raises(ConfigError, match="must find a language identifier.*pip install py3langid"):
        report_pairs(path, ReportOptions(detect=5))
    assert report_pairs(path, ReportOptions()).confusion is None
