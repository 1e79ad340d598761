"""Documents of two languages that carry keys, joined where the keys are equal.

The target side is read first: its texts wait in a file without a name on disk, and memory holds a
key and a number for each (about 150 bytes). Then the source side is read and pairs come out in its
order. Of several records with one key the first counts, on either side.
"""

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from megatron_crossic.data.records import Document, Origin, Pair
from megatron_crossic.jsonl import to_json_line

Key = int | str

NO_KEY = "no_key"
REPEATED_KEY = "repeated_key"
NO_PARTNER = "no_partner"
EMPTY_TEXT = "empty_text"
TOO_SHORT = "too_short"
PARTNER_UNUSABLE = "partner_unusable"

UNUSABLE = -1
USED = -2
"""What stands for the place of a text that is not, or no longer, to be had."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Keyed:
    """A document and what it is joined by."""

    key: Key | None
    document: Document
    provenance: Mapping[str, Any] = field(default_factory=dict)


@dataclass(kw_only=True, slots=True)
class KeyedSide:
    """What became of the records of one side; those read are the pairs and the drops."""

    num_read: int = 0
    num_characters: int = 0
    """Of the texts in pairs."""
    drops: Counter[str] = field(default_factory=Counter)


class KeyedPairs:
    """One join, with its account."""

    def __init__(self, *, min_characters: int, origin: Origin, licence: str) -> None:
        self._min_characters = min_characters
        self._origin = origin
        self._licence = licence
        self.num_pairs = 0
        self.source = KeyedSide()
        self.target = KeyedSide()

    def pairs(
        self, source: Iterable[Keyed], target: Iterable[Keyed], *, folder: Path
    ) -> Iterator[Pair]:
        """Yield the pairs in the order of the source; `folder` is where target texts wait."""
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as store:
            places = self._store(target, store)
            for each in source:
                self.source.num_read += 1
                place = self._place(each, places)
                if place is not None:
                    store.seek(place)
                    yield self._pair(each, orjson.loads(store.readline()))
        self.target.drops[NO_PARTNER] += sum(place >= 0 for place in places.values())
        for side in (self.source, self.target):
            lost = side.num_read - self.num_pairs - side.drops.total()
            assert lost == 0, f"{lost} records are neither paired nor dropped"

    def _store(self, target: Iterable[Keyed], store: BinaryIO) -> dict[Key, int]:
        """Key -> where its document lies in `store`, or `UNUSABLE`."""
        places: dict[Key, int] = {}
        for each in target:
            self.target.num_read += 1
            if each.key is None or each.key in places:
                self.target.drops[NO_KEY if each.key is None else REPEATED_KEY] += 1
            elif reason := self._reason(each.document):
                self.target.drops[reason] += 1
                places[each.key] = UNUSABLE
            else:
                places[each.key] = store.tell()
                store.write(to_json_line(_to_json(each)))
        return places

    def _place(self, each: Keyed, places: dict[Key, int]) -> int | None:
        """Where the partner of a source document lies; None, with its reason, where it is none."""
        place = None if each.key is None else places.get(each.key)
        reason = self._reason(each.document)
        if each.key is None:
            reason = NO_KEY
        elif place == USED:
            reason = REPEATED_KEY
        elif place is None:
            reason = NO_PARTNER
        elif place >= 0:
            places[each.key] = USED
            self.target.drops[PARTNER_UNUSABLE] += bool(reason)
        else:
            reason = reason or PARTNER_UNUSABLE
        if reason:
            self.source.drops[reason] += 1
            return None
        return place

    def _reason(self, document: Document) -> str:
        """Why a text cannot be used; empty where it can."""
        if not document.text.strip():
            return EMPTY_TEXT
        return TOO_SHORT if len(document.text) < self._min_characters else ""

    def _pair(self, source: Keyed, target: dict[str, Any]) -> Pair:
        document = Document(**target["document"])
        self.num_pairs += 1
        self.source.num_characters += len(source.document.text)
        self.target.num_characters += len(document.text)
        provenance = {"source": dict(source.provenance), "target": target["provenance"]}
        return Pair(
            id=f"{source.document.id}-{document.id}",
            source=source.document,
            targets=(document,),
            origin=self._origin,
            provenance={k: v for k, v in provenance.items() if v}
            | ({"licence": self._licence} if self._licence else {}),
        )


def _to_json(each: Keyed) -> dict[str, Any]:
    names = ("id", "language", "title", "text")
    document = {name: getattr(each.document, name) for name in names}
    return {"document": document, "provenance": dict(each.provenance)}
