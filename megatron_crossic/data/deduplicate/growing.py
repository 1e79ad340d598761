"""Near-duplicates among texts that are not known beforehand: each is asked about, then added.

`DuplicateIndex` sees all texts first and keeps only the bands that several share; this one keeps
every band of every text added. New ones wait in a dictionary and move into sorted arrays at times:
at a threshold of 0.8 a text takes 128 bytes for its signature and 12 for each of 21 bands, 380 MB
per million texts, twice that while they move.
"""

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.deduplicate.index import MOST_KEPT
from megatron_crossic.data.deduplicate.sketches import SLOTS, Signer, similarity
from megatron_crossic.data.hashing import Hashes

WAITING = 50_000
"""Texts in the dictionary at most, 4 kB each."""


class GrowingIndex:
    """The texts added so far, numbered in that order."""

    def __init__(self, *, threshold: float, waiting: int = WAITING) -> None:
        self._threshold = threshold
        self._most_waiting = waiting
        self._signer = Signer(threshold=threshold)
        self._slots = bytearray()
        self._waiting: dict[int, list[int]] = {}
        self._keys = np.zeros(0, dtype=np.uint64)
        self._numbers = np.zeros(0, dtype=np.uint32)
        self._first_waiting = 0

    def __len__(self) -> int:
        return len(self._slots) // SLOTS

    def find_or_add(self, shingles: Hashes) -> int | None:
        """The number of the most similar text added, if one reaches the threshold; else add this.

        A text without shingles is like no other and not added.
        """
        if not len(shingles):
            return None
        slots, bands = self._signer.sign([shingles])
        keys = bands[0] + (np.arange(bands.shape[1], dtype=np.uint64) << np.uint64(32))
        found = self._find(slots[0], keys)
        if found is None:
            self._add(slots[0], keys)
        return found

    def _find(self, slots: NDArray[np.uint8], keys: NDArray[np.uint64]) -> int | None:
        near = {number for key in keys.tolist() for number in self._waiting.get(key, ())}
        starts = np.searchsorted(self._keys, keys, side="left")
        ends = np.searchsorted(self._keys, keys, side="right")
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            near.update(self._numbers[start : min(end, start + MOST_KEPT)].tolist())
        if not near:
            return None
        numbers = sorted(near)
        width = SLOTS
        others = [self._slots[number * width : (number + 1) * width] for number in numbers]
        found = similarity(
            slots, np.frombuffer(b"".join(others), dtype=np.uint8).reshape(-1, width)
        )
        best = int(np.argmax(found))
        return numbers[best] if found[best] >= self._threshold else None

    def _add(self, slots: NDArray[np.uint8], keys: NDArray[np.uint64]) -> None:
        number = len(self)
        for key in keys.tolist():
            kept = self._waiting.setdefault(key, [])
            if len(kept) < MOST_KEPT:
                kept.append(number)
        self._slots += slots.tobytes()
        if len(self) - self._first_waiting >= self._most_waiting:
            self._settle()

    def _settle(self) -> None:
        """Move what waits into the arrays; a key's numbers stay in order."""
        counts = [len(numbers) for numbers in self._waiting.values()]
        new = np.repeat(np.fromiter(self._waiting, dtype=np.uint64), counts)
        numbers = [number for found in self._waiting.values() for number in found]
        keys = np.concatenate([self._keys, new])
        order = np.argsort(keys, kind="stable")
        self._keys = keys[order]
        self._numbers = np.concatenate([self._numbers, np.array(numbers, dtype=np.uint32)])[order]
        self._waiting = {}
        self._first_waiting = len(self)
