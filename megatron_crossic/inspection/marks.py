"""Makes characters visible that would act instead of being seen.

An escape sequence in an article could recolour a terminal or rename its window, and a
right-to-left override could reorder what stands around it. Both are shown as `⟨U+202E⟩`.
Joiners and the marks U+200E and U+200F stay: Persian and Hindi are misspelt without them, and they
reorder nothing beyond their neighbours.
"""

import re

# Controls but tab and line feed; line and paragraph separators; bidirectional embeddings, overrides
# and isolates; byte order mark; annotations and noncharacters; tags; lone surrogates.
_ACTING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\U000e0000-\U000e007f\ud800-\udfff]"
)
_ACTING_OR_BREAKING = re.compile(f"[\t\n]|{_ACTING.pattern}")

CUT = "\ufffd"
"""Stands for bytes that are no character."""


def visible(text: str) -> str:
    """Text whose line feeds and tabs are its only controls."""
    return _ACTING.sub(_mark, text)


def visible_line(text: str) -> str:
    """The same for what must stay on one line: titles, ids, URLs."""
    return _ACTING_OR_BREAKING.sub(_mark, text)


def one_cut_mark(text: str) -> str:
    """Decoded tokens with a cut character at either end shown as one mark, not one a byte."""
    return re.sub(f"^{CUT}+|{CUT}+$", CUT, text)


def _mark(match: re.Match[str]) -> str:
    return f"⟨U+{ord(match[0]):04X}⟩"
