"""Cleaned articles of two wikis become pairs, in the order of the source dump."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from megatron_crossic.data.records import Document, Pair
from megatron_crossic.data.wikipedia.work import Task, WorkFolder

NOT_IN_DUMP = "not_in_dump"
PARTNER_UNUSABLE = "partner_unusable"

Ints = NDArray[np.int64]

OnSegment = Callable[[int], None]
"""Called with the bytes of a segment that was just paired."""


@dataclass(kw_only=True, slots=True)
class SideArticles:
    """What became of the articles of one wiki that have a partner."""

    ids: Ints
    """Page ids; article i of one wiki is the partner of article i of the other."""
    drops: Counter[str] = field(default_factory=Counter)
    """By the reason of their own."""
    repeated: int = 0
    """Pages that were in the dump before."""
    characters: int = 0
    """Of the texts in pairs."""
    _is_seen: NDArray[np.bool_] = field(init=False)
    _is_usable: NDArray[np.bool_] = field(init=False)
    _order: Ints = field(init=False)

    def __post_init__(self) -> None:
        self._is_seen = np.zeros(len(self.ids), dtype=bool)
        self._is_usable = np.zeros(len(self.ids), dtype=bool)
        self._order = np.argsort(self.ids)

    def place(self, record: dict[str, Any]) -> int | None:
        """Which article a record is; None where it is none to go on with."""
        page_id = record["page_id"]
        i = int(self._order[np.searchsorted(self.ids, page_id, sorter=self._order)])
        if self._is_seen[i]:
            self.repeated += 1
            return None
        self._is_seen[i] = True
        if reason := record.get("drop"):
            self.drops[reason] += 1
            return None
        self._is_usable[i] = True
        return i

    def settle(self, partners: "SideArticles") -> None:
        """Count what is neither paired nor dropped by now."""
        self.drops[NOT_IN_DUMP] = int((~self._is_seen).sum())
        self.drops[PARTNER_UNUSABLE] = int((self._is_usable & ~partners._is_usable).sum())


@dataclass(kw_only=True, slots=True)
class Pairing:
    """Reads the work folder: first where each target article is, then the sources."""

    folder: WorkFolder
    tasks: Sequence[Task]
    source: SideArticles
    target: SideArticles
    licence: str
    num_pairs: int = 0

    def pairs(self, on_segment: OnSegment) -> Iterator[Pair]:
        """Yield every pair both articles of which are usable; then the account is complete."""
        files, offsets = self._target_places()
        for task in self._of("source"):
            for _, record in self.folder.records(task):
                i = self.source.place(record)
                if i is None or files[i] < 0:
                    continue
                with self.folder.articles(self.tasks[files[i]]).open("rb") as file:
                    file.seek(offsets[i])
                    target = orjson.loads(file.readline())
                self.num_pairs += 1
                self.source.characters += len(record["text"])
                self.target.characters += len(target["text"])
                yield self._pair(record, target)
            on_segment(task.segment.num_bytes)
        self.source.settle(self.target)
        self.target.settle(self.source)

    def _of(self, side: str) -> list[Task]:
        return [task for task in self.tasks if task.side == side]

    def _target_places(self) -> tuple[Ints, Ints]:
        """Of each target article the index of its task and its first byte; -1 for none."""
        files = np.full(len(self.target.ids), -1)
        offsets = np.full(len(self.target.ids), -1)
        for number, task in enumerate(self.tasks):
            if task.side != "target":
                continue
            for offset, record in self.folder.records(task):
                i = self.target.place(record)
                if i is not None:
                    files[i], offsets[i] = number, offset
        return files, offsets

    def _pair(self, source: dict[str, Any], target: dict[str, Any]) -> Pair:
        return Pair(
            id=f"{source['id']}-{target['id']}",
            source=_document(source),
            targets=(_document(target),),
            origin="langlink",
            provenance={
                "source": source["provenance"],
                "target": target["provenance"],
                "licence": self.licence,
            },
        )


def _document(article: dict[str, Any]) -> Document:
    return Document(**{key: article[key] for key in ("id", "language", "title", "text")})
