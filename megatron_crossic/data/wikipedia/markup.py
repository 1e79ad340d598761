"""Wikitext that goes before the parser sees it: comments, notes, tables, switches.

Taking these out as text is faster than parsing them, and a broken one then damages its own lines
instead of the rest of the article.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

# Elements whose content is no running text.
DROPPED_ELEMENTS = (
    "categorytree gallery graph hiero imagemap includeonly indicator inputbox mapframe maplink "
    "references score source syntaxhighlight templatestyles timeline"
).split()

COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
COMMENT_LINE = re.compile(r"\n[ \t]*<!--(?:(?!-->).)*-->[ \t]*(?=\n)", re.DOTALL)
# A note without its end tag must not swallow the article up to the end of the next note.
NOTE = re.compile(
    r"<ref\b[^<>]*/\s*>|<ref\b[^<>]*>(?:[^<]++|<(?!/?ref\b))*+</ref\s*>", re.IGNORECASE
)
ELEMENT = re.compile(
    rf"<({'|'.join(DROPPED_ELEMENTS)})\b[^<>]*?(?:/\s*>|>.*?</\1\s*>)", re.IGNORECASE | re.DOTALL
)
SWITCH = re.compile(
    r"__(?:NO|FORCE|NOEDIT|NONEWSECTION|NEWSECTION|STATIC)?(?:TOC|TDC|SUMARIO|SUMÁRIO|INDICE|ÍNDICE|"
    r"INDEX|INDEXAR|NOINDEXAR|GALLERY|GALERIA|GALERÍA|SECTION|LINK|REDIRECT|DISAMBIG|HIDDENCAT|TC|"
    r"CC|TITLECONVERT|CONTENTCONVERT|GLOBAL|FORZAR_TDC|SIN_TDC|NOTDC|FORZARTDC|NOEDITAR|"
    r"NOEDITARSECCION|NAOEDITARSECAO|SEMTDC|FORCARTDC|"
    r"لافهرس|لا_فهرس|لصق_فهرس|فهرس|لاتحريرقسم|تصنيف_مخفي|"
    r"目次非表示|目次強制|目次|節編集非表示|ギャラリー非表示|カテゴリ非表示|インデックス|"
    r"목차숨김|목차보임|목차|목차없음|문단편집숨김|숨은분류|"
    r"ไม่มีสารบัญ|บังคับสารบัญ|สารบัญ|ไม่มีแก้เฉพาะส่วน|ไม่มีหมวดหมู่"
    r")__"
)
HEADING = re.compile(r"^(={1,6})[ \t]*(.+?)[ \t]*\1[ \t]*$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A heading with the wikitext up to the next heading of any level."""

    level: int
    """2 for `== … ==`; 0 for the lead, which has no heading."""
    heading: str
    wikitext: str


def strip_markup(wikitext: str) -> str:
    """Take out comments, notes, tables, galleries and the like, and behaviour switches."""
    if "<" in wikitext:
        wikitext = COMMENT.sub("", COMMENT_LINE.sub("", wikitext))
        wikitext = ELEMENT.sub("", NOTE.sub("", wikitext))
    return drop_tables(SWITCH.sub("", wikitext))


def drop_tables(wikitext: str) -> str:
    """Take out `{| … |}` with the tables inside it.

    Of a table that never ends only the lines that look like one go.
    """
    if "{|" not in wikitext:
        return wikitext
    kept: list[str] = []
    dropped: list[str] = []
    depth = 0
    for line in wikitext.split("\n"):
        start = line.lstrip(" \t:*")
        if start.startswith("{|") and not start.startswith("{|}"):
            depth += 1
            dropped.append(line)
        elif depth == 0:
            kept.append(line)
        elif _ends_table(start):
            depth -= 1
            if depth == 0:
                kept.append(start[2:])
                dropped = []
        else:
            dropped.append(line)
    kept += [line for line in dropped if not line.lstrip(" \t:*").startswith(("{|", "|", "!"))]
    return "\n".join(kept)


def _ends_table(start: str) -> bool:
    # `|}}` ends a template whose last parameter is empty; `|}}}` a table and then a template.
    return start.startswith("|}") and (not start.startswith("|}}") or start.startswith("|}}}"))


def split_sections(wikitext: str) -> Iterator[Section]:
    """Yield the lead and then every section, in order."""
    level, heading, start = 0, "", 0
    for found in HEADING.finditer(wikitext):
        yield Section(level=level, heading=heading, wikitext=wikitext[start : found.start()])
        level, heading, start = len(found[1]), found[2], found.end()
    yield Section(level=level, heading=heading, wikitext=wikitext[start:])
