"""The words of one text and where they stand, or the runs of characters that may be words.

Where spaces part words, words count, and so do unbroken stretches of katakana. Other scripts count
in runs of two to four characters. Hiragana, which mostly writes endings and particles, parts them.
A run is whole where it may be a word by the looks of it: it cuts no syllable of Thai, no stack of
Khmer, and in Korean it begins behind a space, since what comes later may be an ending.
"""

import sys
import unicodedata
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.hashing import Hashes, folded_characters, mix, words
from megatron_crossic.data.retrieval.encoders.features import (
    RUN,
    SEPARATOR,
    WORD,
    character_classes,
    runs,
)

Positions = NDArray[np.int64]
Flags = NDArray[np.bool_]

LONGEST = 4
"""Characters of the longest run counted; the shortest has two."""

_KATAKANA = 3
_HANGUL = ((0x1100, 0x1200), (0x3130, 0x3190), (0xAC00, 0xD7B0))

_VOWELS_BEFORE = frozenset("เแโใไເແໂໃໄ")
"""Written before the consonant that they follow in speech."""
_VOWELS_BEHIND = frozenset("ะาำๅະາຳ")
"""Letters that end a syllable."""
_STACKING = frozenset("\u1039\u17d2")
"""Marks that hang the next letter below the one before."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Features:
    """Every feature of a text, repetitions included; equal ones in order of place."""

    folded: str
    hashes: Hashes
    starts: Positions
    """Places in the folded text."""
    lengths: Positions
    is_run: Flags
    is_whole: Flags
    may_begin: Flags
    """For each place of the folded text, and its end, whether a run there may be whole."""
    may_end: Flags
    """The same for the place behind a run."""


def features_of(text: str) -> Features:
    """Words of two characters and more, runs of two to four."""
    characters, _ = folded_characters([text])
    kinds = _kinds()[characters]
    may_begin, may_end = _edges(characters, kinds)
    found = [_words(characters, kinds == kind) for kind in (WORD, _KATAKANA)]
    num_words = sum(len(hashes) for hashes, _, _ in found)
    hashed = mix(characters.astype(np.uint64))
    for length, (hashes, starts) in enumerate(runs(hashed, kinds == RUN, longest=LONGEST), start=1):
        if length > 1:
            found.append((hashes, starts, np.full(len(starts), length)))
    hashes, starts, lengths = (np.concatenate(parts) for parts in zip(*found, strict=True))
    is_run = np.arange(len(hashes)) >= num_words
    return Features(
        folded=characters.tobytes().decode("utf-32-le", "surrogatepass"),
        hashes=hashes,
        starts=starts,
        lengths=lengths,
        is_run=is_run,
        is_whole=~is_run | (may_begin[starts] & may_end[starts + lengths]),
        may_begin=may_begin,
        may_end=may_end,
    )


def _words(characters: NDArray[np.uint32], counts: Flags) -> tuple[Hashes, Positions, Positions]:
    hashes, starts = words(characters, counts)
    stops = np.flatnonzero(np.diff(counts.astype(np.int8), prepend=0, append=0))[1::2]
    lengths = stops - starts
    long = lengths >= 2
    return hashes[long], starts[long], lengths[long]


def _edges(characters: NDArray[np.uint32], kinds: NDArray[np.uint8]) -> tuple[Flags, Flags]:
    """Where a whole run may begin and where one may end. [n + 1] each"""
    joins = _joins()[characters]
    before, behind = np.append(0, joins), np.append(joins, 0)
    is_edge = ((before & JOINS_NEXT) | (behind & JOINS_PREVIOUS)) == 0
    # A consonant before a vowel that belongs to the next one ends a syllable.
    is_coda = np.append(behind[1:], 0) == JOINS_NEXT
    is_coda &= behind != JOINS_NEXT
    is_inside = np.append(0, kinds == RUN) & np.append(_is_hangul()[characters], False)
    return is_edge & ~is_coda & (is_inside == 0), is_edge


@cache
def _kinds() -> NDArray[np.uint8]:
    """Classes of characters, with katakana for itself and hiragana as a separator."""
    kinds = character_classes().copy()
    kinds[0x3041:0x30A0] = SEPARATOR
    kinds[[*range(0x30A1, 0x30FB), *range(0x30FC, 0x3100), *range(0x31F0, 0x3200)]] = _KATAKANA
    return kinds


@cache
def _is_hangul() -> Flags:
    is_hangul = np.zeros(sys.maxunicode + 1, dtype=np.bool_)
    for first, stop in _HANGUL:
        is_hangul[first:stop] = True
    return is_hangul


JOINS_PREVIOUS, JOINS_NEXT = 1, 2
"""Bits of what a character belongs to."""


@cache
def _joins() -> NDArray[np.uint8]:
    """For each code point the neighbours it must not be parted from."""
    is_mark = (unicodedata.category(chr(point))[0] == "M" for point in range(sys.maxunicode + 1))
    joins = np.fromiter(is_mark, dtype=np.uint8, count=sys.maxunicode + 1)
    joins[[ord(character) for character in _VOWELS_BEHIND]] = JOINS_PREVIOUS
    joins[[ord(character) for character in _VOWELS_BEFORE | _STACKING]] |= JOINS_NEXT
    return joins
