"""Rendered text to paragraphs: lists, broken lines, holes that dropped templates left behind."""

import re
from collections.abc import Iterator

from megatron_crossic.data.wikipedia.cleaning.characters import (
    FORMULA_END,
    FORMULA_START,
    LINE_BREAK,
)
from megatron_crossic.data.wikipedia.namespaces import is_category, is_file

BLANKS = re.compile(" {2,}")
LIST_LINE = re.compile(r"([*#:;]+)\s*(.*)")
# Kana, Han and their punctuation: lines of such text join without a blank.
UNSPACED = re.compile("[\u3001-\u303f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uff65]")

OPEN_FILE = re.compile(r"\[\[\s*([^\[\]|\n]+)\|[^\n]*")
# A category with one bracket too few, at either end.
OPEN_CATEGORY = re.compile(
    r"\[{1,2}\s*([^\[\]|:]{1,40}):[^\[\]\n]*\]{0,2}|([^\[\]|:\s]{1,40}):[^\[\]\n]{0,300}\]{1,2}"
)
LEFTOVER = re.compile(
    r"\{\{[^{}\[\]]*\}\}|\{\||\|\}|^\{\{.*|\{\{+(?:[^{}|]{1,80}\|)?|\}\}+|\[\[+|\]\]+|'{3,}"
    r"|</?(?:ref|references|span|div|small|big|br|center|font|nowiki|sup|sub|p|b|i|u|s|em|strong|"
    r"blockquote|math|gallery|noinclude|includeonly|onlyinclude|table|tr|td|th|ul|ol|li|code|pre|"
    r"poem|cite|abbr|section|ref_name)\b[^<>]*>?"
    r"|\|\s*(?:thumb(?:nail)?|(?:miniatur\w*|frame|right|left|center)\b)\|?",
    re.IGNORECASE,
)
# Without one of these a line has no leftover and is no junk.
MARKS = ("[", "]", "{", "}", "<", "|", "!", "''")
JUNK_LINE = re.compile(r"(?:\||\{\||!.*(?:!!|\||=))")
HAS_CONTENT = re.compile(rf"[^\W_]|{FORMULA_START}")

SEPARATORS = ";,:،؛、，；：·"
HOLES: tuple[tuple[re.Pattern[str], str], ...] = (
    # ( ; 1900) -> (1900), (Berlin; ) -> (Berlin)
    (re.compile(rf"([(（])[\s{SEPARATORS}]++"), r"\1"),
    (re.compile(rf"(?<![\s{SEPARATORS}])[\s{SEPARATORS}]++(?=[)）])"), ""),
    # (a; , b) -> (a; b)
    (re.compile(rf"([{SEPARATORS}])(?:\s*[;,،؛、，；](?=\s|$|[)）、，]))+"), r"\1"),
    (re.compile(r"\s?\(\)|（）|「\s*」|『\s*』|\[\s*\]"), ""),
)
# A blank before punctuation where something was dropped; `.NET` and `:)` keep theirs.
STOPS = ".,;:!?،؛؟。、，；：！？"
STRAY_BLANK = re.compile(rf" +([{STOPS}])(?=\s|$|[\"')\]»”’])| +(?=[、。，])")
# Where none of these is, there is no hole and no stray blank: most lines, so that one search saves
# five. It begins with one set, which is fast to search for.
UNTIDY = re.compile(
    rf"[(（「『\[)）·{STOPS}]"
    rf"(?:(?<=[(（「『\[])[\s{SEPARATORS})）」』\]]|(?<=[{SEPARATORS}])\s*[{SEPARATORS})）]"
    rf"|(?<=\s[)）{STOPS}]))"
)
# Filling a hole can open the next, `((()))`: that often, then what is left of markup goes.
MAX_PASSES = 20
NO_BRACKETS = str.maketrans("", "", "[]{}<>|")
LEADING_SEPARATORS = re.compile(r"^(?:[-–—.,;:،؛、，；：](?:\s+|$))+")


