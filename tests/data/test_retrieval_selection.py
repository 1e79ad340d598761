"""From candidates to pairs, and the account of it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mined_texts import (
    ListedTexts,
    alone,
    distinct_texts,
    linked,
    make_candidates,
    passage,
    select_from,
    words,
)

from megatron_crossic.data.records import pair_from_json, pair_to_json
from megatron_crossic.data.retrieval.selection.account import FIRST_EDGE, score_histogram
from megatron_crossic.data.retrieval.selection.options import MIN_MARGIN, SelectionOptions
from megatron_crossic.data.retrieval.selection.sample import (
    mining_record,
    sample_around_threshold,
    write_mining_report_data,
)
from megatron_crossic.data.retrieval.selection.selection import selected_pairs
from megatron_crossic.data.selection import is_held_out
from megatron_crossic.errors import ConfigError, DataError

PLAIN = SelectionOptions(near_duplicate=None, min_score=1.0)
ROWS = [(0, 0, 1.5), (0, 1, 1.3), (1, 0, 1.4), (1, 2, 1.2), (2, 0, 1.1), (3, 3, 0.9)]
TEXTS = distinct_texts(5, 4)


def test_pairs_by_document() -> None:
    selection = select_from(ROWS, TEXTS, PLAIN)
    first, second = selected_pairs(selection, TEXTS)
    assert (first.source.text, second.source.text) == (words(0), words(2))
    assert [p.targets[0].text for p in (first, second)] == [words(1000), words(1001)]
    assert first.origin == "retrieval"
    assert first.score == pytest.approx(1.5)
    assert first.id == f"enwiki:1-eswiki:2+{first.source.id}"
    assert first.provenance == {
        "target": {
            "id": "enwiki:1-eswiki:2",
            "url": "https://es.example/2",
            "licence": "CC BY-SA 4.0",
        },
        "passages": [
            {
                "id": first.source.id,
                "score": 0.75,
                "margin": 1.5,
                "views": {"title": 0.75, "keywords": 0.375},
                "record": {"url": "https://en.example/0"},
            }
        ],
        "linked": {"lang": "en", "title": "Bee"},
    }
    assert pair_from_json(pair_to_json(first), where="here") == first


def test_a_pair_is_held_out_with_the_article_its_target_is_linked_to() -> None:
    untitled = linked(words(5), source="Bees fly.")
    untitled = replace(untitled, source=replace(untitled.source, title=" "))
    for article in (linked(words(5)), untitled):
        texts = ListedTexts(passages=TEXTS.passages, targets=[article])
        (mined,) = selected_pairs(select_from([(0, 0, 1.5)], texts, PLAIN), texts)
        fractions = [i / 50 for i in range(51)]
        answers = [is_held_out(mined, fraction=f) for f in fractions]
        assert answers == [is_held_out(article, fraction=f) for f in fractions]
        by_passage = replace(mined, provenance={})
        assert answers != [is_held_out(by_passage, fraction=f) for f in fractions]


def test_the_account() -> None:
    account = select_from(ROWS, TEXTS, PLAIN).account
    assert account.counts() == {
        "documents": 5,
        "documents_with_candidates": 4,
        "candidates": 6,
        "pairs": 2,
        "candidates_chosen": 2,
        "passages_chosen": 2,
        "candidates_rejected": {"below_threshold": 1, "document_full": 1, "passage_used": 2},
    }
    assert account.drops == {"below_threshold": 1, "no_candidate": 1, "passage_used": 1}
    assert account.histograms()["best"] == {"0.90": 1, "1.10": 1, "1.40": 1, "1.50": 1}
    assert account.histograms()["chosen"] == {"1.20": 1, "1.50": 1}


def test_several_passages_are_one_source() -> None:
    options = replace(PLAIN, passages_per_document=2)
    selection = select_from(ROWS, TEXTS, options)
    first, *_ = selected_pairs(selection, TEXTS)
    assert first.source.text == f"{words(0)}\n\n{words(1)}"
    assert [p["margin"] for p in first.provenance["passages"]] == pytest.approx([1.5, 1.3])
    assert len(first.targets) == 1
    assert selection.account.num_pairs == 2
    assert selection.account.num_chosen == 3


def test_a_document_on_its_own() -> None:
    texts = ListedTexts([passage(words(1))], [alone(words(2))])
    (pair,) = selected_pairs(select_from([(0, 0, 1.5)], texts, PLAIN), texts)
    assert pair.targets == (alone(words(2)).source,)
    assert pair.provenance["target"] == {"id": "crawl:7", "url": "https://a.example"}


def test_similarity_instead_of_the_margin() -> None:
    options = replace(PLAIN, score="similarity", min_score=0.65)
    selection = select_from(ROWS, TEXTS, options)
    assert selection.account.num_pairs == 1  # margins 1.5 and 1.4 of one passage
    (pair,) = selected_pairs(selection, TEXTS)
    assert pair.score == pytest.approx(0.75)


def test_reasons_of_texts_are_counted() -> None:
    texts = ListedTexts(
        passages=[passage("short"), passage(words(1)), passage(words(2), document="enwiki:1")],
        targets=[linked(words(10)), linked("short"), linked(words(12))],
    )
    rows = [(0, 0, 1.5), (0, 1, 1.3), (1, 1, 1.2), (2, 2, 1.2)]
    account = select_from(rows, texts, PLAIN).account
    assert account.rejected == {
        "passage_too_short": 1,
        "passage_used": 1,
        "same_document": 1,
    }
    assert account.drops == {"passage_used": 1, "same_document": 1}


def test_nothing_to_select() -> None:
    selection = select_from([], TEXTS, PLAIN)
    assert list(selected_pairs(selection, TEXTS)) == []
    assert selection.account.drops == {"no_candidate": 5}
    assert mining_record(selection, TEXTS)["sample"] == []


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 3), st.floats(0, 4, width=32)),
        max_size=30,
        unique_by=lambda row: row[:2],
    ),
    st.integers(1, 2),
    st.integers(1, 2),
)
def test_every_document_and_candidate_is_somewhere(
    rows: list[tuple[int, int, float]], p: int, m: int
) -> None:
    """`check` has the laws; here that the pairs are those counted."""
    options = replace(PLAIN, passages_per_document=p, uses_per_passage=m)
    selection = select_from(rows, TEXTS, options)
    selection.account.check()
    pairs = list(selected_pairs(selection, TEXTS))
    assert len(pairs) == selection.account.num_pairs
    assert len({pair.targets[0].text for pair in pairs}) == len(pairs)
    chosen = [found["id"] for pair in pairs for found in pair.provenance["passages"]]
    assert len(chosen) == selection.account.num_chosen
    assert all(pair.score is not None and pair.score >= 1.0 for pair in pairs)


def test_bins_are_fixed() -> None:
    counts = score_histogram(np.array([-9, -1, 1.05, 1.0599, 1.06, 2.999, 9], dtype=np.float32))
    found = {round(FIRST_EDGE + i / 100, 2): int(counts[i]) for i in np.flatnonzero(counts)}
    assert found == {-1.0: 2, 1.05: 2, 1.06: 1, 2.99: 2}


def test_the_sample_is_around_the_threshold() -> None:
    rows = [(i, 0, 0.5 + 0.001 * i) for i in range(1000)]
    texts = distinct_texts(1000, 1)
    selection = select_from(rows, texts, PLAIN)
    found = sample_around_threshold(selection, count=20)
    assert found.tolist() == sample_around_threshold(selection, count=20).tolist()
    scores = selection.scores[found].tolist()
    assert scores == sorted(scores, reverse=True)
    assert [score >= 1 for score in scores] == [True] * 10 + [False] * 10
    assert 0.89 < scores[-1] < scores[0] < 1.11
    assert len(set(found.tolist())) == 20
    other = select_from(rows, texts, replace(PLAIN, seed=1))
    assert found.tolist() != sample_around_threshold(other, count=20).tolist()


@pytest.mark.parametrize(("above", "below"), [(3, 40), (40, 3), (2, 2), (0, 4)])
def test_a_side_with_too_few_is_filled_up(above: int, below: int) -> None:
    rows = [(i, 0, 1.5 if i < above else 0.5) for i in range(above + below)]
    selection = select_from(rows, distinct_texts(above + below, 1), PLAIN)
    found = sample_around_threshold(selection, count=10)
    assert len(found) == min(10, above + below)
    assert (selection.scores[found] >= 1).sum() >= min(above, 5)


def test_the_record_of_a_selection(tmp_path: Path) -> None:
    selection = select_from(ROWS, TEXTS, PLAIN)
    write_mining_report_data(tmp_path / "mining.json", selection, TEXTS)
    record = json.loads((tmp_path / "mining.json").read_bytes())
    assert record == mining_record(selection, TEXTS)
    assert [s["outcome"] for s in record["sample"]] == [
        "chosen",
        "passage_used",
        "passage_used",
        "below_threshold",
    ]
    assert record["sample"][0]["target"]["text"] == words(1000)
    assert record["options"] == PLAIN.for_manifest()


def test_scores_and_documents_must_fit() -> None:
    with pytest.raises(DataError, match="scores of candidates must be finite, got 1 of 2"):
        select_from([(0, 0, 1.5), (0, 1, float("nan"))], TEXTS, PLAIN)
    with pytest.raises(DataError, match="candidates must be of the 5 documents given, got .* 7"):
        select_from([(7, 0, 1.5)], TEXTS, PLAIN)
    assert len(make_candidates(ROWS)) == len(ROWS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"score": "best"}, "score must be one of margin, similarity, got 'best'"),
        ({"score": "similarity"}, "min-score must be given with score similarity"),
        ({"min_score": float("nan")}, "min-score must be a finite number, got nan"),
        ({"passages_per_document": 0}, "passages-per-document must be at least 1, got 0"),
        ({"uses_per_passage": -1}, "uses-per-passage must be at least 1, got -1"),
        ({"min_characters": 0}, "min-characters must be at least 1, got 0"),
        ({"max_length_ratio": 0.5}, "max-length-ratio must be finite and at least 1, got 0.5"),
        ({"near_duplicate": 0.1}, "near-duplicate must be 0.5 to 1, got 0.1"),
    ],
)
def test_options_that_cannot_be(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SelectionOptions(**options)  # type: ignore[arg-type]
    assert SelectionOptions().threshold == MIN_MARGIN
