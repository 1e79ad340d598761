"""Texts become sets of hashes: one for each run of words, or of characters where no spaces are.

Only letters, marks and digits count, folded (case, compatibility forms such as full-width letters);
punctuation and white space only part words. "The bee flies." has the words the, bee, flies and so
one shingle of three; a text with fewer words than that is one shingle, a text of punctuation none.
A hash depends on the language as well: texts of two languages are never alike.

All texts of a language are hashed together by array operations, 20 to 60 MB/s.
"""

import hashlib
import sys
import unicodedata
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

WORDS = 3
"""Words of a shingle: a changed word touches three shingles, so 0.8 is one change in 27 words."""

CHARACTERS = 5
"""Characters of a shingle in `UNSPACED` languages, two or three words of Japanese."""

UNSPACED = frozenset("bo dz ja km lo my th zh".split())
"""Languages written without spaces between words."""

_BASE = 0x9E3779B97F4A7C15
"""Odd, so it has an inverse modulo 2**64: a word's hash does not depend on where it stands."""


def shingle(
    texts: Sequence[str], *, language: str, domain: str = "", size: int | None = None
) -> list[Hashes]:
    """The hashes of each text's shingles, in text order, repetitions included.

    Texts of different languages, or of different `domain`s where given, have no hash in common.
    `size` is for runs of another length than `WORDS` words or `CHARACTERS` characters.
    """
    if not texts:
        return []
    folded = [unicodedata.normalize("NFKC", text).casefold() for text in texts]
    # A NUL between texts, so that words do not run together.
    joined = "\0".join(folded).encode("utf-32-le", "surrogatepass")
    characters = np.frombuffer(joined, dtype=np.uint32)
    text_starts = np.cumsum([0, *(len(text) + 1 for text in folded[:-1])])
    is_unspaced = language in UNSPACED
    units, starts = _characters(characters) if is_unspaced else _words(characters)
    # How many units lie before each text, and at the end: text i has units first[i] to first[i + 1]
    first = np.append(np.searchsorted(starts, text_starts), len(units))
    grams = _grams(units, first, size=size or (CHARACTERS if is_unspaced else WORDS))
    salt = np.uint64(_salt(domain or language))
    return [_mix(gram ^ salt) for gram in grams]


def _salt(domain: str) -> int:
    return int.from_bytes(hashlib.blake2b(domain.encode(), digest_size=8).digest(), "little")


def _characters(characters: NDArray[np.uint32]) -> tuple[Hashes, NDArray[np.intp]]:
    """Hash and position of each character that counts."""
    starts = np.flatnonzero(_counting()[characters])
    return _mix(characters[starts].astype(np.uint64)), starts


def _words(characters: NDArray[np.uint32]) -> tuple[Hashes, NDArray[np.intp]]:
    """Hash and first position of each word.

    With c the characters' hashes and B the base, P[i] = c[0] B^0 + … + c[i-1] B^(i-1), and the word
    from s to e is (P[e] - P[s]) B^-s, all modulo 2**64.
    """
    counts = _counting()[characters]
    edges = np.flatnonzero(np.diff(counts.astype(np.int8), prepend=0, append=0))
    starts, ends = edges[::2], edges[1::2]
    terms = _mix(characters.astype(np.uint64)) * _powers(_BASE, len(characters))
    sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(terms, dtype=np.uint64)])
    inverse = _powers(pow(_BASE, -1, 2**64), len(characters))
    return _mix((sums[ends] - sums[starts]) * inverse[starts]), starts


def _grams(units: Hashes, first: NDArray[np.intp], *, size: int) -> list[Hashes]:
    """The runs of `size` units inside each text; all of a shorter text's units as one run."""
    runs = [units]
    for length in range(1, size):
        longer = runs[-1][:-1] * np.uint64(_BASE) + units[length:]
        runs.append(longer if len(longer) else units[:0])
    found = []
    for start, end in zip(first[:-1].tolist(), first[1:].tolist(), strict=True):
        length = min(size, end - start)
        found.append(runs[length - 1][start : end - length + 1] if length else units[:0])
    return found


def _powers(base: int, count: int) -> Hashes:
    """base^0, base^1, … modulo 2**64."""
    powers = np.full(count, base, dtype=np.uint64)
    powers[:1] = 1
    return np.multiply.accumulate(powers)


def _mix(values: Hashes) -> Hashes:
    """Spread every bit over all 64 (the finalizer of splitmix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


@cache
def _counting() -> NDArray[np.bool_]:
    """For each code point whether it is a letter, a mark or a digit."""
    category = unicodedata.category
    points = (category(chr(point))[0] in "LMN" for point in range(sys.maxunicode + 1))
    return np.fromiter(points, dtype=np.bool_, count=sys.maxunicode + 1)
