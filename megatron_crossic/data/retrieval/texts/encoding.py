"""Input files -> vectors on disk, segment by segment, by many processes or machines.

    corpus segment ─► documents ─► passages ─► vectors, places
    target segment ─► documents ─► title, keywords, whole text ─► vectors by view, places

A text that the encoder knows nothing of has no vector: such passages are left out under
`no_known_word`, such documents stay, so that they are counted among those without a candidate.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.inputs import Block
from megatron_crossic.data.pairs import placed_pairs
from megatron_crossic.data.records import Document, Pair
from megatron_crossic.data.retrieval.encoders.encoder import Encoder, Purpose
from megatron_crossic.data.retrieval.options import MiningOptions
from megatron_crossic.data.retrieval.texts.passages import cut_passages
from megatron_crossic.data.retrieval.texts.queries import QueryTexts
from megatron_crossic.data.retrieval.texts.vectors_folder import Role, VectorsFolder, to_places
from megatron_crossic.errors import DataError

BATCH_TEXTS = 1024
"""Texts that are encoded together: their features take 100 MB at 1,000 characters each."""

EMPTY_TEXT = "empty_text"
OTHER_LANGUAGE = "other_language"
NO_KNOWN_WORD = "no_known_word"


@dataclass(frozen=True, kw_only=True, slots=True)
class EncodingTask:
    """One segment of the corpus or of the targets."""

    role: Role
    number: int
    blocks: Sequence[tuple[int, Block]]
    """Number of the input file, and a block of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a record is."""

    file: int
    block: int
    record: int


class TextEncoding:
    """What a process does with a segment."""

    def __init__(
        self,
        encoder: Encoder,
        options: MiningOptions,
        folder: VectorsFolder,
        queries: QueryTexts,
    ) -> None:
        self._encoder = encoder
        self._options = options
        self._folder = folder
        self._queries_of = queries

    def __call__(self, task: EncodingTask) -> None:
        if task.role == "passages":
            self._passages(task)
        else:
            self._queries(task)

    def _passages(self, task: EncodingTask) -> None:
        language = self._options.corpus_language
        drops: Counter[str] = Counter()
        rows, texts, found = [], [], []
        num_records = num_characters = 0
        for place, pair in placed_texts(task.blocks, language):
            num_records += 1
            document = pair.source
            passages = []
            if document.language != language:
                drops[OTHER_LANGUAGE] += 1
            else:
                size = self._options.passage_characters
                passages = cut_passages(document.text, characters=size, language=language)
                drops[EMPTY_TEXT] += not passages
            for passage in passages:
                rows.append((place.file, place.block, place.record, passage.start, passage.stop))
                texts.append(passage.text)
                num_characters += len(passage.text)
                if len(texts) >= BATCH_TEXTS:
                    found.append(self._encode(texts, language, "passage", task))
                    texts = []
        found.append(self._encode(texts, language, "passage", task))
        vectors = np.concatenate(found)
        known = vectors.any(axis=1)
        drops[NO_KNOWN_WORD] += int((~known).sum())
        self._folder.write(
            "passages",
            task.number,
            vectors={"": vectors[known]},
            places=to_places(rows)[known],
            account={
                "num_records": num_records,
                "num_characters": num_characters,
                "drops": {reason: n for reason, n in drops.items() if n},
            },
        )

    def _queries(self, task: EncodingTask) -> None:
        rows: list[tuple[int, int, int, int, int]] = []
        views: dict[str, list[NDArray[np.float16]]] = {
            view: [] for view in self._options.view_names
        }
        batch: list[Document] = []
        num_characters = 0
        for place, pair in placed_texts(task.blocks, self._options.target_language):
            document = pair.documents[-1]
            rows.append((place.file, place.block, place.record, 0, 0))
            num_characters += len(document.text)
            if batch and (len(batch) >= BATCH_TEXTS or document.language != batch[0].language):
                self._add_queries(batch, views, task)
                batch = []
            batch.append(document)
        self._add_queries(batch, views, task)
        self._folder.write(
            "queries",
            task.number,
            vectors={view: np.concatenate(found) for view, found in views.items()},
            places=to_places(rows),
            account={"num_records": len(rows), "num_characters": num_characters, "drops": {}},
        )

    def _add_queries(
        self,
        batch: Sequence[Document],
        views: Mapping[str, list[NDArray[np.float16]]],
        task: EncodingTask,
    ) -> None:
        for view, found in views.items():
            texts = [self._queries_of.query(view, document) for document in batch]
            language = batch[0].language if batch else ""
            found.append(self._encode(texts, language, "query", task))

    def _encode(
        self, texts: Sequence[str], language: str, purpose: Purpose, task: EncodingTask
    ) -> NDArray[np.float16]:
        """Vectors of the texts as they are written, zeros for those that are empty."""
        vectors = np.zeros((len(texts), self._encoder.dimension), dtype=np.float32)
        there = [number for number, text in enumerate(texts) if text.strip()]
        if there:
            given = [texts[number] for number in there]
            vectors[there] = self._encoder.encode(given, language=language, purpose=purpose)
        bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if len(bad):
            raise DataError(
                f"vectors must be finite numbers, got NaN or infinity from {self._encoder.name} "
                f"for {len(bad)} texts of {task.role} segment {task.number}, the first beginning "
                f"{texts[bad[0]][:60]!r}. Use another encoder or number format."
            )
        return vectors.astype(np.float16)


def placed_texts(
    blocks: Sequence[tuple[int, Block]], language: str | None
) -> Iterator[tuple[Place, Pair]]:
    """Pairs, or documents (pairs without targets) where a language is given, and their places."""
    for file, block in blocks:
        of_documents = language is not None
        for record, pair in placed_pairs(block, of_documents=of_documents, language=language):
            yield Place(file=file, block=block.start, record=record), pair
