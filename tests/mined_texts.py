"""Candidates and their texts for the tests of selection."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.records import Document, Pair
from megatron_crossic.data.retrieval.selection.options import SelectionOptions
from megatron_crossic.data.retrieval.selection.selection import Selection, select

VIEWS = ("title", "keywords")


def make_candidates(rows: Sequence[tuple[int, int, float]]) -> NDArray[np.void]:
    """Candidates of (query, passage, margin); the similarity is half the margin."""
    kind = [
        ("query", "u4"), ("passage", "i8"), ("score", "f4"), ("margin", "f4"), ("views", "f4", (2,))
    ]  # fmt: skip
    made = np.zeros(len(rows), dtype=kind)
    for i, (query, passage, margin) in enumerate(rows):
        made[i] = (query, passage, margin / 2, margin, (margin / 2, margin / 4))
    return made


def words(seed: int, count: int = 60) -> str:
    """A text of words that no other seed has."""
    return " ".join(f"w{seed}x{i}" for i in range(count))


def passage(text: str, *, document: str = "web:1", language: str = "en") -> Document:
    return Document(language=language, title="Bees", text=text, id=f"{document}#0-{len(text)}")


def linked(target: str, *, source: str = "unlike anything", language: str = "es") -> Pair:
    """A target text and the English article it is linked to."""
    return Pair(
        id="enwiki:1-eswiki:2",
        source=Document(language="en", title="Bee", text=source, id="enwiki:1"),
        targets=(Document(language=language, title="Abeja", text=target, id="eswiki:2"),),
        origin="langlink",
        provenance={"target": {"url": "https://es.example/2"}, "licence": "CC BY-SA 4.0"},
    )


def alone(target: str, *, language: str = "es") -> Pair:
    """A target text that is linked to nothing."""
    document = Document(language=language, title="Abeja", text=target, id="crawl:7")
    return Pair(id="crawl:7", source=document, targets=(), provenance={"url": "https://a.example"})


@dataclass(frozen=True)
class ListedTexts:
    """Passages and targets in lists."""

    passages: Sequence[Document]
    targets: Sequence[Pair]

    def passage(self, number: int) -> Document:
        return self.passages[number]

    def provenance(self, number: int) -> Mapping[str, Any]:
        return {"url": f"https://en.example/{number}"}

    def target(self, query: int) -> Pair:
        return self.targets[query]


def distinct_texts(num_documents: int, num_passages: int) -> ListedTexts:
    """Texts that give no reason against any candidate."""
    return ListedTexts(
        passages=[passage(words(i), document=f"web:{i}") for i in range(num_passages)],
        targets=[linked(words(1000 + i)) for i in range(num_documents)],
    )


def select_from(
    rows: Sequence[tuple[int, int, float]], texts: ListedTexts, options: SelectionOptions
) -> Selection:
    return select(
        make_candidates(rows),
        texts,
        options,
        num_documents=len(texts.targets),
        languages=("en", "es"),
        views=VIEWS,
    )
