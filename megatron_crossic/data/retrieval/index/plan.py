"""What an index will be, and what it costs, before anything is built.

    kind    in memory for each vector      on disk for each vector
    exact   nothing                        its 2 d bytes
    hnsw    2 d + 8 connections + 40       the same, and its 2 d bytes
    ivf     nothing: the pages in use      code + 8 bytes of number, and its 2 d bytes

At d = 256: 512 bytes, 808 + 512 and 72 + 512. An ivf index has its centroids in memory as well,
134 MB of them for 1.5 billion vectors.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from megatron_crossic.data.retrieval.index.options import EXACT_UP_TO, IndexOptions
from megatron_crossic.errors import ConfigError, DataError

PlannedKind = Literal["exact", "hnsw", "ivf"]

SAMPLE_PER_LIST = 64
"""Vectors a centroid is the mean of in training; more makes lists hardly more even."""
LEAST_SAMPLE = 256
"""One vector for each of the 256 values of a code byte."""
MOST_SAMPLE_OF_CODES = 65_536
LARGEST_CODE = 64
BITS_OF_FLAT_LISTS = 14
"""Beyond 16,384 lists the nearest is found by a graph over the centroids rather than by looking
at all, and centroids are made in two steps."""
GRAPH_OVERHEAD = 40
"""Bytes: levels and offsets of a vector in hnsw, its share of the upper levels included."""
SEARCH_BUFFERS = 256 << 20
"""Bytes: blocks of vectors and of scores while searching."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexPlan:
    """An index to be built; everything in it follows from the options and the vectors' number."""

    kind: PlannedKind
    num_vectors: int
    dimension: int
    part_vectors: int
    lists: int = 0
    """ivf only, as the next one and the sample."""
    code_bytes: int = 0
    connections: int = 0
    """hnsw only."""
    sample: int = 0
    """Vectors the index is trained on."""
    seed: int = 0

    @property
    def num_parts(self) -> int:
        """Files of the index besides the trained one."""
        return 0 if self.kind == "exact" else -(-self.num_vectors // self.part_vectors)

    def part_range(self, part: int) -> tuple[int, int]:
        """Numbers of the first vector of a part and of the first one behind it."""
        return part * self.part_vectors, min((part + 1) * self.part_vectors, self.num_vectors)

    @property
    def has_graph_of_lists(self) -> bool:
        """Whether the nearest list is found by a graph."""
        return self.lists > 1 << BITS_OF_FLAT_LISTS

    @property
    def bytes_per_vector(self) -> int:
        """On disk, besides the vector itself."""
        if self.kind == "exact":
            return 0
        if self.kind == "ivf":
            return self.code_bytes + 8
        return 2 * self.dimension + 8 * self.connections + GRAPH_OVERHEAD

    @property
    def centroid_bytes(self) -> int:
        """Of the lists' centroids, and the graph over them."""
        graph = 8 * self.connections_of_lists + GRAPH_OVERHEAD if self.has_graph_of_lists else 0
        return self.lists * (4 * self.dimension + graph)

    @property
    def connections_of_lists(self) -> int:
        return 32

    @property
    def index_bytes(self) -> int:
        """On disk, besides the vectors."""
        parts = self.num_parts * self.lists * 8  # the lengths of a part's lists
        return self.num_vectors * self.bytes_per_vector + self.centroid_bytes + parts

    @property
    def vector_bytes(self) -> int:
        return 2 * self.dimension * self.num_vectors

    @property
    def search_memory_bytes(self) -> int:
        """That a search cannot do without; what is left holds pages of files read before."""
        graph = self.num_vectors * self.bytes_per_vector if self.kind == "hnsw" else 0
        return self.centroid_bytes + graph + SEARCH_BUFFERS

    @property
    def build_memory_bytes(self) -> int:
        """The larger of training and of one part."""
        part = min(self.part_vectors, self.num_vectors) * self.bytes_per_vector
        # A list grows by doubling: at worst it has twice the room it needs.
        training = 2 * self.sample * 4 * self.dimension
        return self.centroid_bytes + max(2 * part, training) + SEARCH_BUFFERS

    def lines(self) -> Iterator[str]:
        """The plan in words, costs per million vectors included."""
        millions = self.num_vectors / 1e6
        yield f"index: {self.kind}, {self.num_vectors:,} vectors of {self.dimension} numbers"
        if self.kind == "ivf":
            yield (
                f"  {self.lists:,} lists, codes of {self.code_bytes} bytes, trained on "
                f"{self.sample:,} vectors, {self.num_parts} parts"
            )
        if self.kind == "hnsw":
            yield f"  {self.connections} connections, {self.num_parts} parts"
        yield (
            f"  disk: {self.index_bytes / 1e6:,.0f} MB of index beside "
            f"{self.vector_bytes / 1e6:,.0f} MB of vectors"
        )
        yield (
            f"  memory: {self.build_memory_bytes / 1e6:,.0f} MB to build a part, "
            f"{self.search_memory_bytes / 1e6:,.0f} MB to search"
        )
        if millions:
            yield (
                f"  per million vectors: {self.index_bytes / millions / 1e6:,.0f} MB of index, "
                f"{self.vector_bytes / millions / 1e6:,.0f} MB of vectors"
            )


def plan_index(num_vectors: int, dimension: int, options: IndexOptions) -> IndexPlan:
    """What the options come to for so many vectors."""
    kind = options.kind
    if kind == "auto":
        kind = "exact" if num_vectors <= EXACT_UP_TO else "ivf"
    if num_vectors < 1:
        raise DataError(
            "vectors must be at least one for an index, got none. Check what was encoded."
        )
    common = IndexPlan(
        kind="exact",
        num_vectors=num_vectors,
        dimension=dimension,
        part_vectors=options.part_vectors,
        seed=options.seed,
    )
    if kind == "ivf":
        return _ivf_plan(common, options)
    if kind == "hnsw":
        return _plan(common, kind="hnsw", connections=options.connections)
    return common


def _ivf_plan(common: IndexPlan, options: IndexOptions) -> IndexPlan:
    lists = options.lists or default_lists(common.num_vectors)
    needed = max(LEAST_SAMPLE, lists)
    if common.num_vectors < needed:
        raise DataError(
            f"vectors must be at least {needed:,} to train an ivf index of {lists:,} lists on, got "
            f"{common.num_vectors:,}. Use index kind exact or hnsw, or fewer lists."
        )
    wanted = max(MOST_SAMPLE_OF_CODES, SAMPLE_PER_LIST * lists)
    return _plan(
        common,
        kind="ivf",
        lists=lists,
        code_bytes=_code_bytes(common.dimension, options.code_bytes),
        sample=min(common.num_vectors, wanted),
    )


def _plan(common: IndexPlan, *, kind: PlannedKind, **sizes: int) -> IndexPlan:
    fields = {name: getattr(common, name) for name in common.__dataclass_fields__}
    return IndexPlan(**(fields | {"kind": kind} | sizes))


def default_lists(num_vectors: int) -> int:
    """4,096 for a million, 32,768 for 100 million, 131,072 for 1.5 billion."""
    return 1 << max(0, round(math.log2(4 * math.sqrt(num_vectors))))


def _code_bytes(dimension: int, wanted: int | None) -> int:
    if wanted is None:
        most = max(1, min(LARGEST_CODE, dimension // 4))
        return max(size for size in range(1, most + 1) if dimension % size == 0)
    if dimension % wanted:
        raise ConfigError(
            f"index code-bytes must divide the dimension {dimension}, got {wanted}. "
            f"Use for example {_code_bytes(dimension, None)}."
        )
    return wanted
