"""Some pairs of a file by chance, in one pass over it, each pair as likely as any other."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from megatron_crossic.data.records import Document, Pair
from megatron_crossic.inspection.facts import Fact, facts
from megatron_crossic.inspection.languages import Direction, direction
from megatron_crossic.inspection.marks import visible, visible_line

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
class ShownDocument:
    """The beginning of a document; every text has been made safe to show."""

    language: str
    direction: Direction
    title: str
    link: str | None
    """An https address of the page or revision it was made from."""
    paragraphs: tuple[str, ...]
    num_paragraphs: int
    """Of the whole document."""
    num_characters: int


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
    sides = [pair.provenance.get(name) for name in names] + [None] * len(pair.targets[1:])
    return ShownPair(
        id=visible_line(pair.id),
        documents=tuple(
            _show_document(document, _link(side), paragraphs=paragraphs, characters=characters)
            for document, side in zip(pair.documents, sides, strict=True)
        ),
        licence=visible_line(licence) if isinstance(licence, str) else "",
        facts=tuple(facts(known)),
    )


def _show_document(
    document: Document, link: str | None, *, paragraphs: int, characters: int
) -> ShownDocument:
    found = document.paragraphs()
    shown: list[str] = []
    left = characters
    for paragraph in found[:paragraphs]:
        if left <= 0:
            break
        cut = f"{paragraph[:left]}…" if len(paragraph) > left else paragraph
        shown.append(visible(cut))
        left -= len(paragraph)
    return ShownDocument(
        language=document.language,
        direction=direction(document.language),
        title=visible_line(document.title),
        link=link,
        paragraphs=tuple(shown),
        num_paragraphs=len(found),
        num_characters=len(document.text),
    )


def _link(side: Any) -> str | None:
    """The https address among what is known about a document, a revision's before a page's."""
    if not isinstance(side, Mapping):
        return None
    addresses = [fact for fact in facts(side) if is_https(fact)]
    addresses.sort(key=lambda fact: "revision" not in fact.name)
    return addresses[0].link if addresses else None


def is_https(fact: Fact) -> bool:
    """Whether a fact is an address that the report links to."""
    return (fact.link or "").startswith("https://")
