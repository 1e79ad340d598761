"""Training an index and building one part of it, with FAISS.

The same vectors, options, threads and machine give the same bytes; the graph of hnsw does so with
one thread only, for its vectors are added side by side.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from megatron_crossic.data.retrieval.index_plan import IndexPlan
from megatron_crossic.data.retrieval.libraries import limited_threads, load_faiss
from megatron_crossic.data.retrieval.vectors import Vectors, VectorShards, check_vectors
from megatron_crossic.errors import DataError
from megatron_crossic.files import FileFingerprint, HashingWriter, atomic_output

ITERATIONS = 10
"""Of k-means: further ones move few vectors to another list."""
CONSTRUCTION_EFFORT = 64
"""Candidates kept while a vector's place in a graph is looked for."""
ADDED_ROWS = 65_536
WRITTEN_BYTES = 1 << 20

FaissIndex = Any
OnDone = Callable[[int], None]


def train_index(sample: Vectors, plan: IndexPlan) -> FaissIndex:
    """An ivf index without vectors: centroids of the lists, and of the codes."""
    faiss = load_faiss()
    lists = lists_index(_centroids(sample, plan), plan)
    index = faiss.IndexIVFPQ(
        lists, plan.dimension, plan.lists, plan.code_bytes, 8, faiss.METRIC_INNER_PRODUCT
    )
    index.pq.cp.seed = plan.seed
    index.pq.cp.min_points_per_centroid = 1
    index.train(sample)
    return index


def _centroids(sample: Vectors, plan: IndexPlan) -> Vectors:
    """One for each list, float32 [lists, d], of length 1.

    A large number is made in two steps, first about its root, then some around each of these: of
    131,072, 256 and then 512 for each on average, 340 times less work than all against all.
    """
    if not plan.has_graph_of_lists:
        return _kmeans(sample, plan.lists, seed=plan.seed)
    coarse = _kmeans(sample, 1 << (plan.lists.bit_length() // 2 - 1), seed=plan.seed)
    faiss = load_faiss()
    _, nearest = faiss.knn(sample, coarse, 1, metric=faiss.METRIC_INNER_PRODUCT)
    nearest = nearest[:, 0]
    shares = shared_out(plan.lists, np.bincount(nearest, minlength=len(coarse)))
    groups = [
        _kmeans(np.ascontiguousarray(sample[nearest == group]), int(share), seed=plan.seed)
        for group, share in enumerate(shares)
        if share
    ]
    return np.concatenate(groups)


def shared_out(total: int, sizes: "np.ndarray[Any, np.dtype[np.int64]]") -> Any:
    """`total` shared out in proportion to `sizes`, by largest remainder: 4 of 6 and 2 -> 3 and 1.

    As `total` is at most the sum of the sizes, no share is more than its size.
    """
    exact = total * sizes / sizes.sum()
    shares = np.floor(exact).astype(np.int64)
    order = np.argsort(shares - exact, kind="stable")
    shares[order[: total - shares.sum()]] += 1
    return shares


def _kmeans(sample: Vectors, count: int, *, seed: int) -> Vectors:
    faiss = load_faiss()
    kmeans = faiss.Kmeans(
        sample.shape[1],
        count,
        niter=ITERATIONS,
        seed=seed,
        spherical=True,
        min_points_per_centroid=1,
        max_points_per_centroid=len(sample),
    )
    kmeans.train(sample)
    centroids: Vectors = kmeans.centroids
    return centroids


def lists_index(centroids: Vectors, plan: IndexPlan) -> FaissIndex:
    """Finds the centroids that are nearest to a vector."""
    faiss = load_faiss()
    if not plan.has_graph_of_lists:
        flat = faiss.IndexFlatIP(plan.dimension)
        flat.add(centroids)
        return flat
    graph = faiss.IndexHNSWFlat(
        plan.dimension, plan.connections_of_lists, faiss.METRIC_INNER_PRODUCT
    )
    graph.hnsw.efConstruction = graph.hnsw.efSearch = CONSTRUCTION_EFFORT
    with limited_threads(1):  # or the graph would be another each time
        graph.add(centroids)
    return graph


def add_part(index: FaissIndex, shards: VectorShards, start: int, stop: int, done: OnDone) -> None:
    """Put a range of vectors into an empty index of any kind; hnsw numbers them from 0."""
    for first, block in shards.blocks(ADDED_ROWS, start, stop):
        check_vectors(block, where=f"the rows from {first:,} of all vectors")
        if hasattr(index, "nprobe"):
            index.add_with_ids(block, np.arange(first, first + len(block), dtype=np.int64))
        else:
            index.add(block)
        done(first + len(block))


def empty_graph(plan: IndexPlan) -> FaissIndex:
    """An hnsw index without vectors, which holds them as float16."""
    faiss = load_faiss()
    index = faiss.IndexHNSWSQ(
        plan.dimension,
        faiss.ScalarQuantizer.QT_fp16,
        plan.connections,
        faiss.METRIC_INNER_PRODUCT,
    )
    index.hnsw.efConstruction = CONSTRUCTION_EFFORT
    return index


def write_index(path: Path, index: FaissIndex) -> FileFingerprint:
    """Whole or not at all."""
    faiss = load_faiss()
    with atomic_output(path) as file:
        writer = HashingWriter(file)
        faiss.write_index(index, faiss.PyCallbackIOWriter(writer.write, WRITTEN_BYTES))
        return writer.fingerprint(path.name)


def write_part(path: Path, index: FaissIndex) -> FileFingerprint:
    """An ivf part without the centroids, which all parts share: 134 MB less at 131,072 lists."""
    faiss = load_faiss()
    if not hasattr(index, "nprobe"):
        return write_index(path, index)
    lists, none = index.quantizer, faiss.IndexFlatIP(index.d)
    index.quantizer = none  # is never freed, for SWIG takes it for given away: a hundred bytes
    try:
        return write_index(path, index)
    finally:
        index.quantizer = lists


def read_index(path: Path, *, mapped: bool) -> FaissIndex:
    """Into memory, or only as far as it is used."""
    faiss = load_faiss()
    try:
        return faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC if mapped else 0)
    except RuntimeError as error:
        reason = str(error).partition("Error: ")[2] or str(error)
        raise DataError(
            f"index file must be one that FAISS can read, got {path}: {reason}. Remove the index "
            "and build it again."
        ) from error
