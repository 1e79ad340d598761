"""Vectors in, an index of them out: in one go, by several jobs, or going on after a kill.

Each job builds the parts that are its share (`shard=(2, 8)`: the parts 2, 10, 18, …) and are not
there yet. A run without a share builds what is missing, measures recall and writes the manifest.
"""

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from megatron_crossic.data.retrieval.index.exact import Progress, no_progress
from megatron_crossic.data.retrieval.index.folder import (
    KIND,
    TRAINED,
    IndexFolder,
    identity,
    trained_path,
)
from megatron_crossic.data.retrieval.index.index import Index, OpenParts, open_parts
from megatron_crossic.data.retrieval.index.options import IndexOptions
from megatron_crossic.data.retrieval.index.parts import (
    FaissIndex,
    Turned,
    checked_blocks,
    graph_part,
    ivf_part,
    read_index,
    train_index,
    turned,
)
from megatron_crossic.data.retrieval.index.plan import IndexPlan, plan_index
from megatron_crossic.data.retrieval.index.recall import choose_probes
from megatron_crossic.data.retrieval.index.vectors import Vectors, VectorShards, check_vectors
from megatron_crossic.data.retrieval.libraries import limited_threads, load_faiss
from megatron_crossic.errors import ConfigError
from megatron_crossic.files import FileFingerprint
from megatron_crossic.manifest import Manifest


def build_index(
    folder: Path,
    shards: VectorShards,
    options: IndexOptions,
    *,
    encoder: str,
    shard: tuple[int, int] | None = None,
    progress: Progress = no_progress,
    queries: Vectors | None = None,
    threads: int | None = None,
    on_warning: Callable[[str], None] = lambda _message: None,
) -> Manifest | None:
    """Build an index or a share of it; the manifest, or None where that is left to the last run.

    `encoder` is its fingerprint. Recall is measured with `queries`, float32 [q, d], else with some
    of the vectors, which are easier: real queries lie farther from what they look for. Progress
    counts vectors: added, and then compared with the queries.
    """
    plan = plan_index(len(shards), shards.dimension, options)
    if plan.kind != "exact":
        load_faiss()
    of = identity(plan, shards, encoder)
    build = _Build(IndexFolder(folder, of), shards, plan, progress)
    with limited_threads(threads):
        earlier = build.folder.complete()
        if earlier and _is_same(earlier, options, queries):
            return earlier
        build.parts(shard)
        if shard is not None:
            return None
        return build.finish(options, of, queries, on_warning)


def train_only(
    folder: Path, shards: VectorShards, options: IndexOptions, *, encoder: str, threads: int | None
) -> None:
    """The part of `build_index` that comes first, so that jobs do not all do the same."""
    plan = plan_index(len(shards), shards.dimension, options)
    of = identity(plan, shards, encoder)
    with limited_threads(threads):
        _Build(IndexFolder(folder, of), shards, plan, no_progress).trained()


class _Build:
    """One run."""

    def __init__(
        self, folder: IndexFolder, shards: VectorShards, plan: IndexPlan, progress: Progress
    ) -> None:
        self.folder = folder
        self._shards = shards
        self._plan = plan
        self._progress = progress
        self._reader: Turned | None = None

    def trained(self) -> str:
        """Digest of the trained file, which is there afterwards; empty where none is needed."""
        if self._plan.kind != "ivf":
            return ""
        if (file := self.folder.trained()) is None:
            sample = self._shards.sample(self._plan.sample, seed=self._plan.seed)
            check_vectors(sample, where="the sample for training")
            self.folder.write_trained(train_index(sample, self._plan))
            file = self.folder.trained()
            assert file is not None, "it was written above"
        return file.sha256

    def parts(self, shard: tuple[int, int] | None) -> None:
        """Build this job's parts; for an exact index, look at all vectors."""
        if self._plan.kind == "exact":
            if shard is None:
                self._check_all()
            return
        first, step = shard or (0, 1)
        if not 0 <= first < step:
            raise ConfigError(f"shard must be I/N with I below N, got {first}/{step}. Use 0/8.")
        trained_with = self.trained()
        for number in range(first, self._plan.num_parts, step):
            if self.folder.part(number, trained_with=trained_with) is None:
                self.folder.write_part(number, self._part(number), trained_with=trained_with)
            self._report(self._plan.part_range(number)[1])

    def finish(
        self,
        options: IndexOptions,
        of: dict[str, Any],
        queries: Vectors | None,
        on_warning: Callable[[str], None],
    ) -> Manifest:
        """Measure and write the manifest."""
        files = self._files()
        index = self._open(options)
        asked = self._shards.sample(options.recall_queries, seed=options.seed + 1)
        recall = choose_probes(
            index,
            self._shards,
            asked if queries is None else queries,
            options,
            lambda done, total: self._progress(len(self._shards) + done, len(self._shards) + total),
        )
        if not recall.is_reached:
            on_warning(recall.warning())
        manifest = Manifest(
            kind=KIND,
            options=_shaping(options),
            counts={"vectors": len(self._shards), "parts": self._plan.num_parts},
            files=files,
            details={
                "identity": of,
                "recall": recall.for_manifest() | {"queries_sha256": _digest(queries)},
                "index_bytes": sum(file.num_bytes for file in files.values()),
                "vector_bytes": self._shards.num_bytes,
                "faiss": load_faiss().__version__ if files else "",
            },
        )
        return self.folder.finish(manifest)

    def _files(self) -> dict[str, FileFingerprint]:
        files = {}
        trained_with = self.trained()
        if trained := self.folder.trained() if trained_with else None:
            files[TRAINED] = trained
        for number in range(self._plan.num_parts):
            part = self.folder.part(number, trained_with=trained_with)
            assert part is not None, "all parts are there"
            files[f"part {number}"] = part
        return files

    def _open(self, options: IndexOptions) -> Index:
        opened = (
            OpenParts(parts=(), trained=None)
            if self._plan.kind == "exact"
            else open_parts(self.folder.path, self._plan)
        )
        return Index(
            self._plan, self._shards, opened, probes=options.probes or 1, rerank=options.rerank
        )

    def _part(self, number: int) -> FaissIndex:
        start, stop = self._plan.part_range(number)
        if self._plan.kind == "hnsw":
            return graph_part(self._plan, self._shards, start, stop, self._report)
        if self._reader is None:  # the centroids are read once for all parts
            self._reader = turned(read_index(trained_path(self.folder.path), mapped=False))
        return ivf_part(self._reader, self._shards, start, stop, self._report)

    def _check_all(self) -> None:
        for first, block in checked_blocks(self._shards):
            self._report(first + len(block))

    def _report(self, done: int) -> None:
        self._progress(done, 2 * len(self._shards))


def _is_same(earlier: Manifest, options: IndexOptions, queries: Vectors | None) -> bool:
    asked = earlier.details["recall"]["queries_sha256"]
    return bool(earlier.options == _shaping(options) and asked == _digest(queries))


def _digest(queries: Vectors | None) -> str:
    """Of the queries given; empty where vectors are taken."""
    return "" if queries is None else hashlib.sha256(queries.tobytes()).hexdigest()


def _shaping(options: IndexOptions) -> dict[str, Any]:
    """All options, as JSON gives them back."""
    return dataclasses.asdict(options)
