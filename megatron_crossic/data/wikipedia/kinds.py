"""Kinds of pages in the article namespace that one may not want: told by title and wikitext alone.

What a page is by its categories, or by a template that only calls another one, is not seen.
"""

import re
from functools import cache
from typing import Literal

from megatron_crossic.data.wikipedia import kind_names as names

PageKind = Literal["disambiguation", "list", "stub"]

# A name behind two brackets and before `|`, the end or a line end. Names with brackets of any kind
# are none that we know. Nothing here is tried twice, so that no page takes long.
TEMPLATE = re.compile(
    r"\{\{\s*+(?:template\s*+:\s*+)?([^{}|<>\[\]\n#]++)(?=[|}\n<])", re.IGNORECASE
)
UNSEEN = re.compile(
    r"<!--.*?(?:-->|\Z)|<nowiki>(?:(?!<nowiki>).)*?</nowiki>", re.DOTALL | re.IGNORECASE
)
SUFFIX = re.compile(r"\s*[(（]([^()（）]+)[)）]\s*$")
DISAMBIGUATION_WORD = re.compile(r"__(?:DISAMBIG|DESAMBIGUACIÓN|DESAMBIG|توضيح|曖昧さ回避)__", re.I)


def page_kinds(title: str, wikitext: str, *, language: str) -> frozenset[PageKind]:
    """All kinds of a page; none for an ordinary article. `language` is that of the wiki."""
    found: set[PageKind] = set()
    if is_disambiguation(title, wikitext, language=language):
        found.add("disambiguation")
    if is_list(title, language=language):
        found.add("list")
    if is_stub(wikitext, language=language):
        found.add("stub")
    return frozenset(found)


def is_disambiguation(title: str, wikitext: str, *, language: str) -> bool:
    """Whether a page only lists what its title may mean."""
    suffix = SUFFIX.search(title)
    if suffix and _plain(suffix[1]) in _words("DISAMBIGUATION_SUFFIXES", language):
        return True
    if DISAMBIGUATION_WORD.search(wikitext):
        return True
    return not _templates(wikitext).isdisjoint(_words("DISAMBIGUATION_TEMPLATES", language))


def is_list(title: str, *, language: str) -> bool:
    """Whether the title says that the page is a list: `List of rivers`, `川の一覧`."""
    plain = _plain(SUFFIX.sub("", title))
    if plain in _words("LIST_ENDS", language):
        return False  # an article about lists
    return plain.startswith(_ends("LIST_STARTS", language)) or plain.endswith(
        _ends("LIST_ENDS", language)
    )


def is_stub(wikitext: str, *, language: str) -> bool:
    """Whether a template marks the page as a stub: `{{Geo-stub}}`, `{{بذرة جغرافيا}}`."""
    whole, excepted = _words("STUB_NAMES", language), _ends("NO_STUBS", language)
    starts, ends = _ends("STUB_STARTS", language), _ends("STUB_ENDS", language)
    return any(
        (name in whole or name.startswith(starts) or name.endswith(ends))
        and not name.startswith(excepted)
        for name in _templates(wikitext)
    )


def _templates(wikitext: str) -> set[str]:
    """The names of all templates a page calls itself."""
    return {_plain(name) for name in TEMPLATE.findall(UNSEEN.sub("", wikitext))}


def _plain(name: str) -> str:
    return " ".join(name.replace("_", " ").split()).casefold()


@cache
def _words(table: str, language: str) -> frozenset[str]:
    return frozenset(_ends(table, language))


@cache
def _ends(table: str, language: str) -> tuple[str, ...]:
    """The names of a table in one language and in English, for `startswith` and `endswith`."""
    by_language: dict[str, str] = getattr(names, table)
    found = {*by_language.get("en", "").split(), *by_language.get(language, "").split()}
    return tuple(sorted(name.replace("_", " ").casefold() for name in found))
