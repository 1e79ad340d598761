"""Punkt, NLTK's sentence splitter, with NLTK's own parameters, loader and decisions.

The parameters (`punkt_tab`, tab-separated text, no pickle) are not part of NLTK's package and are
never downloaded from here.

Deciding about one full stop takes NLTK 40 microseconds, which is 1 to 2 MB/s on real text, and its
searches give up after five seconds, other work in between included. `FastPunkt` asks NLTK only
where the answer is not plain and once per context, and looks at a block at a time.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from nltk.tokenize.punkt import PunktLanguageVars, PunktTokenizer

BLOCK = 10_000
"""Characters looked at together; a longer sentence gets no end inside a block."""

LONGEST_REMEMBERED = 100
"""Characters of a context whose decision is kept: longer ones are not words and hardly return."""

MOST_REMEMBERED = 1 << 16
"""Decisions kept a language; about 10 MB."""

# "word. Next": letters only, at least two, one full stop, white space, and no further full stop.
_PLAIN = re.compile(r"([^\W\d_]{2,})\.\s+[^.\s]")


class _Patterns(PunktLanguageVars):
    """NLTK's patterns compiled by `re`: twice as fast, no clock; blocks bound what they cost."""

    __slots__ = ()
    re_boundary_realignment = re.compile(
        PunktLanguageVars.re_boundary_realignment.pattern, re.MULTILINE
    )
    _period_context = re.compile(PunktLanguageVars().period_context_re().pattern, re.VERBOSE)

    def period_context_re(self) -> re.Pattern[str]:
        return self._period_context


class FastPunkt(PunktTokenizer):
    """A `PunktTokenizer` that finds the same sentences, up to `BLOCK` characters, in less time."""

    def __init__(self, model: str, *, block: int = BLOCK) -> None:
        super().__init__(model)
        self._lang_vars = _Patterns()
        self._block = block
        # A full stop after any other plain word ends a sentence, whatever follows.
        self._doubtful = self._params.abbrev_types | {word for word, _ in self._params.collocations}
        self._decide = lru_cache(MOST_REMEMBERED)(super().text_contains_sentbreak)

    def ends(self, text: str) -> Iterator[int]:
        """Offsets just after each sentence, without the white space behind it.

        A block ends after white space, so that no word is cut, and the next one starts where its
        last whole sentence ended: the one after that might go on.
        """
        start = 0
        while start < len(text):
            block = text[start : start + self._block]
            is_last = start + len(block) >= len(text)
            if not is_last and (space := _last_space(block)):
                block = block[:space]
            found = [start + end for _, end in self.span_tokenize(block)]
            if not is_last:
                found = found[:-1]
            yield from found
            start = found[-1] if found else start + len(block)

    def text_contains_sentbreak(self, text: str) -> bool:
        match = _PLAIN.match(text)
        if match and match[1].lower() not in self._doubtful:
            return True
        if len(text) > LONGEST_REMEMBERED:
            return bool(super().text_contains_sentbreak(text))
        return bool(self._decide(text))


def _last_space(block: str) -> int:
    """Just after the last blank or line break; 0 where there is none."""
    return max(block.rfind(" "), block.rfind("\n")) + 1
