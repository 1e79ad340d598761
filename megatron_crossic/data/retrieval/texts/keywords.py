"""What a document is about, in its own words: those frequent in it and rare elsewhere (TF-IDF).

A word weighs tf^0.7 * ln((1 + n) / (1 + df)): tf places in the document, found in df of the n
documents that the model has seen. Where no spaces part words, runs of characters stand in for them
(see `keyword_features`), most of which are pieces of words or the end of one and the beginning of
the next. Two rules make them words:

- Most documents with "การ" do not go on to "การใ", so there something ends. A run of which one
  character less is in more than twice as many documents is no keyword.
- Nearly all with "โครง" go on to "โครงก", and so on to "โครงการ" (project). A keyword grows to
  either side as long as that holds and most of its places in the document go on the same.

Words of Thai are still torn here and there; Japanese and Korean seldom. The shares below were
chosen by looking at what a few documents give, not by measuring what is found with them.

Measured, one thread: counting 4 MB/s, keywords 1 to 2 MB/s.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Self

import numpy as np

from megatron_crossic.data.hashing import Hashes
from megatron_crossic.data.retrieval.texts.keyword_features import (
    LONGEST,
    Features,
    Flags,
    Positions,
    features_of,
)

TF_POWER = 0.7
"""Between 1, where the commonest words win, and 0, where those do that occur once by chance."""
COHESION = 0.5
"""A character belongs to the ones beside it where so many of their documents have it too."""
JOINT = 0.2
"""Two that have no more of their documents in common are the end of one word and the beginning of
another."""
REACH = 0.7
"""A run grows where so many of its places in the document go on the same."""
LONGEST_KEYWORD = 20
"""Characters that a run grows to at most."""
MAX_FEATURES = 4_000_000
"""Document frequencies kept: 64 MB, three times that while more are counted."""

_MOST_PENDING = 2_000_000
_MOST_LOOKED_AT = 100
"""Features looked at for each keyword wanted; most are pieces of those already found."""

_NAMES_SOMETHING = re.compile(r"(?=.*[^\W\d_])(?:[^\u0e00-\u109f\u1780-\u17ff]|.{3})", re.DOTALL)
"""Has a letter, and in Thai and its relatives three characters: a syllable of two says little."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeywordModel:
    """How many documents of a language have each feature."""

    language: str
    num_texts: int
    features: Hashes
    """Sorted, each once. [v]"""
    document_frequency: Positions
    """[v]"""

    @classmethod
    def of(
        cls,
        texts: Iterable[str],
        *,
        language: str,
        max_texts: int = 50_000,
        max_features: int = MAX_FEATURES,
    ) -> Self:
        """Count the first `max_texts` texts. Beyond `max_features` the rarest are forgotten."""
        frequencies = _Frequencies(max_features)
        num_texts = 0
        for text in islice(texts, max_texts):
            frequencies.add(np.unique(features_of(text).hashes))
            num_texts += 1
        frequencies.settle()
        return cls(
            language=language,
            num_texts=num_texts,
            features=frequencies.features,
            document_frequency=frequencies.counts,
        )

    def keywords(self, text: str, count: int = 20) -> list[str]:
        """At most `count`, folded, the weightiest first; none is a part of another."""
        found = features_of(text)
        frequency = self._frequency(found.hashes)
        picker = _Picker(found, frequency)
        chosen: list[str] = []
        ranked = self._by_weight(found, frequency, picker.is_cohesive())
        for places, length in islice(ranked, count * _MOST_LOOKED_AT):
            keyword = picker.pick(places, length)
            if keyword and not any(keyword in other or other in keyword for other in chosen):
                chosen.append(keyword)
                if len(chosen) == count:
                    break
        return chosen

    def _by_weight(
        self, found: Features, frequency: Positions, usable: Flags
    ) -> Iterator[tuple[list[int], int]]:
        """Where each usable feature stands and its length, the weightiest feature first."""
        starts, lengths = found.starts[usable], found.lengths[usable]
        _, first, inverse, counts = np.unique(
            found.hashes[usable], return_index=True, return_inverse=True, return_counts=True
        )
        idf = np.log((1 + self.num_texts) / (1 + frequency[usable][first])).clip(0)
        # Little more than nothing where all documents have it: better than no keyword at all.
        weights = counts**TF_POWER * (idf + 1e-3)
        # Of as weighty ones the first in the text, and of those the longest.
        order = np.lexsort((-lengths[first], starts[first], -weights))
        by_feature = np.argsort(inverse, kind="stable")
        stops = np.cumsum(counts)
        for i in order.tolist():
            places = starts[by_feature[stops[i] - counts[i] : stops[i]]]
            yield places.tolist(), int(lengths[first[i]])

    def _frequency(self, hashes: Hashes) -> Positions:
        """Documents with each feature; one at least, since a text is asked about that has it."""
        if not len(self.features):
            return np.ones(len(hashes), dtype=np.int64)
        places = np.minimum(np.searchsorted(self.features, hashes), len(self.features) - 1)
        return np.where(self.features[places] == hashes, self.document_frequency[places], 1)


