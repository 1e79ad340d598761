"""Where sentences end inside a paragraph, as character offsets.

Sentences matter only where a paragraph is too long for a window, so this is called rarely, but
then on the longest paragraphs. Every splitter takes time proportional to the text. Measured on 10
MB paragraphs of real text, one thread: `sentencex` 34 to 49 MB/s (ar en es ja ko pt), the offset
rule 20 MB/s (th), `punkt` 6.5 to 16 MB/s (en es pt).

- `sentencex` knows the marks of most scripts and many abbreviations, and treats a language it does
  not know by the marks alone. It slows down on long texts (0.65 MB/s at 49,000 characters, 29 MB/s
  at 490), so it is fed at most `BLOCK` characters at a time.
- `punkt` is NLTK's, with parameters that must be installed (see `punkt`). A language that Punkt has
  no model for is split as without the option, because a pair has two languages and Punkt knows
  neither Arabic, Japanese, Korean nor Thai: refusing would keep it from the English side too.
  `splitter_of` says what a language gets, for the manifest and the screen.
- Thai, Lao and Khmer have no sentence mark; by either name they get the `offsets` rule.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import sentencex
from numpy.typing import NDArray

from megatron_crossic.data.offset_rule import SPACE_SEPARATED, WHITE_SPACE, offset_ends
from megatron_crossic.data.punkt import PUNKT_MODELS, load_punkt
from megatron_crossic.errors import ConfigError

BLOCK = 2000
"""Characters handed to sentencex at once; a longer sentence gets no end inside a block."""

SPLITTERS = ("sentencex", "punkt")


def sentence_ends(text: str, *, language: str, splitter: str = "sentencex") -> NDArray[np.int64]:
    """Offsets just after each sentence and the white space behind it; the last is len(text).

    Strictly increasing; none for an empty text. Raises `ConfigError` for an unknown splitter and
    where Punkt's parameters are not installed.
    """
    find = _FINDERS[splitter_of(language, splitter=splitter)]
    inner = [end for end in _past_white_space(text, find(text, language)) if end < len(text)]
    return np.array([*inner, len(text)] if text else [], dtype=np.int64)


def splitter_of(language: str, *, splitter: str = "sentencex") -> str:
    """What splits texts of a language under the option `splitter`: that, or what stands in for it.

    `punkt` -> `punkt` for en, `sentencex` for ja, `offsets` for th.
    """
    if splitter not in SPLITTERS:
        raise ConfigError(
            f"sentence-splitter must be one of {', '.join(SPLITTERS)}, got {splitter!r}. "
            "Choose one of them."
        )
    if language in SPACE_SEPARATED:
        return "offsets"
    return "sentencex" if language not in PUNKT_MODELS else splitter


def check_splitter(splitter: str, *, languages: Iterable[str]) -> dict[str, str]:
    """What each language gets; refuses what cannot work now rather than at the first long text."""
    chosen = {language: splitter_of(language, splitter=splitter) for language in languages}
    for language, name in chosen.items():
        if name == "punkt":
            load_punkt(PUNKT_MODELS[language])
    return chosen


def _past_white_space(text: str, ends: Iterable[int]) -> Iterator[int]:
    """Each end moved behind the white space there, each once; `ends` do not decrease.

    An end that lies in white space already passed is not looked at again: a million line breaks
    with an end at each stay a matter of one pass.
    """
    last = 0
    for end in ends:
        if end > last:
            match = WHITE_SPACE.match(text, end)
            last = match.end() if match else end
            yield last


def _sentencex_ends(text: str, language: str) -> Iterator[int]:
    """Sentence ends block by block; a block starts where the last whole sentence before it ended.

    With BLOCK = 10 and "Ab. Cdefg. Hi.": the first block "Ab. Cdefg." ends in a sentence that might
    go on, so only 4 counts and the next block is "Cdefg. Hi." from there.
    """
    start = 0
    while start < len(text):
        block = text[start : start + BLOCK]
        lengths = [len(sentence) for sentence in sentencex.segment(language, block)]
        found = (start + np.cumsum(lengths, dtype=np.int64)).tolist()
        if start + len(block) < len(text):
            found = found[:-1]
        yield from found
        start = found[-1] if found else start + len(block)


def _punkt_ends(text: str, language: str) -> Iterable[int]:
    ends: Iterable[int] = load_punkt(PUNKT_MODELS[language]).ends(text)
    return ends


_FINDERS: dict[str, Callable[[str, str], Iterable[int]]] = {
    "sentencex": _sentencex_ends,
    "punkt": _punkt_ends,
    "offsets": lambda text, _language: offset_ends(text),
}
