"""Hashes of words and characters of many texts at once, by array operations."""

import sys
import unicodedata
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

BASE = 0x9E3779B97F4A7C15
"""Odd, so it has an inverse modulo 2**64: a word's hash does not depend on where it stands."""


def folded_characters(texts: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[np.intp]]:
    """The code points of all texts, case and compatibility forms folded, and where each begins.

    A NUL between texts keeps their words apart.
    """
    folded = [unicodedata.normalize("NFKC", text).casefold() for text in texts]
    joined = "\0".join(folded).encode("utf-32-le", "surrogatepass")
    starts = np.cumsum([0, *(len(text) + 1 for text in folded[:-1])])
    return np.frombuffer(joined, dtype=np.uint32), starts


def words(
    characters: NDArray[np.uint32], counts: NDArray[np.bool_]
) -> tuple[Hashes, NDArray[np.intp]]:
    """Hash and first position of each unbroken run of characters that count.

    With c the characters' hashes and B the base, P[i] = c[0] B^0 + … + c[i-1] B^(i-1), and the word
    from s to e is (P[e] - P[s]) B^-s, all modulo 2**64.
    """
    edges = np.flatnonzero(np.diff(counts.astype(np.int8), prepend=0, append=0))
    starts, ends = edges[::2], edges[1::2]
    terms = mix(characters.astype(np.uint64)) * _powers(BASE, len(characters))
    sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(terms, dtype=np.uint64)])
    inverse = _powers(pow(BASE, -1, 2**64), len(characters))
    return mix((sums[ends] - sums[starts]) * inverse[starts]), starts


def mix(values: Hashes) -> Hashes:
    """Spread every bit over all 64 (the finalizer of splitmix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


@cache
def counting_characters() -> NDArray[np.bool_]:
    """For each code point whether it is a letter, a mark or a digit."""
    category = unicodedata.category
    points = (category(chr(point))[0] in "LMN" for point in range(sys.maxunicode + 1))
    return np.fromiter(points, dtype=np.bool_, count=sys.maxunicode + 1)


def _powers(base: int, count: int) -> Hashes:
    """base^0, base^1, … modulo 2**64."""
    powers = np.full(count, base, dtype=np.uint64)
    powers[:1] = 1
    return np.multiply.accumulate(powers)
