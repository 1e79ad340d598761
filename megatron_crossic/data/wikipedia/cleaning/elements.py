"""Elements of wikitext (`<math>`, `<div>`, `<br>`, …) taken out or turned into what they show.

All of it works on the text in one pass from left to right, so that an element that nothing closes
costs its own tag and no time: after one search for an end tag has failed, none of that name is
searched again.
"""

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from megatron_crossic.data.wikipedia.cleaning.characters import (
    FORMULA_END,
    FORMULA_START,
    LINE_BREAK,
    SUBSCRIPTS,
    SUPERSCRIPTS,
    shield,
    unshield,
)

# Elements whose content is no running text.
DROPPED = (
    "categorytree gallery graph hiero imagemap includeonly indicator inputbox mapframe maplink "
    "references rp score script source style syntaxhighlight templatedata templatestyles timeline"
).split()
FORMULAS = "math chem ce".split()
VERBATIM = "nowiki pre".split()

# A note without its end tag must not swallow the article up to the end of the next note.
NOTE = re.compile(
    r"<ref\b[^<>]*/\s*>|<ref\b[^<>]*>(?:[^<]++|<(?!/?ref\b))*+</ref\s*>", re.IGNORECASE
)
HIDDEN = re.compile(r"<([a-z]+)\b[^<>]*display\s*:\s*none[^<>]*>", re.IGNORECASE)
SUPERSCRIPT = re.compile(r"<sup\b[^<>]*>([^<>]*)</sup\s*>", re.IGNORECASE)
# After a digit only: `20<sub>16</sub>` must not become 2016, `H<sub>2</sub>O` is H2O.
SUBSCRIPT = re.compile(r"(?<=\d)<sub\b[^<>]*>([^<>]*)</sub\s*>", re.IGNORECASE)
SUBSCRIPT_NUMBER = re.compile(r"[0-9+−()-]+")
LINKED = re.compile(r"\[\[(?:[^\[\]|]*\|)?([^\[\]|]*)\]\]")
LIST_ITEM = re.compile(r"<li\b[^<>]*>\s*", re.IGNORECASE)
TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9]*)\b[^<>]*>")

# Name -> what shows for its start tag. A tag that is not here is text: `#include <stdio.h>`.
SHOWN: dict[str, str] = {
    **dict.fromkeys(
        "abbr b bdi bdo big cite code data del dfn em font i ins kbd langlink mark noinclude "
        "onlyinclude q rb rbc rtc ruby s samp section small span strike strong sub sup time tt u "
        "var wbr link meta a img tbody thead tfoot".split(),
        "",
    ),
    **dict.fromkeys(["ref", "li", *DROPPED, *FORMULAS, *VERBATIM], ""),
    **dict.fromkeys(
        "center dd div dl dt h1 h2 h3 h4 h5 h6 ol table td th tr ul caption".split(), "\n"
    ),
    **dict.fromkeys("blockquote hr p poem".split(), "\n\n"),
    "br": LINE_BREAK,
    "rt": "(",
}
SHOWN_AT_END = SHOWN | {"rt": ")"}


@dataclass(kw_only=True, slots=True)
class Elements:
    """Takes the elements out of one article; formulas are numbered through the article."""

    formulas: list[str] = field(default_factory=list)

    def to_text(self, wikitext: str) -> str:
        """`wikitext` without any element; every `<` that is left is shielded."""
        if "<" not in wikitext:
            return wikitext
        text = NOTE.sub("", wikitext)
        text = replace_elements(text, ELEMENT, self._show)
        if HIDDEN.search(text):
            text = replace_elements(text, HIDDEN, lambda _name, _content: "")
        text = replace_elements(text, POEM, _poem)
        text = SUBSCRIPT.sub(_subscript, SUPERSCRIPT.sub(_superscript, text))
        text = LIST_ITEM.sub("\n* ", text)
        return TAG.sub(_tag, text).replace("<", shield("<"))

    def _show(self, name: str, content: str) -> str:
        if name in FORMULAS:
            return self._formula(content, is_chemistry=name != "math")
        if name == "nowiki":
            return shield(content)
        return _poem(name, shield(content)) if name == "pre" else ""

    def _formula(self, content: str, *, is_chemistry: bool) -> str:
        latex = " ".join(html.unescape(unshield(content)).split())
        if not latex:
            return ""
        self.formulas.append(_unlike_wikitext(rf"\ce{{{latex}}}" if is_chemistry else latex))
        return f"{FORMULA_START}{len(self.formulas) - 1}{FORMULA_END}"


ELEMENT = re.compile(rf"<({'|'.join([*DROPPED, *FORMULAS, *VERBATIM])})\b[^<>]*>", re.IGNORECASE)
POEM = re.compile(r"<(poem)\b[^<>]*>", re.IGNORECASE)


def replace_elements(
    wikitext: str, start_tag: re.Pattern[str], show: Callable[[str, str], str]
) -> str:
    """Replace each element that opens with `start_tag` by `show(name, content)`."""
    return "".join(_replaced(wikitext, start_tag, show))


def _replaced(
    wikitext: str, start_tag: re.Pattern[str], show: Callable[[str, str], str]
) -> Iterator[str]:
    position = 0
    unclosed: set[str] = set()
    for found in start_tag.finditer(wikitext):
        name = found[1].lower()
        if found.start() < position or name in unclosed:
            continue
        content_end, end = found.end(), found.end()
        if not found[0].rstrip("> ").endswith("/"):
            closing = re.compile(rf"</{name}\s*>", re.IGNORECASE).search(wikitext, found.end())
            if closing is None:
                unclosed.add(name)
                continue
            content_end, end = closing.span()
        yield wikitext[position : found.start()]
        yield show(name, wikitext[found.end() : content_end])
        position = end
    yield wikitext[position:]


def _poem(_name: str, content: str) -> str:
    return "\n\n" + content.strip().replace("\n", LINE_BREAK) + "\n\n"


def _tag(found: re.Match[str]) -> str:
    table = SHOWN_AT_END if found[1] else SHOWN
    return table.get(found[2].lower(), found[0])


def _superscript(found: re.Match[str]) -> str:
    """`10<sup>6</sup>` must not become 106; letters (`5<sup>th</sup>`) stay as they are."""
    shown = LINKED.sub(r"\1", unshield(found[1])).strip().translate(SUPERSCRIPTS)
    is_number = any(character in "⁰¹²³⁴⁵⁶⁷⁸⁹ⁿ" for character in shown)
    return shown if is_number and not any(c.isalpha() and c != "ⁿ" for c in shown) else found[1]


def _subscript(found: re.Match[str]) -> str:
    number = LINKED.sub(r"\1", found[1]).strip()
    is_number = SUBSCRIPT_NUMBER.fullmatch(number)
    return number.translate(SUBSCRIPTS) if is_number else found[1]


def _unlike_wikitext(latex: str) -> str:
    """`{{a}}` -> `{ {a} }`, `a<b` -> `a< b`: the same formula, never mistaken for wikitext."""
    latex = re.sub("'{2,}", lambda primes: "^{" + r"\prime" * len(primes[0]) + "}", latex)
    return re.sub(r"([{}\[\]])(?=\1)|<(?=[A-Za-z/])|\|(?=thumb)", r"\g<0> ", latex)
