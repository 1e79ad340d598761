"""Which earlier kept text a text duplicates."""

from dataclasses import dataclass

import numpy as np

from megatron_crossic.data.deduplicate.sketches import Sketches, similarity

MOST_KEPT = 200
"""Texts a bucket remembers. Buckets grow beyond that only where hundreds of kept texts are alike
but not enough so, as stubs made from a template are; without a limit the time would grow with the
square of their number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Duplicate:
    """That a text repeats an earlier one."""

    of: int
    """Number of the earlier text."""
    is_exact: bool
    similarity: float
    """Estimated; 1 where exact."""


class DuplicateIndex:
    """Texts are asked about and added by their number in the sketches, in any order."""

    def __init__(self, sketches: Sketches, *, threshold: float) -> None:
        self._threshold = threshold
        self._slots = sketches.slots()
        self._buckets = sketches.take_buckets()
        self._kept: dict[int, list[int]] = {}
        self.num_full_buckets = 0

    def find(self, text: int) -> Duplicate | None:
        """The first text added that has the same content, else the most similar one, if any."""
        exact, *bands = self._buckets[text].tolist()
        if same := self._kept.get(exact):
            return Duplicate(of=same[0], is_exact=True, similarity=1.0)
        candidates = sorted({other for band in bands for other in self._kept.get(band, ())})
        if not candidates:
            return None
        found = similarity(self._slots[text], self._slots[candidates])
        best = int(np.argmax(found))
        if found[best] < self._threshold:
            return None
        return Duplicate(of=candidates[best], is_exact=False, similarity=float(found[best]))

    def __len__(self) -> int:
        return len(self._slots)

    def add(self, text: int) -> bool:
        """Have later texts be duplicates of this one; False where none can be."""
        for bucket in self._shared(text):
            kept = self._kept.setdefault(bucket, [])
            if len(kept) < MOST_KEPT:
                kept.append(text)
                self.num_full_buckets += len(kept) == MOST_KEPT
        return bool(self._buckets[text].any())

    def remove(self, text: int) -> None:
        """Take back the text that was added last."""
        for bucket in self._shared(text):
            kept = self._kept[bucket]
            if kept and kept[-1] == text:
                self.num_full_buckets -= len(kept) == MOST_KEPT
                kept.pop()

    def _shared(self, text: int) -> list[int]:
        return [bucket for bucket in self._buckets[text].tolist() if bucket]
