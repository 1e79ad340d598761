"""Interlanguage links: read from one wiki's langlinks dump and joined to the other's articles.

A row `(ll_from, ll_lang, ll_title)` says: my page `ll_from` is about the same as the page
`ll_title` of wiki `ll_lang`. The wiki that published the dump is the *linking* wiki here, the
other one the *linked* wiki.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from megatron_crossic.data.unpack import OnBytes, ignore_bytes
from megatron_crossic.data.wikipedia.index import WikiIndex
from megatron_crossic.data.wikipedia.sql import read_rows
from megatron_crossic.data.wikipedia.titles import split_fragment
from megatron_crossic.errors import DataError

COLUMNS = ("ll_from", "ll_lang", "ll_title")

NO_PARTNER = "no_partner"
LINK_TO_SECTION = "link_to_section"
DUPLICATE_PARTNER = "duplicate_partner"


@dataclass(frozen=True, kw_only=True, slots=True)
class LangLinks:
    """The links of one wiki to one other."""

    titles: Mapping[int, str]
    """Page id in the linking wiki -> title in the linked wiki as the row spells it."""
    counts: Mapping[str, int]
    """Rows read, and what became of them; `rows` is the sum of the others."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JoinedLinks:
    """The outcome for every article of both wikis."""

    partners: Mapping[int, int]
    """Article of the linking wiki -> article of the linked wiki, one to one."""
    linking_drops: Counter[str] = field(default_factory=Counter)
    linked_drops: Counter[str] = field(default_factory=Counter)


def read_langlinks(
    path: Path, *, linking: WikiIndex, linked_language: str, on_bytes: OnBytes = ignore_bytes
) -> LangLinks:
    """Read the rows that lead from an article of `linking` to the wiki `linked_language`.

    Raises `DataError` where no row at all leads there: then it is the dump of the wrong wiki.
    """
    titles: dict[int, str] = {}
    counts = Counter(
        rows=0, used=0, other_languages=0, pages_that_are_no_article=0, repeated=0, without_title=0
    )
    wanted = linked_language.encode("ascii")
    rows = read_rows(
        path, table="langlinks", columns=COLUMNS, default_columns=COLUMNS, on_bytes=on_bytes
    )
    for from_id, language, title in rows:
        counts["rows"] += 1
        if language != wanted:
            counts["other_languages"] += 1
            continue
        page_id = _page_id(from_id, path=path, row=counts["rows"])
        if page_id not in linking.article_ids:
            counts["pages_that_are_no_article"] += 1
        elif not title:
            counts["without_title"] += 1
        elif page_id in titles:
            counts["repeated"] += 1
        else:
            counts["used"] += 1
            titles[page_id] = title.decode("utf-8", "replace")
    if counts["rows"] == counts["other_languages"]:
        raise DataError(
            f"langlinks must have rows with ll_lang {linked_language!r}, got none among "
            f"{counts['rows']} in {path}. Give the langlinks dump of {linking.language}wiki, or "
            "say with --langlinks-of whose dump it is."
        )
    return LangLinks(titles=titles, counts=counts)


def _page_id(value: bytes | None, *, path: Path, row: int) -> int:
    if value is None or not value.isdigit():
        raise DataError(
            f"ll_from must be a page id, got {value!r} in {path}, row {row}. "
            "The table has other columns or the file is damaged: download it again."
        )
    return int(value)


def join_links(links: LangLinks, *, linking: WikiIndex, linked: WikiIndex) -> JoinedLinks:
    """Give each article at most one partner, and every other article a reason.

    Where several articles lead to one, a link without redirects goes first, then the lower id.
    """
    linking_drops: Counter[str] = Counter()
    candidates: list[tuple[int, int, int]] = []  # (redirects, linking id, linked id)
    for page_id in linking.article_ids:
        title = links.titles.get(page_id)
        if title is None:
            linking_drops[NO_PARTNER] += 1
            continue
        page_title, section = split_fragment(title)
        if section:
            linking_drops[LINK_TO_SECTION] += 1
            continue
        found = linked.resolve(page_title)
        if found.page_id is None:
            linking_drops[found.reason] += 1
        else:
            candidates.append((found.num_redirects, page_id, found.page_id))
    partners: dict[int, int] = {}
    taken: set[int] = set()
    for _, page_id, linked_id in sorted(candidates):
        if linked_id in taken:
            linking_drops[DUPLICATE_PARTNER] += 1
        else:
            partners[page_id] = linked_id
            taken.add(linked_id)
    linked_drops = Counter({NO_PARTNER: len(linked.article_ids) - len(taken)})
    return JoinedLinks(partners=partners, linking_drops=linking_drops, linked_drops=+linked_drops)
