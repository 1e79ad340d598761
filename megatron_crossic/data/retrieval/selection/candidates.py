"""Candidates: the nearest passages of each document by all its views, with their scores.

    each view of a document ─► index ─► its nearest passages ─┐
                                                              ├─► together ─► score ─► the best
    other views ─► their similarity to the same passages ─────┘
    the best ─► ratio margin, from both sides' nearest ─► candidates

The score is the weighted sum of the views' inner products. That is the inner product with the
weighted sum of the views' vectors, so one vector stands for a document when its passages look for
their nearest documents.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.retrieval.index.exact import NOTHING, ranks_of_sorted
from megatron_crossic.data.retrieval.index.index import Index
from megatron_crossic.data.retrieval.index.vectors import Numbers, Vectors, VectorShards
from megatron_crossic.data.retrieval.selection.margin import (
    NEIGHBOURS,
    mean_of_neighbours,
    ratio_margin,
)

Candidates = NDArray[np.void]

QUERY_BATCH = 1024
"""Documents at a time: with 64 passages of 384 numbers each their vectors take 100 MB."""


def candidate_type(num_views: int) -> np.dtype[np.void]:
    """One row a candidate."""
    return np.dtype(
        [
            ("query", "<u4"),
            ("passage", "<i8"),
            ("score", "<f4"),
            ("margin", "<f4"),
            ("views", "<f4", (num_views,)),
        ]
    )


def combined(views: Mapping[str, Vectors], weights: Mapping[str, float]) -> Vectors:
    """The weighted sum of a document's views.  # each [n, d] -> [n, d]"""
    first, *rest = (np.float32(weights[name]) * vectors for name, vectors in views.items())
    total = first
    for vectors in rest:
        total = total + vectors
    return np.asarray(total, dtype=np.float32)


def find_candidates(
    views: Mapping[str, Vectors],
    weights: Mapping[str, float],
    *,
    index: Index,
    passages: VectorShards,
    neighbours: int,
    keep: int,
    first: int,
) -> Candidates:
    """The `keep` best of each document, without margin; documents are numbered from `first` on.

    A view of zeros finds nothing, and a passage that is not similar at all (score <= 0) is none.
    """
    count = len(next(iter(views.values())))
    batches = [
        _of_batch(
            {name: vectors[start : start + QUERY_BATCH] for name, vectors in views.items()},
            weights,
            index=index,
            passages=passages,
            neighbours=neighbours,
            keep=keep,
            first=first + start,
        )
        for start in range(0, count, QUERY_BATCH)
    ]
    return np.concatenate([np.zeros(0, dtype=candidate_type(len(views))), *batches])


def _of_batch(
    views: Mapping[str, Vectors],
    weights: Mapping[str, float],
    *,
    index: Index,
    passages: VectorShards,
    neighbours: int,
    keep: int,
    first: int,
) -> Candidates:
    found = [
        np.where(_is_there(vectors), index.search(vectors, neighbours).numbers, NOTHING)
        for vectors in views.values()
    ]
    queries, numbers = _distinct(np.concatenate(found, axis=1))
    rows, places = np.unique(numbers, return_inverse=True)
    near = passages.rows(rows)
    similarities = np.stack(
        [np.einsum("cd,cd->c", vectors[queries], near[places]) for vectors in views.values()],
        axis=1,
    )
    made = np.zeros(len(queries), dtype=candidate_type(len(views)))
    made["query"], made["passage"], made["views"] = queries + first, numbers, similarities
    made["score"] = similarities @ np.array([weights[name] for name in views], dtype=np.float32)
    return _best(made[made["score"] > 0], keep)


def _is_there(vectors: Vectors) -> NDArray[np.bool_]:
    """[n, d] -> [n, 1]"""
    return np.asarray(vectors.any(axis=1, keepdims=True))


def _distinct(numbers: Numbers) -> tuple[Numbers, Numbers]:
    """Query and passage of each find, each once.  # [q, m] -> [c], [c]"""
    ordered = np.sort(numbers, axis=1)
    is_new = np.diff(ordered, axis=1, prepend=NOTHING) != 0
    queries, columns = np.nonzero(is_new & (ordered != NOTHING))
    return queries, ordered[queries, columns]


def _best(candidates: Candidates, keep: int) -> Candidates:
    """The `keep` best of each document, by document and then by descending score."""
    order = np.lexsort((candidates["passage"], -candidates["score"], candidates["query"]))
    ordered = candidates[order]
    return ordered[ranks_of_sorted(ordered["query"].astype(np.int64)) < keep]


@dataclass(frozen=True, kw_only=True, slots=True)
class NearestDocuments:
    """How near documents are to the passages that are anybody's candidate."""

    passages: Numbers
    """Sorted, each once. [p]"""
    means: NDArray[np.float64]
    """Mean similarity of each to its nearest documents. [p]"""


def add_margins(
    candidates: Candidates, *, lengths: NDArray[np.float32], nearest: NearestDocuments
) -> None:
    """Fill in the margin, from similarities to the documents' vectors at unit length.

    `lengths` are those of all documents' vectors before. [q]
    """
    similarity = candidates["score"] / lengths[candidates["query"]]
    places = np.searchsorted(nearest.passages, candidates["passage"])
    candidates["margin"] = ratio_margin(
        similarity, _forward_means(candidates, similarity), nearest.means[places]
    )


def _forward_means(candidates: Candidates, similarity: NDArray[np.float32]) -> NDArray[np.float64]:
    """The mean of each document's nearest, for each of its candidates.  # [c] -> [c]"""
    queries = candidates["query"].astype(np.int64)
    starts = np.flatnonzero(np.diff(queries, prepend=-1))
    columns = starts[:, None] + np.arange(NEIGHBOURS)
    is_own = columns < np.append(starts[1:], len(queries))[:, None]
    nearest = np.where(is_own, similarity[np.minimum(columns, len(queries) - 1)], -np.inf)
    lengths = np.diff(np.append(starts, len(queries)))
    return np.repeat(mean_of_neighbours(nearest), lengths)
