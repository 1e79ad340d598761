"""Single characters of wikitext: entities, invisible ones, and a shield against being markup.

A shielded character stands in Unicode's private use area, 0xE000 above its ASCII place: the parser
and every pattern take it for a letter. So `&lt;`, `<nowiki>[[</nowiki>` and a bracket that nothing
closes pass through all stages as text and are unshielded after the last.
"""

import html
import re
from functools import cache

LINE_BREAK = "\v"
# Around the number of a formula.
FORMULA_START, FORMULA_END = "\ue000", "\ue001"
# Becomes a blank after a digit and nothing elsewhere: `1{{frac|1|4}}` is 1 1/4, not 11/4.
GAP = "\ue002"
SHIELD = 0xE000
SUPERSCRIPTS = str.maketrans("0123456789+-−=()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿ")
SUBSCRIPTS = str.maketrans("0123456789+-−=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎")

ENTITY = re.compile(r"&(?:#[0-9]{1,9}|#[xX][0-9A-Fa-f]{1,8}|[A-Za-z][A-Za-z0-9]{1,31});")
# Blanks that are to be a plain one, and reserved characters; odd line ends; characters to drop:
# half ones (`&#xD800;`) and invisible ones that steer direction or line breaks. The joiners U+200C
# and U+200D stay, they are spelling in several scripts. One set of all: to search for a set is
# four times as fast as to search for alternatives.
BLANKS = "\t\v\f\u00a0\u1680\u2000-\u200a\u202f\u205f\ue000-\ue07f"
LINE_ENDS = "\r\x85\u2028\u2029"
INVISIBLE = (
    "\ud800-\udfff\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufffc\ufffd"
    "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"
)
ODD = re.compile(f"[{BLANKS}{LINE_ENDS}{INVISIBLE}]")
BLANK = re.compile(f"[{BLANKS}]")

PUNCTUATION = [code for code in range(0x21, 0x7F) if not chr(code).isalnum()]
TO_SHIELDED = {code: SHIELD + code for code in PUNCTUATION}
SHIELDED = re.compile(f"{GAP}|[{chr(SHIELD + 0x21)}-{chr(SHIELD + 0x7E)}]")
GAP_IN_NUMBER = re.compile(rf"(?<=\d){GAP}")


def shield(text: str) -> str:
    """`text` with its ASCII punctuation out of reach of every pattern."""
    return text.translate(TO_SHIELDED)


def unshield(text: str) -> str:
    """The inverse of `shield`; gaps are filled."""
    if GAP in text:
        text = GAP_IN_NUMBER.sub(" ", text)
    return SHIELDED.sub(_unshield_one, text)


def _unshield_one(found: re.Match[str]) -> str:
    return "" if found[0] == GAP else chr(ord(found[0]) - SHIELD)


def plain_characters(wikitext: str) -> str:
    """`wikitext` with `\\n` at line ends, `" "` for every blank, entities decoded, no invisibles.

    What entities stand for is shielded where it could be taken for markup.
    """
    text = ODD.sub(_plain, wikitext.replace("\r\n", "\n"))
    return ENTITY.sub(_decode, text).replace("&#", shield("&#")) if "&" in text else text


@cache
def _plain_character(odd: str) -> str:
    if odd in LINE_ENDS:
        return "\n\n" if odd == "\u2029" else "\n"
    return " " if BLANK.match(odd) else ""


def _plain(odd: re.Match[str]) -> str:
    return _plain_character(odd[0])


def _decode(entity: re.Match[str]) -> str:
    if entity[0] == "&nbsp;":
        return " "
    character = html.unescape(entity[0])
    if character == entity[0]:
        return character  # `&nosuchname;` is shown as it is
    return " " if character.isspace() else shield(ODD.sub("", character))
