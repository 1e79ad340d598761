"""Where sentences end inside a paragraph, as character offsets.

Sentences matter only where a paragraph is too long for a window, so this is called rarely, but
then on the longest paragraphs, where `sentencex` slows down (0.65 MB/s at 49,000 characters, 29
MB/s at 490). It is therefore fed at most `BLOCK` characters at a time.

Thai, Lao and Khmer have no sentence mark; their writers put a space between sentences and between
clauses. There, every run of spaces ends a piece: the finest cut that never breaks a word.
"""

import re

import numpy as np
import sentencex
from numpy.typing import NDArray

BLOCK = 2000
"""Characters handed to sentencex at once; a longer sentence gets no end inside a block."""

SPACE_SEPARATED = frozenset({"th", "lo", "km"})
_SPACES = re.compile(r"\s+")


def sentence_ends(text: str, *, language: str) -> NDArray[np.int64]:
    """Offsets just after each sentence and the white space behind it; the last is len(text)."""
    if language in SPACE_SEPARATED:
        ends = [match.end() for match in _SPACES.finditer(text)]
    else:
        ends = _ends_by_block(text, language)
    behind = {match.end() if (match := _SPACES.match(text, end)) else end for end in ends}
    inner = behind - {0, len(text)}
    return np.array([*sorted(inner), len(text)] if text else [], dtype=np.int64)


def _ends_by_block(text: str, language: str) -> list[int]:
    """Sentence ends block by block; a block starts where the last whole sentence before it ended.

    With BLOCK = 10 and "Ab. Cdefg. Hi.": the first block "Ab. Cdefg." ends in a sentence that might
    go on, so only 4 counts and the next block is "Cdefg. Hi." from there.
    """
    ends: list[int] = []
    start = 0
    while start < len(text):
        block = text[start : start + BLOCK]
        lengths = [len(sentence) for sentence in sentencex.segment(language, block)]
        found = (start + np.cumsum(lengths, dtype=np.int64)).tolist()
        if start + len(block) < len(text):
            found = found[:-1]
        ends += found
        start = found[-1] if found else start + len(block)
    return ends
