"""What the user decides about an index, checked once."""

from dataclasses import dataclass
from typing import Literal, get_args

from megatron_crossic.data.retrieval.libraries import check_seed
from megatron_crossic.errors import ConfigError

IndexKind = Literal["auto", "exact", "hnsw", "ivf"]

EXACT_UP_TO = 1_000_000
"""Where `auto` stops comparing with every vector. A million vectors of 256 numbers are 512 MB, and
a query costs 0.26 billion multiplications, 18 ms of a core as measured: 100,000 queries take half
a core hour, some times as long as an index takes to train and to fill, and find every neighbour.
Ten times as many of both take a hundred times that."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexOptions:
    """How passages are found again, and how sure that has to be."""

    kind: IndexKind = "auto"
    """`exact`: no index, all vectors are compared. `ivf`: vectors in lists around centroids, as
    short codes (product quantisation). `hnsw`: a graph of near neighbours, fast and large. `auto`:
    exact up to `EXACT_UP_TO` vectors, ivf beyond."""
    lists: int | None = None
    """Lists of ivf; None: the power of two nearest to 4 times the root of the vectors."""
    code_bytes: int | None = None
    """Bytes of a vector's code in ivf; they divide the dimension. None: a quarter, 64 at most."""
    connections: int = 32
    """Neighbours of a vector in hnsw, twice as many on its lowest level."""
    probes: int | None = None
    """Lists that a query looks into (ivf), or candidates it keeps on its way (hnsw); None: the
    smallest power of two that reaches `target_recall`."""
    rerank: int = 4
    """So many times k candidates are scored again from the vectors on disk."""
    target_recall: float = 0.95
    """Share of the exact k nearest that has to be found."""
    recall_queries: int = 256
    """Vectors taken as queries to measure that, where no queries are given."""
    recall_k: int = 32
    """Neighbours of a query that are looked for in measuring."""
    part_vectors: int = 8_000_000
    """Vectors of a part of the index, which is built in memory as a whole by one job."""
    seed: int = 0
    """Of the sample an index is trained on, and of the training."""

    def __post_init__(self) -> None:
        if self.kind not in get_args(IndexKind):
            raise ConfigError(
                f"index kind must be one of {', '.join(get_args(IndexKind))}, got {self.kind!r}. "
                "Choose one of them."
            )
        at_least_one = ("connections", "rerank", "recall_queries", "recall_k", "part_vectors")
        for name in (*at_least_one, "lists", "code_bytes", "probes"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(
                    f"index {name.replace('_', '-')} must be positive, got {value}. "
                    "Leave it out for the default."
                )
        check_seed(self.seed)
        if not 0 < self.target_recall <= 1:
            raise ConfigError(
                f"index target-recall must be above 0 and at most 1, got {self.target_recall}. "
                "Use for example 0.95."
            )
