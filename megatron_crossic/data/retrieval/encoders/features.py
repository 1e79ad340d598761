"""Texts as counted features: words, or short runs of characters where words are not set apart.

Letters, marks and digits count, folded (case, compatibility forms such as full-width letters). What
a script writes with spaces between words makes words. Han, kana, Thai, Lao, Khmer, Burmese and
Tibetan make runs of one to three characters, and so does Hangul, whose words carry their endings.
"Azureの設定" has the features azure, の, 設, 定, の設, 設定 and の設定, whatever language it is in.

A feature is a 64-bit hash. All texts of a call are hashed together by array operations.
"""

from collections.abc import Sequence
from functools import cache

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

RUN_LENGTHS = (1, 2, 3)
"""Characters of a run. Longer ones add little: most are seen once."""

SEPARATOR, WORD, RUN = 0, 1, 2
"""What a character does: parts words, belongs to one, makes runs."""

_RUN_RANGES = (
    (0x0E00, 0x0FFF),  # Thai, Lao, Tibetan
    (0x1000, 0x109F),  # Burmese
    (0x1100, 0x11FF),  # Hangul
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x3007),  # the marks of Han
    (0x3040, 0x30FF),  # kana
    (0x3130, 0x318F),  # Hangul
    (0x31F0, 0x31FF),  # kana
    (0x3400, 0x4DBF),  # Han
    (0x4E00, 0x9FFF),
    (0xAC00, 0xD7FF),  # Hangul
    (0xF900, 0xFAFF),  # Han
    (0x20000, 0x3FFFF),
)


def text_features(texts: Sequence[str]) -> tuple[Hashes, NDArray[np.int64]]:
    """Every feature of every text, repetitions included, and the number of the text it is of."""
    characters, text_starts = folded_characters(texts)
    classes = character_classes()[characters]
    hashes, starts = words(characters, classes == WORD)
    found, places = [hashes], [starts]
    for hashes, starts in runs(mix(characters.astype(np.uint64)), classes == RUN):
        found.append(hashes)
        places.append(starts)
    owners = np.searchsorted(text_starts, np.concatenate(places), side="right") - 1
    return np.concatenate(found), owners.astype(np.int64)


def runs(
    characters: Hashes, counts: NDArray[np.bool_], *, longest: int = RUN_LENGTHS[-1]
) -> list[tuple[Hashes, NDArray[np.intp]]]:
    """Hashes and first positions of the runs of each length from 1 on."""
    found = []
    hashes, whole = characters, counts
    for length in range(1, longest + 1):
        if length > 1:
            hashes = hashes[:-1] * np.uint64(BASE) + characters[length - 1 :]
            whole = whole[:-1] & counts[length - 1 :]
        starts = np.flatnonzero(whole)
        # The length is mixed in: a run must not look like a word of as many characters.
        found.append((mix(hashes[starts] ^ np.uint64(length)), starts))
    return found


@cache
def character_classes() -> NDArray[np.uint8]:
    """For each code point whether it parts words, belongs to one, or makes runs."""
    classes = counting_characters().astype(np.uint8) * WORD
    for first, last in _RUN_RANGES:
        classes[first : last + 1] *= RUN
    return classes
