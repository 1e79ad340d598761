"""The nearest vectors exactly: all are looked at, block by block, and few are held.

A block of products comes from BLAS, whose rounding depends on the place in the block. So what may
be among the best by them, give or take `SLACK`, is scored again row by row. Then equal vectors have
equal scores, the lower number comes first, and neither blocks nor files nor threads change results.

Cost: 2 q n d operations; memory: a block of scores, 64 MB for 1,024 queries.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.retrieval.index.vectors import Numbers, Vectors, VectorShards
from megatron_crossic.errors import ConfigError, DataError

Progress = Callable[[int, int], None]
"""Called with what is done and all there is."""

QUERY_BATCH = 1024
BLOCK_ROWS = 16_384
RESCORED_ROWS = 65_536
SLACK = 1e-4
"""More than float32 rounding of a product of unit vectors can be (1,024 numbers: 6e-5); of longer
queries it is so much more."""
NOTHING = -1
"""Number where there are fewer than k neighbours; its score is minus infinity."""


def no_progress(_done: int, _total: int) -> None:
    """For those who do not want to know."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Neighbours:
    """The best of each query, best first; of equal scores the lower number first."""

    scores: NDArray[np.float32]
    """Inner products, [q, k]."""
    numbers: Numbers
    """Global numbers, [q, k]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Hits:
    """Scored pairs of a query and a vector, in any order; three arrays of one length."""

    queries: Numbers
    scores: NDArray[np.float32]
    numbers: Numbers

    def best(self, k: int) -> "Hits":
        """At most k of each query, sorted by query, score and number."""
        order = np.lexsort((self.numbers, -self.scores, self.queries))
        order = order[ranks_of_sorted(self.queries[order]) < k]
        return self._take(order)

    def _take(self, order: Numbers) -> "Hits":
        return Hits(
            queries=self.queries[order], scores=self.scores[order], numbers=self.numbers[order]
        )

    def table(self, num_queries: int, k: int) -> Neighbours:
        """Of what `best(k)` gave: one row a query."""
        scores = np.full((num_queries, k), -np.inf, dtype=np.float32)
        numbers = np.full((num_queries, k), NOTHING, dtype=np.int64)
        ranks = ranks_of_sorted(self.queries)
        scores[self.queries, ranks] = self.scores
        numbers[self.queries, ranks] = self.numbers
        return Neighbours(scores=scores, numbers=numbers)


def ranks_of_sorted(groups: Numbers) -> Numbers:
    """Place of each item in its group: 3 3 3 7 7 -> 0 1 2 0 1."""
    return np.arange(len(groups)) - np.searchsorted(groups, groups, side="left")


def join_hits(first: Hits, second: Hits) -> Hits:
    return Hits(
        queries=np.concatenate((first.queries, second.queries)),
        scores=np.concatenate((first.scores, second.scores)),
        numbers=np.concatenate((first.numbers, second.numbers)),
    )


def no_hits() -> Hits:
    empty = np.zeros(0, dtype=np.int64)
    return Hits(queries=empty, scores=np.zeros(0, dtype=np.float32), numbers=empty)


def products(queries: Vectors, rows: Vectors) -> NDArray[np.float32]:
    """Inner products of pairs of rows, [n]: the same for the same two rows wherever they stand."""
    found: NDArray[np.float32] = np.einsum("nd,nd->n", queries, rows)
    return found


def exact_search(
    shards: VectorShards, queries: Vectors, k: int, *, progress: Progress = no_progress
) -> Neighbours:
    """The k best of all vectors for each query; progress counts vectors, for all batches."""
    queries = checked_queries(queries, k, dimension=shards.dimension)
    batches = max(1, -(-len(queries) // QUERY_BATCH))
    tables = [
        _search_batch(
            shards,
            batch,
            k,
            lambda done, b=number: progress(b * len(shards) + done, batches * len(shards)),  # type: ignore[misc]
        )
        for number, batch in enumerate(query_batches(queries, QUERY_BATCH))
    ]
    return join_neighbours(tables, k)


def query_batches(queries: Vectors, size: int) -> Iterator[Vectors]:
    for start in range(0, len(queries), size):
        yield queries[start : start + size]


def join_neighbours(tables: list[Neighbours], k: int) -> Neighbours:
    """Rows of all tables, one below the other."""
    return Neighbours(
        scores=np.concatenate([np.zeros((0, k), dtype=np.float32), *(t.scores for t in tables)]),
        numbers=np.concatenate([np.zeros((0, k), dtype=np.int64), *(t.numbers for t in tables)]),
    )


def checked_queries(queries: Vectors, k: int, *, dimension: int) -> Vectors:
    """The queries as BLAS and FAISS want them; refuses other dimensions, NaN and a k of 0."""
    if k < 1:
        raise ConfigError(f"k must be positive, got {k}. Ask for example for 32 neighbours.")
    if queries.ndim != 2 or queries.shape[1] != dimension:
        raise DataError(
            f"queries must have shape [q, {dimension}], got {list(queries.shape)}. "
            "Encode them with the encoder of the index."
        )
    if not np.isfinite(queries).all():
        raise DataError(
            "queries must be finite numbers, got NaN or infinity. Encode these texts again."
        )
    return np.ascontiguousarray(queries, dtype=np.float32)


def _search_batch(
    shards: VectorShards, queries: Vectors, k: int, on_done: Callable[[int], None]
) -> Neighbours:
    best = no_hits()
    slack = SLACK * np.linalg.norm(queries, axis=1)
    bar = np.full(len(queries), -np.inf, dtype=np.float32)
    for start, block in shards.blocks(BLOCK_ROWS):
        for found in _hopeful(queries, block, bar - slack, k):
            hits = Hits(queries=found.queries, scores=found.scores, numbers=found.numbers + start)
            best = join_hits(best, hits).best(k)
        bar = _bar(best, len(queries), k)
        bar[(slack == 0) & (bar == 0)] = np.inf  # all are equal to a query of zeros: the first win
        on_done(start + len(block))
    return best.table(len(queries), k)


def _hopeful(
    queries: Vectors, block: Vectors, lowest: NDArray[np.float32], k: int
) -> Iterator[Hits]:
    """What may be as good as `lowest`, [q], exactly scored and numbered inside the block."""
    rough = queries @ block.T  # [q, m]
    if len(block) > k and np.isneginf(lowest).any():  # the first block: no k-th best yet
        slack = SLACK * np.linalg.norm(queries, axis=1)
        lowest = np.maximum(lowest, np.partition(rough, len(block) - k, axis=1)[:, -k] - slack)
    which, rows = np.nonzero(rough >= lowest[:, None])
    # In pieces: of a million equal vectors, every one may be as good as the best.
    for start in range(0, len(which), RESCORED_ROWS):
        piece = slice(start, start + RESCORED_ROWS)
        scores = products(queries[which[piece]], block[rows[piece]])
        yield Hits(queries=which[piece], scores=scores, numbers=rows[piece])


def _bar(best: Hits, num_queries: int, k: int) -> NDArray[np.float32]:
    """The k-th best score of each query; minus infinity while there are fewer."""
    bar = np.full(num_queries, -np.inf, dtype=np.float32)
    last = ranks_of_sorted(best.queries) == k - 1
    bar[best.queries[last]] = best.scores[last]
    return bar
