"""Where a piece of Thai, Lao or Khmer text may end: at spaces that are no part of a name or number.

These scripts write words without spaces and have no full stop; a space stands between sentences and
between clauses, so a cut there never breaks a word. But a space also stands around what is foreign:
"ราคา 1,500 บาท", "ใช้ Dynamics 365 เพื่อ". So:

- White space ends a piece unless it touches a digit of any script, a letter of another script, or
  the marks ๆ ฯ, which Thai sets apart with spaces: "ต่าง ๆ ที่" is one piece.
- A line break ends a piece whatever stands around it, and so does white space after . ! ? … and
  the closing marks behind them, which is how foreign sentences in the text end. Abbreviations are
  not looked for: a cut after one does little harm here.
- Khmer's own full stops (។ ៕) end a piece even where no space follows.
"""

import re
from collections.abc import Iterator

SPACE_SEPARATED = frozenset({"th", "lo", "km"})
"""Languages whose writers put spaces between sentences and clauses, not between words."""

WHITE_SPACE = re.compile(r"\s+")

_CANDIDATE = re.compile(r"[។៕]+\s*|\s+")
_LINE_BREAK = re.compile(r"[\n\r\u2028\u2029]")
# Thai and Lao are U+0E00 to U+0EFF, Khmer is U+1780 to U+17FF.
_FOREIGN = re.compile(r"[^\W\u0e00-\u0eff\u1780-\u17ff]|[\dๆฯ]")
_FOREIGN_END = re.compile(r"[.!?…][\"'”’»)\]]{0,3}\Z")


def offset_ends(text: str) -> Iterator[int]:
    """Offsets just after each piece and the white space behind it, without the end of the text."""
    return (match.end() for match in _CANDIDATE.finditer(text) if _is_end(text, match))


def _is_end(text: str, match: re.Match[str]) -> bool:
    start, end = match.span()
    if text[start] in "។៕" or _LINE_BREAK.search(match[0]):
        return True
    before = text[max(0, start - 4) : start]  # white space that opens the text ends nothing
    if not before or _FOREIGN_END.search(before):
        return bool(before)
    return not (_FOREIGN.match(before, len(before) - 1) or _FOREIGN.match(text, end))
