"""Made-up passages as vectors: topics, documents inside them, passages of a document in a row.

Topics have sizes as words have frequencies (the n-th is as large as the first one's n-th part), and
their directions matter unevenly: the spread of a coordinate falls with its number, as it does after
a singular value decomposition. Passages of a document are near each other, those of a topic less.
A query is a passage seen through another language: the same direction and noise.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.retrieval.index.vectors import VectorShards, write_vectors

PASSAGES_OF_DOCUMENT = 8
DECAY = 0.5
"""Spread of coordinate n is (n + 1)^-DECAY, so some dozens of 256 matter, as in real vectors."""
BLOCK_DOCUMENTS = 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class MadeUp:
    """How far passages scatter; lengths relative to the vector they scatter around."""

    dimension: int = 256
    topics: int = 4000
    document_noise: float = 1.0
    """Of a document around its topic: two of a topic have a cosine of 0.5."""
    passage_noise: float = 0.6
    """Of a passage around its document: two of a document have a cosine of 0.74."""
    query_noise: float = 0.7
    """Of a query around its passage: their cosine is 0.82."""
    seed: int = 0

    def write(self, folder: Path, num_vectors: int, *, shard_rows: int = 262_144) -> VectorShards:
        """All passages as shards."""
        rows, paths = np.zeros((0, self.dimension), dtype=np.float16), []
        for block in self._blocks(num_vectors):
            rows = np.concatenate((rows, block))
            while len(rows) >= shard_rows:
                paths.append(_write(folder, len(paths), rows[:shard_rows]))
                rows = rows[shard_rows:]
        if len(rows):
            paths.append(_write(folder, len(paths), rows))
        return VectorShards(paths)

    def queries(self, shards: VectorShards, count: int) -> NDArray[np.float32]:
        """Of passages by chance, float32 [count, d]."""
        generator = self._generator(1)
        passages = shards.rows(generator.integers(len(shards), size=count))
        return _unit(passages + self._noise(generator, count, self.query_noise))

    def _blocks(self, num_vectors: int) -> Iterator[NDArray[np.float16]]:
        generator = self._generator(0)
        topics = _unit(self._noise(generator, self.topics, 1.0))
        weights = 1 / np.arange(1, self.topics + 1)
        per_block = BLOCK_DOCUMENTS * PASSAGES_OF_DOCUMENT
        for start in range(0, num_vectors, per_block):
            which = generator.choice(self.topics, BLOCK_DOCUMENTS, p=weights / weights.sum())
            noise = self._noise(generator, len(which), self.document_noise)
            documents = np.repeat(_unit(topics[which] + noise), PASSAGES_OF_DOCUMENT, axis=0)
            passages = documents + self._noise(generator, len(documents), self.passage_noise)
            yield _unit(passages)[: num_vectors - start].astype(np.float16)

    def _noise(
        self, generator: np.random.Generator, count: int, length: float
    ) -> NDArray[np.float32]:
        spread = (np.arange(self.dimension) + 1.0) ** -DECAY
        spread *= length / np.linalg.norm(spread)
        noise = generator.standard_normal((count, self.dimension), dtype=np.float32)
        return noise * spread.astype(np.float32)

    def _generator(self, stream: int) -> np.random.Generator:
        return np.random.Generator(np.random.PCG64([self.seed, stream]))


def _unit(rows: NDArray[Any]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def _write(folder: Path, number: int, rows: NDArray[np.float16]) -> Path:
    path = folder / f"vectors-{number:05d}.npy"
    write_vectors(path, rows)
    return path
