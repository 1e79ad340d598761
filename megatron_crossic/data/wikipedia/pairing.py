"""Cleaned articles of two wikis become pairs, in the order of the source dump.

The articles in the work folder are JSON already: a pair is put together from their bytes.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np
import orjson
from numpy.typing import NDArray

from megatron_crossic.data.wikipedia.articles import SEPARATOR, SegmentAccount, article_id
from megatron_crossic.data.wikipedia.work import Task, WorkFolder
from megatron_crossic.files import unreadable

NOT_IN_DUMP = "not_in_dump"
PARTNER_UNUSABLE = "partner_unusable"

Ints = NDArray[np.int64]

OnSegment = Callable[[int], None]
"""Called with the bytes of a segment that was just paired."""


@dataclass(kw_only=True, slots=True)
class SideArticles:
    """What became of the articles of one wiki that have a partner."""

    language: str
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

    def take(self, account: SegmentAccount) -> Ints:
        """Take note of a segment.

        Returns which of `ids` its articles are, -1 for one that was in the dump before.
        """
        places = self._take(account.page_ids)
        self._is_usable[places[places >= 0]] = True
        for reason, page_ids in account.dropped.items():
            self.drops[reason] += int((self._take(page_ids) >= 0).sum())
        return places

    def _take(self, page_ids: Sequence[int]) -> Ints:
        wanted = np.array(page_ids, dtype=np.int64)
        places = self._order[np.searchsorted(self.ids, wanted, sorter=self._order)]
        is_first = np.zeros(len(places), dtype=bool)
        is_first[np.unique(places, return_index=True)[1]] = True
        is_first &= ~self._is_seen[places]
        self._is_seen[places] = True
        self.repeated += int((~is_first).sum())
        return np.where(is_first, places, -1)

    def settle(self, partners: "SideArticles") -> None:
        """Count what is neither paired nor dropped by now."""
        self.drops[NOT_IN_DUMP] = int((~self._is_seen).sum())
        self.drops[PARTNER_UNUSABLE] = int((self._is_usable & ~partners._is_usable).sum())


@dataclass(kw_only=True, slots=True)
class Pairing:
    """Looks up where each target article is, then reads the sources."""

    folder: WorkFolder
    segments: Mapping[Task, SegmentAccount]
    """In the order of the dumps."""
    source: SideArticles
    target: SideArticles
    licence: str
    num_pairs: int = 0

    def lines(self, on_segment: OnSegment) -> Iterator[bytes]:
        """Yield every pair both articles of which are usable; then the account is complete."""
        targets = self._targets()
        licence = orjson.dumps(self.licence)
        for task, account in self._of("source"):
            with self._open(task) as file:
                places = self.source.take(account).tolist()
                for k, i in enumerate(places):
                    if i < 0 or targets.tasks[i] is None:
                        continue
                    source = _read(file, account.offsets[k])
                    target = self._target(targets, i)
                    self.num_pairs += 1
                    self.source.characters += account.characters[k]
                    self.target.characters += int(targets.characters[i])
                    yield _pair_line(self._id(i), source, target, licence=licence)
            on_segment(task.segment.num_bytes)
        self.source.settle(self.target)
        self.target.settle(self.source)

    def _of(self, side: str) -> list[tuple[Task, SegmentAccount]]:
        return [each for each in self.segments.items() if each[0].side == side]

    def _open(self, task: Task) -> BinaryIO:
        path = self.folder.articles(task)
        try:
            return path.open("rb")
        except OSError as error:
            raise unreadable(path, error) from error

    def _targets(self) -> "_Targets":
        found = _Targets(len(self.target.ids))
        for task, account in self._of("target"):
            places = self.target.take(account)
            for k, i in enumerate(places.tolist()):
                if i >= 0:
                    found.tasks[i] = task
                    found.offsets[i] = account.offsets[k]
                    found.characters[i] = account.characters[k]
        return found

    def _target(self, targets: "_Targets", i: int) -> tuple[bytes, bytes]:
        task = targets.tasks[i]
        assert task is not None, "asked for only where there is one"
        with self._open(task) as file:
            return _read(file, int(targets.offsets[i]))

    def _id(self, i: int) -> str:
        names = [article_id(side.language, int(side.ids[i])) for side in (self.source, self.target)]
        return "-".join(names)


class _Targets:
    """Where each target article is."""

    def __init__(self, num_articles: int) -> None:
        self.tasks: list[Task | None] = [None] * num_articles
        self.offsets = np.zeros(num_articles, dtype=np.int64)
        self.characters = np.zeros(num_articles, dtype=np.int64)


def _read(file: BinaryIO, offset: int) -> tuple[bytes, bytes]:
    """The document and the provenance of an article, as JSON."""
    file.seek(offset)
    document, _, provenance = file.readline().rstrip().partition(SEPARATOR)
    return document, provenance


def _pair_line(
    pair_id: str, source: tuple[bytes, bytes], target: tuple[bytes, bytes], *, licence: bytes
) -> bytes:
    """What `to_json_line(pair_to_json(pair))` gives."""
    return b"".join(
        (
            *(b'{"id":', orjson.dumps(pair_id)),
            *(b',"source":', source[0], b',"target":', target[0]),
            b',"origin":"langlink","score":null,"provenance":',
            *(b'{"source":', source[1], b',"target":', target[1]),
            *(b',"licence":', licence, b"}}\n"),
        )
    )
