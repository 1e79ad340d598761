"""Signatures of many texts in little memory, and which texts share a band of them.

A MinHash signature has `SLOTS` numbers; two texts agree in a share of them that estimates the
Jaccard similarity of their shingles (standard error 0.035 at 0.8). Kept for each text are the low
bytes of the signature, 128 bytes, a number for each band of it and an exact digest.

Bands: texts that agree in all slots of any band are compared. `band_rows` makes bands as wide as
they can be while a text at the threshold is still found with 99 %: 6 slots in 21 bands at 0.8.

Signatures come from rensa, ten times as fast as datasketch here (0.08 against 0.8 microseconds a
shingle) and without scipy. Its algorithm is fixed by its version, which is why that is pinned and
in the manifest.
"""

import importlib
from collections.abc import Sequence
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.hashing import Hashes
from megatron_crossic.errors import ConfigError

SLOTS = 128
SEED = 1
LEAST_FOUND = 0.99


def load_minhash() -> ModuleType:
    """rensa, or how to get it."""
    try:
        return importlib.import_module("rensa")
    except ImportError as error:
        raise ConfigError(
            f"rensa must be installed for near-duplicate removal, got: {error}. "
            "Run `pip install 'megatron-crossic[dedup]'`."
        ) from error


def band_rows(threshold: float) -> int:
    """Slots of a band.

    Two texts of similarity t agree in all r slots of a band with t^r, and in one of the b bands
    with 1 - (1 - t^r)^b. At 0.8: 0.998 for 6 slots in 21 bands, 0.985 for 7 in 18.
    """
    fits = [r for r in range(1, SLOTS + 1) if _found(threshold, r) >= LEAST_FOUND]
    return max(fits)


def _found(threshold: float, rows: int) -> float:
    return float(1 - (1 - threshold**rows) ** (SLOTS // rows))


class Signer:
    """Signs texts, some at a time."""

    def __init__(self, *, threshold: float) -> None:
        self.rows = band_rows(threshold)
        self.num_bands = SLOTS // self.rows
        self._minhash = load_minhash().RMinHash
        multipliers = np.random.Generator(np.random.PCG64(SEED)).integers(
            0, 2**63, size=self.rows, dtype=np.uint64
        )
        self._multipliers = multipliers * np.uint64(2) + np.uint64(1)

    def sign(self, shingles: Sequence[Hashes]) -> tuple[NDArray[np.uint8], NDArray[np.uint32]]:
        """Low bytes of the signatures [texts, SLOTS] and a number a band [texts, num_bands]."""
        offsets = np.cumsum([0, *map(len, shingles)], dtype=np.uint64)
        matrix = self._minhash.digest_matrix_from_flat_token_hashes(
            np.concatenate(shingles), offsets, SLOTS, SEED
        )
        signatures = np.array(matrix.to_rows(), dtype=np.uint32)
        width = self.num_bands * self.rows
        banded = signatures[:, :width].reshape(len(shingles), self.num_bands, self.rows)
        keys = (banded.astype(np.uint64) * self._multipliers).sum(axis=2) >> np.uint64(32)
        return signatures.astype(np.uint8), keys.astype(np.uint32)


class Sketches:
    """Grows by batches; texts are numbered in the order added."""

    def __init__(self, *, threshold: float) -> None:
        self._signer = Signer(threshold=threshold)
        self.num_bands = self._signer.num_bands
        # bytearrays grow in place: no second copy while there is little memory left.
        self._slots, self._bands, self._digests = bytearray(), bytearray(), bytearray()
        self._has_shingles = bytearray()

    def __len__(self) -> int:
        return len(self._has_shingles)

    def add(self, shingles: Sequence[Hashes], digests: Sequence[bytes]) -> None:
        """Add a batch of texts: their shingles and eight bytes that tell them apart exactly.

        Digests of zeros are for texts that are no duplicates of anything.
        """
        if not shingles:
            return
        slots, bands = self._signer.sign(shingles)
        self._slots += slots.tobytes()
        self._bands += bands.tobytes()
        self._digests += b"".join(digests)
        self._has_shingles += bytes(len(found) > 0 for found in shingles)

    def slots(self) -> NDArray[np.uint8]:
        """Low bytes of the signatures.  # [texts, SLOTS]"""
        return np.frombuffer(self._slots, dtype=np.uint8).reshape(-1, SLOTS)

    def take_buckets(self) -> NDArray[np.uint32]:
        """The bucket of each text by digest and in each band, 0 where it is alone; once only.

        Buckets are numbered over all columns. The keys are given up on the way, so that the memory
        stays what it was.  # [texts, 1 + num_bands]
        """
        bands = np.frombuffer(self._bands, dtype=np.uint32).reshape(len(self), self.num_bands)
        digests = np.frombuffer(self._digests, dtype=np.uint64)
        comparable = np.frombuffer(self._has_shingles, dtype=np.bool_)
        buckets = np.zeros((len(self), 1 + self.num_bands), dtype=np.uint32)
        next_id = _number(digests, digests != 0, buckets[:, 0], first=1)
        for band in range(self.num_bands):
            next_id = _number(bands[:, band], comparable, buckets[:, 1 + band], first=next_id)
        self._bands, self._digests = bytearray(), bytearray()
        return buckets


def _number(
    keys: NDArray[np.unsignedinteger],
    counts: NDArray[np.bool_],
    out: NDArray[np.uint32],
    *,
    first: int,
) -> int:
    """Number the keys that several texts share from `first` on; returns the next free number."""
    where = np.flatnonzero(counts)
    order = where[np.argsort(keys[where], kind="stable")]
    ordered = keys[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)])
    sizes = np.diff(np.append(starts, len(ordered)))
    shared = sizes > 1
    numbers = np.where(shared, first - 1 + np.cumsum(shared), 0)
    out[order] = np.repeat(numbers, sizes)
    return first + int(shared.sum())


def similarity(slots: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Estimated Jaccard similarity of one text and several; equal low bytes by chance taken off."""
    chance = 1 / 256
    agreement = (others == slots).mean(axis=1)
    found: NDArray[np.float64] = np.maximum(0.0, (agreement - chance) / (1 - chance))
    return found
