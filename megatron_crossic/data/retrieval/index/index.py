"""An index that is searched: candidates from short codes, then exact scores from the vectors.

    queries ─► nearest lists, once for all parts
                  ▼ part by part, memory-mapped: codes of these lists -> `rerank` * k candidates
               the best of all parts
                  ▼ their vectors, read from the shards in the order on disk
               k best by exact inner product

Codes only decide what is looked at: scores are those of an exact search, and so is the order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.retrieval.index.exact import (
    NOTHING,
    RESCORED_ROWS,
    Hits,
    Neighbours,
    checked_queries,
    exact_search,
    join_hits,
    join_neighbours,
    no_hits,
    products,
    query_batches,
)
from megatron_crossic.data.retrieval.index.folder import (
    KIND,
    index_manifest_path,
    part_path,
    trained_path,
)
from megatron_crossic.data.retrieval.index.parts import FaissIndex, Turned, read_index, turned
from megatron_crossic.data.retrieval.index.plan import IndexPlan
from megatron_crossic.data.retrieval.index.vectors import Numbers, Vectors, VectorShards
from megatron_crossic.data.retrieval.libraries import limited_threads, load_faiss
from megatron_crossic.errors import DataError
from megatron_crossic.manifest import check_file, read_manifest

QUERY_BATCH = 512
LEAST_EFFORT = 64
"""Candidates kept while the nearest lists are looked for in a graph."""

Candidates = tuple[NDArray[np.float32], Numbers]
"""Approximate scores and global numbers, both [q, c]; NOTHING where there is none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenParts:
    """What FAISS holds; both empty for an exact index."""

    parts: Sequence[FaissIndex]
    trained: Turned | None
    """Rotation and centroids of ivf."""
    lists: FaissIndex = None
    """These centroids, searched for the nearest."""


class Index:
    """`search` is all there is to it; `probes` may be set for each search."""

    def __init__(
        self,
        plan: IndexPlan,
        shards: VectorShards,
        opened: OpenParts,
        *,
        probes: int,
        rerank: int,
        threads: int | None = None,
    ) -> None:
        self.plan = plan
        self.probes = probes
        self.rerank = rerank
        self._shards = shards
        self._opened = opened
        self._threads = threads

    def __len__(self) -> int:
        return self.plan.num_vectors

    @property
    def dimension(self) -> int:
        return self.plan.dimension

    def search(self, queries: Vectors, k: int, *, probes: int | None = None) -> Neighbours:
        """The k best passages of each query, float32 [q, d], with their exact inner products."""
        queries = checked_queries(queries, k, dimension=self.dimension)
        with limited_threads(self._threads):
            if self.plan.kind == "exact":
                return exact_search(self._shards, queries, k)
            batches = query_batches(queries, QUERY_BATCH)
            tables = [self._search_batch(b, k, probes or self.probes) for b in batches]
        return join_neighbours(tables, k)

    def _search_batch(self, queries: Vectors, k: int, probes: int) -> Neighbours:
        if self.plan.kind == "ivf":
            wanted = min(self.rerank * k, len(self))
            found = self._lists_search(queries, wanted, min(probes, self.plan.lists))
        else:
            wanted = min(k, len(self))
            found = self._graph_search(queries, wanted, probes)
        return self._rescored(queries, _best_columns(found, wanted), k)

    def _lists_search(self, queries: Vectors, wanted: int, probes: int) -> Candidates:
        lists, trained = self._opened.lists, self._opened.trained
        assert trained is not None, "ivf has a trained file"
        queries = trained.turn(queries)
        if self.plan.has_graph_of_lists:
            lists.hnsw.efSearch = max(LEAST_EFFORT, 2 * probes)
        nearness, nearest = lists.search(queries, probes)
        tables = []
        for part in self._opened.parts:
            part.nprobe = probes
            tables.append(part.search_preassigned(queries, wanted, nearest, nearness))
        return _side_by_side(tables)

    def _graph_search(self, queries: Vectors, wanted: int, effort: int) -> Candidates:
        tables = []
        for number, part in enumerate(self._opened.parts):
            part.hnsw.efSearch = max(effort, wanted)
            scores, rows = part.search(queries, wanted)
            start, _ = self.plan.part_range(number)
            tables.append((scores, np.where(rows == NOTHING, NOTHING, rows + start)))
        return _side_by_side(tables)

    def _rescored(self, queries: Vectors, found: Candidates, k: int) -> Neighbours:
        which, columns = np.nonzero(found[1] != NOTHING)
        numbers = found[1][which, columns]
        best = no_hits()
        for start in range(0, len(which), RESCORED_ROWS):
            piece = slice(start, start + RESCORED_ROWS)
            scores = products(queries[which[piece]], self._shards.rows(numbers[piece]))
            hits = Hits(queries=which[piece], scores=scores, numbers=numbers[piece])
            best = join_hits(best, hits).best(k)
        return best.table(len(queries), k)


