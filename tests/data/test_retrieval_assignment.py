"""Greedy assignment: by hand, and its laws."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from megatron_crossic.data.retrieval.selection.assignment import (
    Accept,
    Assignment,
    accept_all,
    assign,
    best_of_documents,
)

Row = tuple[int, int, float]

ROWS = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.integers(0, 6),
        st.sampled_from([0.9, 1.0, 1.05, 1.1, 1.2, 1.5]),
    ),
    max_size=40,
    unique_by=lambda row: row[:2],
)
CAPACITY = st.integers(1, 3)


def run(
    rows: list[Row],
    *,
    min_score: float = 1.0,
    p: int = 1,
    m: int = 1,
    accept: Accept = accept_all,
) -> Assignment:
    queries, passages, scores = ([row[i] for row in rows] for i in range(3))
    return assign(
        np.array(queries, dtype=np.uint32),
        np.array(passages, dtype=np.int64),
        np.array(scores, dtype=np.float32),
        min_score=min_score,
        passages_per_document=p,
        uses_per_passage=m,
        accept=accept,
    )


def chosen(rows: list[Row], assignment: Assignment) -> set[tuple[int, int]]:
    return {rows[i][:2] for i in assignment.chosen.tolist()}


def refuse_some(query: int, passage: int) -> str | None:
    return "refused" if (query + passage) % 3 == 0 else None


def test_best_first() -> None:
    rows = [(0, 5, 1.3), (0, 6, 1.2), (1, 5, 1.4), (1, 6, 1.1), (2, 6, 0.9)]
    found = run(rows)
    assert chosen(rows, found) == {(1, 5), (0, 6)}
    names = [found.reasons[code] for code in found.outcomes]
    assert names == ["passage_used", "chosen", "chosen", "document_full", "below_threshold"]
    assert found.rejected() == {"passage_used": 1, "document_full": 1, "below_threshold": 1}


def test_capacities() -> None:
    rows = [(0, 5, 1.5), (0, 6, 1.4), (0, 7, 1.3), (1, 5, 1.2), (2, 5, 1.1)]
    assert chosen(rows, run(rows, p=2)) == {(0, 5), (0, 6)}
    assert chosen(rows, run(rows, m=2)) == {(0, 5), (1, 5)}
    assert chosen(rows, run(rows, p=3, m=3)) == {row[:2] for row in rows}


def test_equal_scores_go_by_number() -> None:
    rows = [(1, 5, 1.2), (0, 6, 1.2), (0, 5, 1.2)]
    assert chosen(rows, run(rows)) == {(0, 5)}  # then (0, 6) and (1, 5) have no place
    assert chosen(rows[:2], run(rows[:2])) == {(1, 5), (0, 6)}


def test_a_rejected_candidate_leaves_its_place() -> None:
    rows = [(0, 5, 1.5), (0, 6, 1.4), (1, 5, 1.3)]
    asked = []

    def accept(query: int, passage: int) -> str | None:
        asked.append((query, passage))
        return "wrong" if (query, passage) == (0, 5) else None

    found = run(rows, accept=accept)
    assert chosen(rows, found) == {(0, 6), (1, 5)}
    assert asked == [(0, 5), (0, 6), (1, 5)]
    assert found.rejected() == {"wrong": 1}


def test_texts_are_looked_at_only_where_they_decide() -> None:
    asked = []

    def accept(query: int, passage: int) -> None:
        asked.append((query, passage))

    run([(0, 5, 1.5), (0, 6, 1.4), (1, 5, 1.3), (2, 7, 0.5)], accept=accept)
    assert asked == [(0, 5)]


def test_a_threshold_is_met_by_its_own_value() -> None:
    """1.05 as float32 is below 1.05 as float64."""
    assert float(np.float32(1.05)) < 1.05
    assert len(run([(0, 0, 1.05)], min_score=1.05).chosen) == 1


def test_no_passage_twice_in_a_document() -> None:
    rows = [(0, 5, 1.5), (0, 5, 1.4)]
    found = run(rows, p=2, m=2)
    assert found.chosen.tolist() == [0]
    assert found.rejected() == {"repeated_candidate": 1}


def test_progress_ends_at_all_that_reach_the_threshold() -> None:
    calls: list[tuple[int, int]] = []
    n = 20_000
    numbers = np.arange(n)
    assign(
        numbers.astype(np.uint32),
        numbers,
        np.where(numbers < 5, 0.5, 1.5),
        min_score=1.0,
        on_progress=lambda done, total: calls.append((done, total)),
    )
    assert len(calls) == 3
    assert calls == sorted(calls)
    assert calls[-1] == (n - 5, n - 5)


def test_nothing_to_assign() -> None:
    found = run([])
    assert (len(found.outcomes), found.rejected()) == (0, {})
    empty = np.zeros(0)
    assert best_of_documents(empty.astype(np.uint32), empty.astype(np.int64), empty).tolist() == []


@pytest.mark.parametrize("accept", [accept_all, refuse_some])
@given(rows=ROWS, p=CAPACITY, m=CAPACITY)
def test_capacities_hold_and_nothing_is_lost(
    accept: Accept, rows: list[Row], p: int, m: int
) -> None:
    found = run(rows, p=p, m=m, accept=accept)
    taken = [rows[i] for i in found.chosen.tolist()]
    assert max(Counter(q for q, _, _ in taken).values(), default=0) <= p
    assert max(Counter(passage for _, passage, _ in taken).values(), default=0) <= m
    assert all(score >= 1.0 and accept(q, passage) is None for q, passage, score in taken)
    assert len(taken) + sum(found.rejected().values()) == len(rows)


@pytest.mark.parametrize("accept", [accept_all, refuse_some])
@given(rows=ROWS, p=CAPACITY, m=CAPACITY)
def test_what_is_not_taken_has_no_place(accept: Accept, rows: list[Row], p: int, m: int) -> None:
    taken = chosen(rows, found := run(rows, p=p, m=m, accept=accept))
    for i, (query, passage, score) in enumerate(rows):
        if found.outcomes[i]:
            assert (
                score < 1.0
                or sum(q == query for q, _ in taken) == p
                or sum(other == passage for _, other in taken) == m
                or accept(query, passage) is not None
            )


@given(rows=ROWS, p=CAPACITY, m=CAPACITY, random=st.randoms(use_true_random=False))
def test_the_order_of_candidates_does_not_matter(
    rows: list[Row], p: int, m: int, random: object
) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = (run(r, p=p, m=m, accept=refuse_some) for r in (rows, shuffled))
    assert chosen(rows, one) == chosen(shuffled, other)
    assert one.rejected() == other.rejected()


@given(rows=ROWS, p=CAPACITY, m=CAPACITY)
def test_a_higher_threshold_only_takes_away(rows: list[Row], p: int, m: int) -> None:
    before: set[tuple[int, int]] = set()
    for threshold in (1.3, 1.1, 1.05, 1.0):
        now = chosen(rows, run(rows, min_score=threshold, p=p, m=m, accept=refuse_some))
        high = {row[:2] for row in rows if row[2] >= threshold}
        assert before <= now <= high
        before = now


@given(rows=ROWS)
def test_best_of_documents(rows: list[Row]) -> None:
    queries, passages, scores = (np.array([row[i] for row in rows]) for i in range(3))
    found = best_of_documents(queries.astype(np.uint32), passages.astype(np.int64), scores)
    assert [rows[i][0] for i in found.tolist()] == sorted({row[0] for row in rows})
    for i in found.tolist():
        own = [row for row in rows if row[0] == rows[i][0]]
        assert rows[i] == min(own, key=lambda row: (-row[2], row[1]))
