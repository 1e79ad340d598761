"""Texts become sets of hashes: one for each run of words, or of characters where no spaces are.

Only letters, marks and digits count, folded (case, compatibility forms such as full-width letters);
punctuation and white space only part words. "The bee flies." has the words the, bee, flies and so
one shingle of three; a text with fewer words than that is one shingle, a text of punctuation none.
A hash depends on the language as well: texts of two languages are never alike.

All texts of a language are hashed together by array operations, 20 to 60 MB/s.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.hashing import (
    BASE,
    Hashes,
    counting_characters,
    folded_characters,
    mix,
    words,
)

WORDS = 3
"""Words of a shingle: a changed word touches three shingles, so 0.8 is one change in 27 words."""

CHARACTERS = 5
"""Characters of a shingle in `UNSPACED` languages, two or three words of Japanese."""

UNSPACED = frozenset("bo dz ja km lo my th zh".split())
"""Languages written without spaces between words."""


def shingle(
    texts: Sequence[str], *, language: str, domain: str = "", size: int | None = None
) -> list[Hashes]:
    """The hashes of each text's shingles, in text order, repetitions included.

    Texts of different languages, or of different `domain`s where given, have no hash in common.
    `size` is for runs of another length than `WORDS` words or `CHARACTERS` characters.
    """
    if not texts:
        return []
    characters, text_starts = folded_characters(texts)
    is_unspaced = language in UNSPACED
    counts = counting_characters()[characters]
    units, starts = _characters(characters, counts) if is_unspaced else words(characters, counts)
    # How many units lie before each text, and at the end: text i has units first[i] to first[i + 1]
    first = np.append(np.searchsorted(starts, text_starts), len(units))
    grams = _grams(units, first, size=size or (CHARACTERS if is_unspaced else WORDS))
    salt = np.uint64(_salt(domain or language))
    return [mix(gram ^ salt) for gram in grams]


def _salt(domain: str) -> int:
    return int.from_bytes(hashlib.blake2b(domain.encode(), digest_size=8).digest(), "little")


def _characters(
    characters: NDArray[np.uint32], counts: NDArray[np.bool_]
) -> tuple[Hashes, NDArray[np.intp]]:
    """Hash and position of each character that counts."""
    starts = np.flatnonzero(counts)
    return mix(characters[starts].astype(np.uint64)), starts


def _grams(units: Hashes, first: NDArray[np.intp], *, size: int) -> list[Hashes]:
    """The runs of `size` units inside each text; all of a shorter text's units as one run."""
    runs = [units]
    for length in range(1, size):
        longer = runs[-1][:-1] * np.uint64(BASE) + units[length:]
        runs.append(longer if len(longer) else units[:0])
    found = []
    for start, end in zip(first[:-1].tolist(), first[1:].tolist(), strict=True):
        length = min(size, end - start)
        found.append(runs[length - 1][start : end - length + 1] if length else units[:0])
    return found
