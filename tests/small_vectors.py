"""Small sets of vectors on disk."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.retrieval.index.vectors import VectorShards, write_vectors


def clustered(count: int, dimension: int, *, seed: int = 0, topics: int = 20) -> NDArray[Any]:
    """Unit vectors around some topics, as float16 gives them back: float32 [count, d]."""
    generator = np.random.Generator(np.random.PCG64(seed))
    centres = np.random.Generator(np.random.PCG64(99)).standard_normal((topics, dimension))
    rows = centres[generator.integers(topics, size=count)]
    return unit(rows + generator.standard_normal((count, dimension)) * 0.7)


def unit(rows: NDArray[Any]) -> NDArray[Any]:
    """Rows of length 1, rounded to what float16 holds."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(lengths == 0, 1, lengths)).astype(np.float16).astype(np.float32)


def write_shards(folder: Path, rows: NDArray[Any], sizes: Sequence[int]) -> VectorShards:
    """The rows divided into files of these sizes, which have to add up."""
    assert sum(sizes) == len(rows)
    paths, start = [], 0
    for number, size in enumerate(sizes):
        paths.append(folder / f"vectors-{number:03d}.npy")
        write_vectors(paths[-1], rows[start : start + size])
        start += size
    return VectorShards(paths)