def _side_by_side(tables: Sequence[Candidates]) -> Candidates:
    scores, numbers = zip(*tables, strict=True)
    return np.concatenate(scores, axis=1), np.concatenate(numbers, axis=1)


def _best_columns(found: Candidates, wanted: int) -> Candidates:
    """The `wanted` highest approximate scores of each row, in any order."""
    scores, numbers = found
    if scores.shape[1] <= wanted:
        return found
    scores = np.where(numbers == NOTHING, -np.inf, scores)
    columns = np.argpartition(scores, -wanted, axis=1)[:, -wanted:]
    return np.take_along_axis(scores, columns, 1), np.take_along_axis(numbers, columns, 1)


def open_index(
    folder: Path, shards: VectorShards, *, encoder: str, threads: int | None = None
) -> Index:
    """The index in `folder`, memory-mapped; refuses one of another encoder or other vectors."""
    manifest = read_manifest(index_manifest_path(folder), kind=KIND)
    _check_identity(manifest.details["identity"], shards, encoder, folder)
    for role, file in manifest.files.items():
        check_file(folder, role, file)
    plan = IndexPlan(**manifest.details["identity"]["plan"])
    return Index(
        plan,
        shards,
        open_parts(folder, plan),
        probes=manifest.details["recall"]["probes"],
        rerank=manifest.options["rerank"],
        threads=threads,
    )


def open_parts(folder: Path, plan: IndexPlan) -> OpenParts:
    """All parts, memory-mapped, with one copy of the centroids for all of them."""
    parts = [read_index(part_path(folder, n), mapped=True) for n in range(plan.num_parts)]
    if plan.kind != "ivf":
        return OpenParts(parts=parts, trained=None)
    trained = turned(read_index(trained_path(folder), mapped=False))
    for part in parts:
        part.own_fields = False
        part.quantizer = trained.ivf.quantizer
    lists = load_faiss().downcast_index(trained.ivf.quantizer)
    return OpenParts(parts=parts, trained=trained, lists=lists)


def _check_identity(
    built: Mapping[str, Any], shards: VectorShards, encoder: str, folder: Path
) -> None:
    if built["encoder"] != encoder:
        raise DataError(
            f"index must be of the encoder in use, {encoder}, got one of {built['encoder']} in "
            f"{folder}. Use that encoder or build the index again."
        )
    if built["plan"]["dimension"] != shards.dimension:
        raise DataError(
            f"index must have the dimension of the vectors, {shards.dimension}, got "
            f"{built['plan']['dimension']} in {folder}. Build it again."
        )
    if len(built["shards"]) != len(shards.paths):
        raise DataError(
            f"index must be of the {len(shards.paths)} files of vectors given, got one of "
            f"{len(built['shards'])} in {folder}. Give the same files, or build it again."
        )
    for was, now in zip(built["shards"], shards.identities(), strict=True):
        found = {name: getattr(now, name) for name in was}
        if found != was:
            raise DataError(
                f"vectors must be those the index was built from, {was['name']} with "
                f"{was['num_rows']:,} rows, got {now.name} with {now.num_rows:,} rows"
                f"{' and other content' if now.num_rows == was['num_rows'] else ''}. "
                "Give the same files in the same order, or build the index again."
            )
