"""The step `search`: candidates of every segment of documents, and their margins over all.

candidates-00003.npy   of a segment, without margin
nearest/               vectors of all documents at unit length, and their index
candidates.npy         of all, with margin
candidates.json        comes last
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from megatron_crossic.data.retrieval.encoders.encoder import unit_rows
from megatron_crossic.data.retrieval.index.build import build_index
from megatron_crossic.data.retrieval.index.index import Index, open_index
from megatron_crossic.data.retrieval.index.options import IndexOptions
from megatron_crossic.data.retrieval.index.vectors import Vectors, VectorShards, write_vectors
from megatron_crossic.data.retrieval.options import MiningOptions
from megatron_crossic.data.retrieval.run_settings import RunSettings
from megatron_crossic.data.retrieval.selection.candidates import (
    Candidates,
    NearestDocuments,
    add_margins,
    candidate_type,
    combined,
    find_candidates,
)
from megatron_crossic.data.retrieval.selection.margin import NEIGHBOURS, mean_of_neighbours
from megatron_crossic.data.retrieval.texts.vectors_folder import VectorsFolder
from megatron_crossic.errors import DataError
from megatron_crossic.files import atomic_output, write_text_atomically

EXACT_DOCUMENTS = 100_000
"""Up to so many documents, passages look for their nearest among all of them; with more through an
index: 100,000 passages among 100,000 documents take 8 TFLOP, a minute on two cores."""
PASSAGE_BATCH = 16_384

RESULT = "candidates.npy"
DONE = "candidates.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """Finds the candidates of one set of options, in one folder."""

    options: MiningOptions
    vectors: VectorsFolder
    folder: Path
    encoder: str
    """Fingerprint."""
    settings: RunSettings

    def run(self, index: Index) -> Candidates | None:
        """All candidates, once the shares are there; None after a share."""
        passages = self.vectors.shards("passages")
        num_segments = self.vectors.num_segments()["queries"]
        first = 0
        for number in range(num_segments):
            if self.settings.is_ours(number) and self._found(number) is None:
                found = find_candidates(
                    self._views(number),
                    self.options.weights,
                    index=index,
                    passages=passages,
                    neighbours=self.options.neighbours,
                    keep=self.options.candidates,
                    first=first,
                )
                write_array(self._segment(number), found)
            first += len(self._shards(number)[self.options.view_names[0]])
            self.settings.show("search", number + 1, num_segments)
        if self.settings.shard is not None:
            return None
        return self._finish(num_segments, passages)

    def _finish(self, num_segments: int, passages: VectorShards) -> Candidates:
        found = [self._found(number) for number in range(num_segments)]
        whole = np.concatenate([each for each in found if each is not None])
        lengths, documents = self._documents(num_segments)
        nearest = self._nearest(np.unique(whole["passage"]), documents, passages)
        add_margins(whole, lengths=lengths, nearest=nearest)
        write_array(self.folder / RESULT, whole)
        num_bytes = (self.folder / RESULT).stat().st_size
        account = {"candidates": len(whole), "documents": len(lengths), "num_bytes": num_bytes}
        write_text_atomically(self.folder / DONE, orjson.dumps(account).decode())
        return whole

    def _documents(self, num_segments: int) -> tuple[NDArray[np.float32], VectorShards]:
        """The vector of each document, all views together: its length, and at unit length."""
        lengths, paths = [], []
        for number in range(num_segments):
            vectors = combined(self._views(number), self.options.weights)
            lengths.append(np.linalg.norm(vectors, axis=1).astype(np.float32))
            paths.append(self.folder / "nearest" / f"documents-{number:05d}.npy")
            write_vectors(paths[-1], unit_rows(vectors))
        return np.concatenate(lengths), VectorShards(paths)

    def _nearest(
        self, numbers: NDArray[np.int64], documents: VectorShards, passages: VectorShards
    ) -> NearestDocuments:
        """How near each of these passages is to its nearest documents."""
        kind = IndexOptions(kind="exact" if len(documents) <= EXACT_DOCUMENTS else "ivf")
        folder = self.folder / "nearest"
        build_index(folder, documents, kind, encoder=self.encoder, threads=self.settings.threads)
        index = open_index(folder, documents, encoder=self.encoder, threads=self.settings.threads)
        means = [np.zeros(0)]
        for start in range(0, len(numbers), PASSAGE_BATCH):
            batch = passages.rows(numbers[start : start + PASSAGE_BATCH])
            means.append(mean_of_neighbours(index.search(batch, NEIGHBOURS).scores))
            self.settings.show("margin", start + len(batch), len(numbers))
        return NearestDocuments(passages=numbers, means=np.concatenate(means))

    def _views(self, number: int) -> Mapping[str, Vectors]:
        shards = self._shards(number)
        return {view: shard.rows(np.arange(len(shard))) for view, shard in shards.items()}

    def _shards(self, number: int) -> Mapping[str, VectorShards]:
        """The vectors of a segment by view, not read yet."""
        return {
            view: VectorShards([self.vectors.vectors_path("queries", number, view)])
            for view in self.options.view_names
        }

    def _found(self, number: int) -> Candidates | None:
        """The candidates of a segment, memory-mapped; None where it is not done or damaged."""
        try:
            found = np.load(self._segment(number), mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        is_ours = found.dtype == candidate_type(len(self.options.view_names))
        return np.asarray(found) if is_ours else None

    def _segment(self, number: int) -> Path:
        return self.folder / f"candidates-{number:05d}.npy"


def sample_queries(
    options: MiningOptions, vectors: VectorsFolder, *, count: int, seed: int
) -> Vectors:
    """Documents as they are searched for, to measure the index with; none that say nothing."""
    sampled = {
        view: vectors.shards("queries", view).sample(count, seed=seed)
        for view in options.view_names
    }
    queries = unit_rows(combined(sampled, options.weights))
    return np.asarray(queries[queries.any(axis=1)])


def is_finished(folder: Path) -> bool:
    """Whether all candidates are there, as many bytes as were written."""
    try:
        account = orjson.loads((folder / DONE).read_bytes())
        return bool((folder / RESULT).stat().st_size == account["num_bytes"])
    except (OSError, ValueError, TypeError, KeyError):
        return False


def read_candidates(folder: Path, num_views: int) -> Candidates:
    """What a finished search left; `DataError` where it is not finished or damaged."""
    try:
        if not is_finished(folder):
            raise ValueError("the search is not finished, or they were cut off")
        found = np.load(folder / RESULT, allow_pickle=False)
        if found.dtype != candidate_type(num_views):
            raise ValueError("of other views")
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            f"candidates must be whole, got {folder}: {error}. Run the step search (again)."
        ) from error
    return np.asarray(found)


def write_array(path: Path, array: NDArray[Any]) -> None:
    """An `.npy` file, whole or not at all."""
    with atomic_output(path) as file:
        npy_format.write_array(file, array, allow_pickle=False)
