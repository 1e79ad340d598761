"""How much of the exact result an index finds, and the fewest probes that find enough."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from megatron_crossic.data.retrieval.index.exact import (
    NOTHING,
    Neighbours,
    Progress,
    exact_search,
    no_progress,
)
from megatron_crossic.data.retrieval.index.index import Index
from megatron_crossic.data.retrieval.index.options import IndexOptions
from megatron_crossic.data.retrieval.index.vectors import Vectors, VectorShards
from megatron_crossic.errors import DataError

MOST_PROBES = 4096
LEAST_EFFORT = 16
"""Candidates on the way through a graph (hnsw); fewer are as slow."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recall:
    """What was measured and what was chosen by it."""

    k: int
    num_queries: int
    target: float
    by_probes: dict[int, float]
    """Recall at each number of probes tried."""
    probes: int
    """The fewest that reach the target; where none does, the fewest of the best."""

    @property
    def recall(self) -> float:
        return self.by_probes[self.probes]

    @property
    def is_reached(self) -> bool:
        return self.recall >= self.target

    def for_manifest(self) -> dict[str, Any]:
        return {
            "k": self.k,
            "queries": self.num_queries,
            "target": self.target,
            "by_probes": {str(probes): recall for probes, recall in self.by_probes.items()},
            "probes": self.probes,
            "recall": self.recall,
            "is_reached": self.is_reached,
        }

    def warning(self) -> str:
        """For where the target is not reached."""
        return (
            f"index recall must reach {self.target} at k = {self.k}, got {self.recall:.3f} with "
            f"{self.probes} probes. Set a larger index rerank, or build it with more code-bytes or "
            "as hnsw."
        )


def measure_recall(index: Index, shards: VectorShards, queries: Vectors, k: int) -> float:
    """Share of the k nearest by exact search that the index finds, over all queries."""
    return recall_of(index.search(queries, k), exact_search(shards, queries, k))


def recall_of(found: Neighbours, exact: Neighbours) -> float:
    """Share of the exact neighbours found; one that is as near as the last of them counts as it.

    Best scores .9 .8 .8 against a found .9 .8 .7 at k = 3: two of three.
    """
    there = exact.numbers != NOTHING
    last = np.where(there, exact.scores, np.inf).min(axis=1, initial=np.inf)
    hits = (found.numbers != NOTHING) & (found.scores >= last[:, None])
    return float(hits.sum() / max(1, there.sum()))


def choose_probes(
    index: Index,
    shards: VectorShards,
    queries: Vectors,
    options: IndexOptions,
    progress: Progress = no_progress,
) -> Recall:
    """Measure with `options.probes`, or with 1, 2, 4, … until the target is reached.

    An exact index needs no measurement.
    """
    if index.plan.kind == "exact":
        return Recall(
            k=options.recall_k,
            num_queries=0,
            target=options.target_recall,
            by_probes={1: 1.0},
            probes=1,
        )
    if not len(queries):
        raise DataError("queries must be at least one to measure recall, got none. Give some.")
    exact = exact_search(shards, queries, options.recall_k, progress=progress)
    tried: dict[int, float] = {}
    for probes in _tried_probes(index, options):
        tried[probes] = recall_of(index.search(queries, options.recall_k, probes=probes), exact)
        if tried[probes] >= options.target_recall:
            break
    return Recall(
        k=options.recall_k,
        num_queries=len(queries),
        target=options.target_recall,
        by_probes=tried,
        probes=max(tried, key=lambda probes: (tried[probes], -probes)),
    )


def _tried_probes(index: Index, options: IndexOptions) -> Iterator[int]:
    if options.probes is not None:
        yield options.probes
        return
    probes = 1 if index.plan.kind == "ivf" else LEAST_EFFORT
    most = min(MOST_PROBES, index.plan.lists if index.plan.kind == "ivf" else len(index))
    while probes < most:
        yield probes
        probes *= 2
    yield most
