"""Wikitext that goes before brackets are looked at: comments, tables, switches, headings.

Taking these out as text is faster than parsing them, and a broken one then damages its own lines
instead of the rest of the article.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from megatron_crossic.data.wikipedia.cleaning.characters import shield

REST_OF_LINE = re.compile(r"[ \t]*(?=\n)")
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
PAGE_NAME = re.compile(
    r"\{\{\s*(?:(?:FULL|BASE|SUB)?PAGENAMEE?|NOMBREDEP[AÁ]GINA|NOMEDAP[AÁ]GINA|اسم_?الصفحة|"
    r"ページ名|문서이름|ชื่อหน้า)\s*\}\}"
)
MANY_QUOTES = re.compile("'{4,}")
HEADING = re.compile(r"\n=[^\n]*=[ \t]*(?![^\n])")
RULE = re.compile(r"^-{5,}", re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A heading with the wikitext up to the next heading of any level."""

    level: int
    """2 for `== … ==`; 0 for the lead, which has no heading."""
    heading: str
    wikitext: str


def drop_comments(wikitext: str) -> str:
    """Take out `<!-- … -->`; one alone on its line takes the line along."""
    kept: list[str] = []
    position = 0
    while (start := wikitext.find("<!--", position)) >= 0:
        end = wikitext.find("-->", start + 4)
        end = len(wikitext) if end < 0 else end + 3
        before = wikitext[position:start]
        line_end = REST_OF_LINE.match(wikitext, end)
        if line_end and (line := before.rstrip(" \t")).endswith("\n"):
            before, end = line[:-1], line_end.end()
        kept.append(before)
        position = end
    return "".join(kept) + wikitext[position:]


def show_title(wikitext: str, *, title: str) -> str:
    """Write the title of the page for `{{PAGENAME}}`."""
    return PAGE_NAME.sub(lambda _found: shield(title), wikitext)


def drop_switches(wikitext: str) -> str:
    """Take out `__NOTOC__` and the like, and the rest of long rules."""
    if "__" in wikitext:
        wikitext = SWITCH.sub("", wikitext)
    if "-----" in wikitext:
        wikitext = RULE.sub("----", wikitext)
    return wikitext


def drop_quotes(wikitext: str) -> str:
    """Take out the marks of italic and bold.

    This is simpler and safer than to parse them: where an article forgets one, the parser would
    give up on what is inside.
    """
    if "''''" in wikitext:
        wikitext = MANY_QUOTES.sub(_drop_quotes, wikitext)
    return wikitext.replace("'''", "").replace("''", "")


def _drop_quotes(quotes: re.Match[str]) -> str:
    """Marks of bold (3) and of bold and italic (5) go; the apostrophes left over stay."""
    num = len(quotes[0])
    return shield("'" if num == 4 else "'" * (num - 5))


def drop_tables(wikitext: str) -> str:
    """Take out `{| … |}` with the tables inside it.

    Of a table that never ends only the lines that look like one go.
    """
    if "{|" not in wikitext:
        return wikitext
    kept: list[str] = []
    dropped: list[str] = []
    depth = 0
    # `{{clear}}{| …` begins a table too.
    for line in wikitext.replace("}}{|", "}}\n{|").split("\n"):
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
    level, heading, start = 0, "", 1
    wikitext = "\n" + wikitext
    for found in HEADING.finditer(wikitext):
        line = found[0].strip()
        num_equals = min(len(line) - len(line.lstrip("=")), len(line) - len(line.rstrip("=")), 6)
        title = line[num_equals : len(line) - num_equals].strip()
        if not title.strip("="):
            continue  # nothing but equals signs
        yield Section(level=level, heading=heading, wikitext=wikitext[start : found.start()])
        level, heading, start = num_equals, title, found.end()
    yield Section(level=level, heading=heading, wikitext=wikitext[start:])


def drop_hatnotes(section: Section) -> str:
    """The section without notes to the reader that are no templates: `:''For a town see [[X]].''`

    In the lead they may stand below a box, elsewhere they come first.
    """
    lines = section.wikitext.split("\n")
    first = next((index for index, line in enumerate(lines) if line.strip()), 0)
    end = len(lines) if section.level == 0 else first + 1
    return "\n".join(
        line for index, line in enumerate(lines) if index >= end or not _is_hatnote(line.rstrip())
    )


def _is_hatnote(line: str) -> bool:
    note = line.lstrip(": ")
    is_italic = note.startswith("''") and note.endswith("''") and len(note) > 4
    return line.startswith(":") and is_italic and "[[" in note