class _Frequencies:
    """Counts of sorted features; new ones are added many at a time."""

    def __init__(self, max_features: int) -> None:
        self._max_features = max_features
        self.features: Hashes = np.zeros(0, dtype=np.uint64)
        self.counts: Positions = np.zeros(0, dtype=np.int64)
        self._pending: list[Hashes] = []
        self._num_pending = 0

    def add(self, features: Hashes) -> None:
        self._pending.append(features)
        self._num_pending += len(features)
        if self._num_pending > _MOST_PENDING:
            self.settle()

    def settle(self) -> None:
        both = np.concatenate([self.features, *self._pending])
        counts = np.ones(len(both), dtype=np.int64)
        counts[: len(self.counts)] = self.counts
        self._pending, self._num_pending = [], 0
        self.features, places = np.unique(both, return_inverse=True)
        self.counts = np.zeros(len(self.features), dtype=np.int64)
        np.add.at(self.counts, places, counts)
        least = 2
        while len(self.features) > self._max_features:
            kept = self.counts >= least
            self.features, self.counts = self.features[kept], self.counts[kept]
            least += 1


class _Picker:
    """Features become keywords; what a keyword covers makes no other."""

    def __init__(self, found: Features, frequency: Positions) -> None:
        self._found = found
        self._text = found.folded
        size = len(found.folded)
        self._covered = np.zeros(size, dtype=np.bool_)
        # Documents with the run of each length at each place, 0 where there is none.
        self._runs = np.zeros((LONGEST + 1, size + 1), dtype=np.int64)
        own = found.is_run
        self._runs[found.lengths[own], found.starts[own]] = frequency[own]

    def is_cohesive(self) -> Flags:
        """Which features are words, or runs that are no joint of two words."""
        found = self._found
        # What the run at each place is of the more frequent of its parts; pairs are taken as whole.
        shares = np.ones(self._runs.shape)  # [length, place]
        for length in range(3, LONGEST + 1):
            parts = np.maximum(self._runs[length - 1, :-1], self._runs[length - 1, 1:])
            shares[length, :-1] = self._runs[length, :-1] / parts.clip(1)
        # Where both parts are rare joints, what is in all of their documents is one as well.
        parts = np.maximum(shares[:-1, :-1], shares[:-1, 1:])
        is_cohesive = shares >= COHESION
        is_cohesive[1:, :-1] &= parts >= JOINT
        usable: Flags = is_cohesive[found.lengths.clip(max=LONGEST), found.starts]
        return ~found.is_run | (found.is_whole & usable)

    def pick(self, places: list[int], length: int) -> str | None:
        """The keyword that a feature is or grows to, None where there is none."""
        free = [at for at in places if not self._covered[at : at + length].any()]
        if 2 * len(free) <= len(places):
            return None
        start, stop, free = self._grow(free, length)
        keyword = self._text[free[0] + start : free[0] + stop]
        if not _NAMES_SOMETHING.match(keyword):
            return None
        for at in free:
            self._covered[at + start : at + stop] = True
        return keyword

    def _grow(self, places: list[int], length: int) -> tuple[int, int, list[int]]:
        """Start and stop from each place, and the places that go on so far."""
        best = start, stop, kept = 0, length, places
        while stop - start < LONGEST_KEYWORD:
            size = min(LONGEST, stop - start + 1)
            if after := self._going_on(kept, stop, size, stop - size + 1, stop - size + 1):
                stop, kept = stop + 1, after
            elif before := self._going_on(kept, start - 1, size, start - 1, start):
                start, kept = start - 1, before
            else:
                break
            if self._found.may_begin[kept[0] + start] and self._found.may_end[kept[0] + stop]:
                best = start, stop, kept
        return best

    def _going_on(
        self, places: list[int], offset: int, size: int, whole: int, part: int
    ) -> list[int]:
        """Those of the places that have the same character at the offset, if they are most.

        The run of `size` characters at `whole` has the character, the one at `part` all but it.
        """
        longer, shorter = self._runs[size], self._runs[size - 1]
        inside = [
            at
            for at in places
            if 0 <= at + offset < len(self._text)
            and longer[at + whole] >= max(COHESION * shorter[at + part], 1)
            and not self._covered[at + offset]
        ]
        if not inside:
            return []
        character, times = Counter(self._text[at + offset] for at in inside).most_common(1)[0]
        if times < REACH * len(places):
            return []
        return [at for at in inside if self._text[at + offset] == character]
