"""Documents cut into passages of about the same size, which are what is encoded and found.

A passage is as many whole paragraphs as fit. A paragraph that does not fit is cut at sentence ends,
a sentence that does not fit (a list, a table) at line breaks, a line that does not fit at white
space, and where there is none at a character. There are as few passages as that allows. Of all ways
to cut so few the one is taken that goes on from each passage to the end nearest to an equal share
of the rest: 1,100 characters with room for 1,000 are two passages of about 550, since a passage of
100 says too little to be found.

Measured, one thread: English 37 MB/s with passages of 1,000 characters, 23 MB/s with 500, where
more paragraphs have to be cut; 17 MB/s where no blank line parts paragraphs, which is the sentence
splitter's speed. Japanese and Thai in between.
"""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from megatron_crossic.data.records import BLANK_LINES
from megatron_crossic.data.sentences import sentence_ends
from megatron_crossic.errors import ConfigError

Span = tuple[int, int]
"""Start and stop in the text."""

_LINE = re.compile(r"[^\n]+")
_WORD = re.compile(r"\S+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_JOINERS = frozenset("\u200c\u200d")
"""What stands on either side of these is one character to a reader."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Passage:
    """`text` is `document[start:stop]`, without white space around it."""

    start: int
    stop: int
    text: str


def cut_passages(text: str, *, characters: int, language: str) -> list[Passage]:
    """The passages in order, none longer than `characters`; all but white space is in one."""
    if characters < 1:
        raise ConfigError(
            f"characters of a passage must be positive, got {characters}. Use for example 1000."
        )
    atoms = list(_atoms(text, characters, language))
    return [
        Passage(start=start, stop=stop, text=text[start:stop])
        for start, stop in _join(atoms, characters)
    ]


def _atoms(text: str, characters: int, language: str) -> Iterator[Span]:
    """What is not cut further, in order: each fits in a passage."""
    whole = _strip(text, 0, len(text))
    if whole[1] - whole[0] <= characters:
        yield from [whole] if whole[0] < whole[1] else []
        return
    for start, stop in _paragraphs(text):
        if stop - start <= characters:
            yield start, stop
        else:
            yield from _sentences(text, start, stop, characters, language)


def _paragraphs(text: str) -> Iterator[Span]:
    start = 0
    for match in BLANK_LINES.finditer(text):
        span = _strip(text, start, match.start())
        if span[0] < span[1]:
            yield span
        start = match.end()
    span = _strip(text, start, len(text))
    if span[0] < span[1]:
        yield span


def _sentences(text: str, start: int, stop: int, characters: int, language: str) -> Iterator[Span]:
    # The splitter takes nothing that UTF-8 has no form for.
    paragraph = _SURROGATE.sub("\ufffd", text[start:stop])
    first = 0
    for end in sentence_ends(paragraph, language=language).tolist():
        length = len(paragraph[first:end].rstrip())
        if length <= characters:
            yield start + first, start + first + length
        else:
            yield from _lines(text, start + first, start + first + length, characters)
        first = end


def _lines(text: str, start: int, stop: int, characters: int) -> Iterator[Span]:
    for line in _LINE.finditer(text, start, stop):
        span = _strip(text, *line.span())
        if span[1] - span[0] <= characters:
            yield from [span] if span[0] < span[1] else []
            continue
        for word in _WORD.finditer(text, *span):
            if word.end() - word.start() <= characters:
                yield word.span()
            else:
                yield from _characters(text, *word.span(), characters)


def _characters(text: str, start: int, stop: int, characters: int) -> Iterator[Span]:
    """A word in equal steps, each ended before a character that stands for itself."""
    while (rest := stop - start) > characters:
        step = -(-rest // -(-rest // characters))
        end = start + step
        while end > start and not _may_begin(text, end):
            end -= 1
        end = end if end > start else start + step  # nothing but marks: cut all the same
        yield start, end
        start = end
    yield start, stop


def _may_begin(text: str, place: int) -> bool:
    """Whether a passage may begin here rather than with the character before."""
    character = text[place]
    if character < "\u0300":
        return True
    if character in _JOINERS or text[place - 1] in _JOINERS:
        return False
    # Marks, the colours of emoji, the second half of a surrogate pair, and the vowel of Thai and
    # Lao that is written as a letter but belongs to the one before.
    return not (
        unicodedata.category(character)[0] == "M"
        or "\U0001f3fb" <= character <= "\U0001f3ff"
        or "\udc00" <= character <= "\udfff"
        or character in "\u0e33\u0eb3"
    )


def _strip(text: str, start: int, stop: int) -> Span:
    block = text[start:stop]
    stripped = block.lstrip()
    start = stop - len(stripped)
    return start, start + len(stripped.rstrip())


def _join(atoms: list[Span], characters: int) -> Iterator[Span]:
    """As few passages as possible of neighbouring atoms, of about the same size.

    Going back from the end, taking as much as fits each time, finds the first atom that k passages
    can begin with. A passage that ends there or behind leaves a rest that fits in k.
    """
    starts, stops = [start for start, _ in atoms], [stop for _, stop in atoms]
    firsts = [len(atoms)]
    while firsts[-1]:
        firsts.append(bisect_left(starts, stops[firsts[-1] - 1] - characters))
    at = 0
    for num_left, least in zip(range(len(firsts) - 1, 0, -1), firsts[-2::-1], strict=True):
        most = bisect_right(stops, starts[at] + characters)
        aim = starts[at] + (stops[-1] - starts[at]) // num_left
        end = _nearest(stops, aim, max(least, at + 1), most)
        yield starts[at], stops[end - 1]
        at = end


def _nearest(stops: list[int], aim: int, least: int, most: int) -> int:
    """How many atoms, from `least` to `most`, end nearest to the aim; of two as near the fewer."""
    above = min(max(bisect_left(stops, aim) + 1, least), most)
    below = max(above - 1, least)
    return below if aim - stops[below - 1] <= abs(stops[above - 1] - aim) else above
