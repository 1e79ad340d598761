"""What cleaning left that it should have taken, and took that it should have left.

Residue is what no text has: brackets of markup, tags, entities, names of files and categories. Lost
are numbers of the running text. What that is, is found here without any cleaner, by deleting from
the wikitext, innermost first, what no reader of the text would miss: comments, notes, formulas,
galleries, templates, tables, files, categories, addresses, headings (one with nothing below it
goes) and the last sections, if they list sources. A number that stands in the rest more often than
in the clean text is lost.
"""

import html
import re
import unicodedata
from collections import Counter

from megatron_crossic.data.wikipedia.cleaning.clean import APPENDICES
from megatron_crossic.data.wikipedia.namespaces import CATEGORY, FILE

CATEGORIES, FILES = ("|".join(" ".join(names.values()).split()) for names in (CATEGORY, FILE))
RESIDUE = {name: re.compile(re.escape(name), re.IGNORECASE) for name in (
    "[[", "]]", "{{", "}}", "{|", "|}", "''", "|thumb", "<ref", "</ref", "<!--",
)} | {
    "entity": re.compile(r"&(?:nbsp|ndash|mdash|lt|gt|amp|quot|#x?[0-9A-Fa-f]+);"),
    "tag": re.compile(r"</?(?:br|div|span|small|sub|sup|gallery|math|center|blockquote)\b[^<>]*>"),
    "switch": re.compile(r"__[A-Z]{3,}__"),
    "category": re.compile(rf"\b(?:{CATEGORIES}):\w", re.IGNORECASE),
    "file": re.compile(rf"\b(?:{FILES}):\S[^\n]*\.(?:jpe?g|png|svg)", re.IGNORECASE),
}  # fmt: skip
# Each is deleted again and again until nothing is left of it: the innermost goes first.
NO_TEXT = [re.compile(pattern, re.DOTALL | re.IGNORECASE | re.MULTILINE) for pattern in (
    r"<!--.*?-->",
    r"<ref\b[^<>]*/>|<ref\b[^<>]*>.*?</ref\s*>",
    r"<(math|chem|gallery|timeline|source|syntaxhighlight|score|imagemap)\b[^<>]*>.*?</\1\s*>",
    r"\{\{(?:(?!\{\{|\}\}).)*\}\}",
    r"^[:*\s]*\{\|(?:(?!\{\||\|\}).)*\|\}",
    rf"\[\[\s*(?:{FILES}|{CATEGORIES})\s*:(?:\[\[[^\[\]]*\]\]|(?!\[\[|\]\]).)*\]\]",
)]  # fmt: skip
HEADING = re.compile(r"^==[^=\n].*?==\s*$", re.MULTILINE)
LIST_ITEM = re.compile(r"^[*#:;].*$", re.MULTILINE)
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def running_text(wikitext: str) -> str:
    """What is left of the wikitext for a reader, still with marks of style."""
    for pattern in NO_TEXT:
        before = ""
        while before != wikitext:
            before, wikitext = wikitext, pattern.sub(" ", wikitext)
    wikitext = re.sub(r"^=.*=\s*$", "", without_appendices(wikitext), flags=re.MULTILINE)
    wikitext = re.sub(r"\[\[[^\[\]|]*\|([^\[\]]*)\]\]", r"\1", wikitext)
    wikitext = re.sub(r"\[\[[a-z-]{2,12}:[^\[\]]*\]\]", "", wikitext)
    wikitext = re.sub(r"\[?(?:\w+:)?//[^\s\[\]<>|]+|<[^<>]*>", " ", wikitext)
    return html.unescape(wikitext)


def without_appendices(wikitext: str) -> str:
    """Without the last sections where all of them list sources and links."""
    end = len(wikitext)
    for found in reversed(list(HEADING.finditer(wikitext))):
        if found[0].strip("= \n'").casefold() not in APPENDICES:
            break
        end = found.start()
    return wikitext[:end]


def numbers(text: str) -> Counter[str]:
    """How often each number stands in a text; `10⁶` is 10 and 6, `20₁₆` 20 and 16."""
    text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹]+|[₀₁₂₃₄₅₆₇₈₉]+", r" \g<0> ", text)
    return Counter(NUMBER.findall(unicodedata.normalize("NFKC", text)))


def lost_numbers(wikitext: str, text: str) -> int:
    """Numbers of the running text that the clean text has not, or not as often."""
    return (numbers(running_text(wikitext)) - numbers(text)).total()


def lost_outside_lists(wikitext: str, text: str) -> int:
    """The same for lines that are no list items: a cleaner may leave out lists on purpose."""
    prose = LIST_ITEM.sub("", running_text(wikitext))
    return (numbers(prose) - numbers(text)).total()


def residue(text: str) -> list[str]:
    """The kinds of residue in a clean text."""
    return [kind for kind, pattern in RESIDUE.items() if pattern.search(text)]
