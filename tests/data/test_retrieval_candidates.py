"""Candidates and their margins, against what a few lines of numpy say."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from small_vectors import clustered, unit, write_shards

from megatron_crossic.data.retrieval.index.build import build_index
from megatron_crossic.data.retrieval.index.index import open_index
from megatron_crossic.data.retrieval.index.options import IndexOptions
from megatron_crossic.data.retrieval.index.vectors import VectorShards
from megatron_crossic.data.retrieval.selection import candidates as module
from megatron_crossic.data.retrieval.selection.candidates import (
    Candidates,
    NearestDocuments,
    add_margins,
    candidate_type,
    combined,
    find_candidates,
)
from megatron_crossic.data.retrieval.selection.margin import mean_of_neighbours

WEIGHTS = {"title": 0.25, "document": 0.75}
Views = dict[str, NDArray[np.float32]]


@pytest.fixture(scope="module")
def passages(tmp_path_factory: pytest.TempPathFactory) -> VectorShards:
    return write_shards(tmp_path_factory.mktemp("passages"), clustered(90, 8), [40, 0, 50])


def find(
    views: Views, passages: VectorShards, *, neighbours: int = 6, keep: int = 4, first: int = 0
) -> Candidates:
    folder = passages.paths[0].parent / "index"
    build_index(folder, passages, IndexOptions(kind="exact"), encoder="e")
    return find_candidates(
        views,
        {name: WEIGHTS[name] for name in views},
        index=open_index(folder, passages, encoder="e"),
        passages=passages,
        neighbours=neighbours,
        keep=keep,
        first=first,
    )


def two_views(count: int, *, seed: int = 5) -> Views:
    return {
        "title": clustered(count, 8, seed=seed),
        "document": clustered(count, 8, seed=seed + 1),
    }


def brute_force(
    views: Views, rows: NDArray[np.float32], *, neighbours: int, keep: int
) -> list[list[int]]:
    """For each document the best of what each view finds, by the weighted sum."""
    found = []
    for query in range(len(next(iter(views.values())))):
        products = {name: rows @ vectors[query] for name, vectors in views.items()}
        pool = {
            number
            for name, values in products.items()
            if views[name][query].any()
            for number in np.argsort(-values, kind="stable")[:neighbours].tolist()
        }
        scores = sum(WEIGHTS[name] * values for name, values in products.items())
        ranked = sorted(pool, key=lambda number: -scores[number])
        found.append([number for number in ranked if scores[number] > 0][:keep])
    return found


@settings(max_examples=25)
@given(st.integers(0, 999), st.integers(1, 12), st.integers(1, 9), st.integers(1, 9))
def test_against_brute_force(
    passages: VectorShards, seed: int, count: int, neighbours: int, keep: int
) -> None:
    views = two_views(count, seed=seed)
    rows = passages.rows(np.arange(len(passages)))
    found = find(views, passages, neighbours=neighbours, keep=keep, first=7)
    expected = brute_force(views, rows, neighbours=neighbours, keep=keep)
    for query, numbers in enumerate(expected):
        assert found["passage"][found["query"] == query + 7].tolist() == numbers
    assert len(found) == sum(map(len, expected))
    for column, name in enumerate(views):
        products = np.einsum("cd,cd->c", views[name][found["query"] - 7], rows[found["passage"]])
        np.testing.assert_allclose(found["views"][:, column], products, atol=1e-6)
    np.testing.assert_allclose(found["score"], found["views"] @ [0.25, 0.75], atol=1e-6)
    assert not found["margin"].any()


def test_a_view_of_zeros_finds_nothing(passages: VectorShards) -> None:
    views = two_views(3)
    views["title"][0] = 0
    views["title"][1] = views["document"][1] = 0
    found = find(views, passages)
    assert set(found["query"].tolist()) == {0, 2}
    alone = find({"document": views["document"][:1]}, passages)
    assert found["passage"][found["query"] == 0].tolist() == alone["passage"].tolist()
    np.testing.assert_allclose(found["score"][found["query"] == 0], alone["score"])
    nothing = find({name: vectors[1:2] for name, vectors in views.items()}, passages)
    assert (len(nothing), nothing.dtype) == (0, candidate_type(2))
    none = find({name: vectors[:0] for name, vectors in views.items()}, passages)
    assert (len(none), none.dtype) == (0, candidate_type(2))


def test_documents_may_be_searched_in_any_batches(passages: VectorShards) -> None:
    count = module.QUERY_BATCH + 30
    views = two_views(count)
    whole = find(views, passages)
    pieces = [
        find({n: v[a:b] for n, v in views.items()}, passages, first=a)
        for a, b in ((0, 100), (100, 1030), (1030, count))
    ]
    joined = np.concatenate(pieces)
    assert joined[["query", "passage"]].tolist() == whole[["query", "passage"]].tolist()
    np.testing.assert_allclose(joined["score"], whole["score"], atol=1e-6)
    assert (np.diff(whole["query"].astype(np.int64)) >= 0).all()


def test_a_passage_is_a_candidate_once(tmp_path: Path) -> None:
    """Both views find the same two; the third is opposite."""
    passages = write_shards(tmp_path, unit(np.array([[1.0, 0], [0.6, 0.8], [-1, 0]])), [3])
    one = unit(np.array([[1.0, 0]]))
    found = find({"title": one, "document": one}, passages, neighbours=3)
    assert found["passage"].tolist() == [0, 1]
    assert found["score"] == pytest.approx([1, 0.6], abs=1e-3)


def test_the_combined_vector_scores_as_the_views_do() -> None:
    views, rows = two_views(5), clustered(5, 8, seed=9)
    products = [np.einsum("nd,nd->n", vectors, rows) for vectors in views.values()]
    together = np.einsum("nd,nd->n", combined(views, WEIGHTS), rows)
    np.testing.assert_allclose(together, 0.25 * products[0] + 0.75 * products[1], atol=1e-6)


def test_margins_by_hand() -> None:
    """The numbers of the module that explains the margin, k = 4."""
    found = np.zeros(6, dtype=candidate_type(1))
    found["query"] = [0, 0, 0, 0, 0, 2]
    found["passage"] = [5, 9, 20, 21, 22, 9]
    found["score"] = np.array([0.8, 0.6, 0.5, 0.5, 0.4, 0.1]) * [2, 2, 2, 2, 2, 1]
    nearest = NearestDocuments(
        passages=np.array([5, 9, 20, 21, 22]), means=np.array([0.5, 0.8, 0, 0, 0])
    )
    add_margins(found, lengths=np.array([2, 0, 1], dtype=np.float32), nearest=nearest)
    assert found["margin"][0] == pytest.approx(0.8 / 0.55)
    assert found["margin"][1] == pytest.approx(0.6 / 0.7)
    assert found["margin"][4] == pytest.approx(0.4 / 0.3)
    assert found["margin"][5] == pytest.approx(0.1 / 0.45)


def test_margins_against_the_formula(passages: VectorShards) -> None:
    views = two_views(20)
    rows = passages.rows(np.arange(len(passages)))
    vectors = combined(views, WEIGHTS)
    lengths = np.linalg.norm(vectors, axis=1).astype(np.float32)
    cosines = rows @ (vectors / lengths[:, None]).T  # [passage, document]
    found = find(views, passages, neighbours=90, keep=8)
    numbers = np.unique(found["passage"])
    best = -np.sort(-cosines, axis=1)[:, :4]
    nearest = NearestDocuments(passages=numbers, means=mean_of_neighbours(best)[numbers])
    add_margins(found, lengths=lengths, nearest=nearest)
    for row in found:
        own = np.sort(cosines[:, row["query"]])[::-1][:4]
        own = own[own > 0]
        usual = (own.mean() + best[row["passage"]].mean()) / 2
        cosine = cosines[row["passage"], row["query"]]
        assert row["margin"] == pytest.approx(cosine / usual, rel=1e-4)


def test_margins_of_nothing() -> None:
    found = np.zeros(0, dtype=candidate_type(1))
    empty = NearestDocuments(passages=np.zeros(0, dtype=np.int64), means=np.zeros(0))
    add_margins(found, lengths=np.zeros(3, dtype=np.float32), nearest=empty)
    assert len(found) == 0
