"""Training an index and building one part of it, with FAISS.

The same vectors, options, threads and machine give the same bytes; the graph of hnsw does so with
one thread only, for its vectors are added side by side.

Ivf vectors are turned at random before they are cut into pieces that get a byte each. After a
singular value decomposition the first numbers of a vector hold most of it, and the bytes of the
last ones would say little: with codes of 32 bytes for 256 numbers, of which some dozens matter,
turning them raised recall at 32 from 0.64 to 0.90.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from megatron_crossic.data.retrieval.index.plan import IndexPlan
from megatron_crossic.data.retrieval.index.vectors import Vectors, VectorShards, check_vectors
from megatron_crossic.data.retrieval.libraries import limited_threads, load_faiss
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Turned:
    """An ivf index, and how vectors are turned for it."""

    whole: FaissIndex
    """Both as FAISS writes them; owns them."""
    rotation: FaissIndex
    ivf: FaissIndex

    def turn(self, vectors: Vectors) -> Vectors:
        turned: Vectors = self.rotation.apply(vectors)
        return turned


def turned(whole: FaissIndex) -> Turned:
    """The two things a trained file consists of."""
    faiss = load_faiss()
    rotation = faiss.downcast_VectorTransform(whole.chain.at(0))
    return Turned(whole=whole, rotation=rotation, ivf=faiss.downcast_index(whole.index))


def train_index(sample: Vectors, plan: IndexPlan) -> FaissIndex:
    """An ivf index without vectors: the rotation, centroids of the lists, and of the codes."""
    faiss = load_faiss()
    rotation = faiss.RandomRotationMatrix(plan.dimension, plan.dimension)
    rotation.init(plan.seed)
    sample = rotation.apply(sample)
    lists = lists_index(_centroids(sample, plan), plan)
    index = faiss.IndexIVFPQ(
        lists, plan.dimension, plan.lists, plan.code_bytes, 8, faiss.METRIC_INNER_PRODUCT
    )
    index.pq.cp.seed = plan.seed
    index.pq.cp.min_points_per_centroid = 1
    index.train(sample)
    return faiss.IndexPreTransform(rotation, index)


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


def ivf_part(
    trained: Turned, shards: VectorShards, start: int, stop: int, done: OnDone
) -> FaissIndex:
    """The trained index with a range of vectors in it, and nothing else."""
    trained.ivf.reset()
    for first, block in checked_blocks(shards, start, stop):
        numbers = np.arange(first, first + len(block), dtype=np.int64)
        trained.ivf.add_with_ids(trained.turn(block), numbers)
        done(first + len(block))
    return trained.ivf


def checked_blocks(
    shards: VectorShards, start: int = 0, stop: int | None = None
) -> Iterator[tuple[int, Vectors]]:
    """As `VectorShards.blocks`, each one looked at."""
    for first, block in shards.blocks(ADDED_ROWS, start, stop):
        check_vectors(block, where=f"the rows from {first:,} of all vectors")
        yield first, block


def graph_part(
    plan: IndexPlan, shards: VectorShards, start: int, stop: int, done: OnDone
) -> FaissIndex:
    """An hnsw index of a range of vectors, as float16 and numbered from 0."""
    faiss = load_faiss()
    index = faiss.IndexHNSWSQ(
        plan.dimension,
        faiss.ScalarQuantizer.QT_fp16,
        plan.connections,
        faiss.METRIC_INNER_PRODUCT,
    )
    index.hnsw.efConstruction = CONSTRUCTION_EFFORT
    for first, block in checked_blocks(shards, start, stop):
        index.add(block)
        done(first + len(block))
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
