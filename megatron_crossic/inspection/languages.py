"""The direction in which a language is written."""

from typing import Literal

Direction = Literal["ltr", "rtl", "auto"]

_RIGHT_TO_LEFT = frozenset(
    "ar arc azb ckb dv fa glk he iw ji lrc mzn nqo pnb ps sd ug ur yi".split()
)
_BY_TEXT = frozenset("ks ku".split())
"""Written in scripts of both directions: the text itself decides."""


def direction(language: str) -> Direction:
    """The value of HTML's `dir` for text in `language`."""
    if language in _BY_TEXT:
        return "auto"
    return "rtl" if language in _RIGHT_TO_LEFT else "ltr"
