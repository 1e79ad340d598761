"""Some pairs of a file by chance, in one pass over it, each pair as likely as any other."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from megatron_crossic.data.records import Pair
from megatron_crossic.inspection.documents import ShownDocument, link_of, show_document
from megatron_crossic.inspection.facts import Fact, facts
from megatron_crossic.inspection.marks import visible_line

T = TypeVar("T")


class Reservoir(Generic[T]):
    """A uniform sample of a stream of unknown length (algorithm R); the same for the same seed."""

    def __init__(self, size: int, *, seed: str) -> None:
        self._size = size
        self._random = random.Random(seed)
        self._seen = 0
        self._kept: list[tuple[int, T]] = []

    def offer(self, make: Callable[[], T]) -> None:
        """Take the next item of the stream, or not; `make` is called only for one that is taken."""
        place = len(self._kept)
        if place == self._size:
            place = self._random.randrange(self._seen + 1)
        if place < self._size:
            self._kept[place : place + 1] = [(self._seen, make())]
        self._seen += 1

    def items(self) -> list[tuple[int, T]]:
        """What was kept with its number in the stream, from 0 and in order."""
        return sorted(self._kept, key=lambda numbered: numbered[0])


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownPair:
    """A pair as a person reads it."""

    id: str
    documents: tuple[ShownDocument, ...]
    """Source first."""
    licence: str
    """Empty where none is known."""
    facts: tuple[Fact, ...]


def show_pair(pair: Pair, *, paragraphs: int, characters: int) -> ShownPair:
    """The first paragraphs of each document, at most so many characters of it."""
    licence = pair.provenance.get("licence") or pair.provenance.get("license") or ""
    known = {"origin": pair.origin, "score": pair.score, "provenance": pair.provenance}
    names = ["source"] if not pair.targets else ["source", "target"]
    sides = [_side(pair, name) for name in names] + [None] * len(pair.targets[1:])
    return ShownPair(
        id=visible_line(pair.id),
        documents=tuple(
            show_document(document, link_of(side), paragraphs=paragraphs, characters=characters)
            for document, side in zip(pair.documents, sides, strict=True)
        ),
        licence=visible_line(licence) if isinstance(licence, str) else "",
        facts=tuple(facts(known)),
    )


def _side(pair: Pair, name: str) -> Any:
    """What is known about a document; a mined source is as its best passage says."""
    passages = pair.provenance.get("passages")
    if name == "source" and name not in pair.provenance and isinstance(passages, list):
        return next(iter(passages), None)
    return pair.provenance.get(name)