def to_paragraphs(text: str, *, language: str) -> list[str]:
    """The paragraphs of rendered text: list items on lines of their own, other lines joined."""
    if LINE_BREAK in text:
        text = text.replace(LINE_BREAK, "\n" + LINE_BREAK)
    has_markup = any(mark in text for mark in MARKS)
    paragraphs: list[str] = []
    pieces: list[str] = []
    for line in _lines(text, language=language, has_markup=has_markup):
        if line:
            if pieces:
                pieces.append(_joint(pieces[-1], line))
            pieces.append(line)
        elif pieces:
            paragraphs.append("".join(pieces).replace(LINE_BREAK, ""))
            pieces = []
    return paragraphs


def _joint(before: str, line: str) -> str:
    """What goes between two lines of a paragraph: running text is joined."""
    if line[0] == LINE_BREAK or before[-1] == LINE_BREAK:
        return "\n"
    # Where a template between two lines went, the second may begin with a comma.
    if line[0] in ",.;:!?،؛؟":
        return ""
    return "" if UNSPACED.match(before[-1]) and UNSPACED.match(line[0]) else " "


def _lines(text: str, *, language: str, has_markup: bool) -> Iterator[str]:
    """Clean lines; `LINE_BREAK` opens those that are not to be joined to the line before."""
    number = 0
    for raw in text.split("\n"):
        is_broken = raw[:1] == LINE_BREAK
        line = tidy_line(raw[is_broken:], language=language, has_markup=has_markup)
        is_rule = line[:4] == "----"
        if not line or is_rule:
            # A line that lost all its content is not the end of the paragraph around it.
            if is_rule or is_broken or not raw.strip():
                yield ""
            continue
        found = LIST_LINE.match(line)
        number = number + 1 if found and found[1] == "#" else number * bool(found)
        if found:
            line = _list_item(found[1], found[2], number)
            if line:
                yield LINE_BREAK + line + LINE_BREAK
        else:
            yield LINE_BREAK + line if is_broken else line
    yield ""


def _list_item(marker: str, text: str, number: int) -> str:
    text = LEADING_SEPARATORS.sub("", text)
    if not HAS_CONTENT.search(text):
        return ""
    if marker == "#":
        return f"{number}. {text}"
    if marker[-1] in "*#":
        return f"- {text}"
    # `; term : meaning` is a line of a glossary, `:` only indents.
    return re.sub(r"\s*:\s+", ": ", text, count=1) if marker[-1] == ";" else text


def tidy_line(line: str, *, language: str, has_markup: bool = True) -> str:
    """One line without leftovers of markup, empty brackets and stray blanks.

    `has_markup` may be False where the line has none of `MARKS`.
    """
    line = line.strip()
    if has_markup:
        if JUNK_LINE.match(line):
            return ""
        if "[" in line or "]" in line:
            line = OPEN_FILE.sub(lambda found: _open_file(found, language), line)
            line = OPEN_CATEGORY.sub(lambda found: _open_category(found, language), line)
        # A line of a gallery whose tags are broken.
        if "|" in line and is_file(line.partition("|")[0], language=language):
            return ""
    if has_markup or UNTIDY.search(line):
        line = STRAY_BLANK.sub(r"\1", _without_leftovers(line))
    if "  " in line:
        line = BLANKS.sub(" ", line)
    line = line.strip()
    is_kept = HAS_CONTENT.search(line) or line.startswith("----")
    return line if is_kept else ""


def _without_leftovers(line: str) -> str:
    # What one pass takes out can join what was apart: `{<b>{`, `|()thumb`.
    for _ in range(MAX_PASSES):
        before = line
        line = LEFTOVER.sub("", line)
        for hole, filling in HOLES:
            line = hole.sub(filling, line)
        if line == before:
            return line
    return line.translate(NO_BRACKETS)


def _open_file(found: re.Match[str], language: str) -> str:
    """A picture link that never ends goes to the end of its line."""
    return "" if is_file(found[1].strip(), language=language) else found[0]


def _open_category(found: re.Match[str], language: str) -> str:
    title = f"{found[1] or found[2]}:"
    return "" if is_category(title, language=language) else found[0]


def insert_formulas(text: str, formulas: list[str]) -> str:
    """Put the formulas back at their numbers."""
    numbers = re.compile(f"{FORMULA_START}([0-9]+){FORMULA_END}")
    return numbers.sub(lambda found: f"${formulas[int(found[1])]}$", text)
