"""Interlanguage links joined to the articles of both wikis: one partner each, or one reason.

    langlinks ─► rows ─► where it starts: an article, or a redirect that leads to one
                     └─► where it ends:   an article, or a redirect that leads to one
                              │
                              ▼
            candidates, the fewest redirects first ─► pairs, one to one

Rules. Of several rows of one page the first counts. Candidates are taken in the order of redirects
on both sides together, page id in the linking wiki, page id in the linked wiki; one is a pair if
both of its articles are still free. So the straighter link wins, whichever side the redirects are
on, and of equal ones that of the lower page id.

An article left over has one reason: that its partner went to another (`duplicate_partner`), else
what is wrong with its own link or with that of the redirect nearest to it, else that there is no
link. Everything but the pass over conflicting candidates is array arithmetic.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from megatron_crossic.data.wikipedia.options import SideName
from megatron_crossic.data.wikipedia.tables.index import (
    Codes,
    Flags,
    Ints,
    Resolution,
    WikiIndex,
    find_places,
)
from megatron_crossic.data.wikipedia.tables.links import LangLinks
from megatron_crossic.data.wikipedia.tables.reasons import (
    CODE,
    DUPLICATE_PARTNER,
    LINK_TO_SECTION,
    NO_PARTNER,
    OUTCOMES,
    PAIRED,
    PARTNER_NOT_IN_DUMP,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class SideAccount:
    """What became of every article of one wiki."""

    article_ids: Ints
    """Ascending."""
    outcomes: Codes
    """Of each article, its place in `OUTCOMES`."""
    counts: Mapping[str, int]
    """Pages by kind; those of `PAGE_KINDS` sum to `pages`."""

    @staticmethod
    def of(index: WikiIndex, outcomes: Codes) -> "SideAccount":
        return SideAccount(article_ids=index.article_ids, outcomes=outcomes, counts=index.counts)

    def drops(self) -> dict[str, int]:
        """Reason -> articles without a partner; they and the pairs are all articles."""
        numbers = np.bincount(self.outcomes, minlength=len(OUTCOMES))
        found = zip(OUTCOMES, numbers.tolist(), strict=True)
        return {outcome: n for outcome, n in found if n and outcome != PAIRED}

    def outcome(self, page_id: int) -> str:
        """What became of one article."""
        return OUTCOMES[self.outcomes[np.searchsorted(self.article_ids, page_id)]]


@dataclass(frozen=True, kw_only=True, slots=True)
class WikiJoin:
    """The pairs, and the account of all articles and links."""

    source_ids: Ints
    """Page ids of the pairs, ascending."""
    target_ids: Ints
    """Of the partners, in the order of `source_ids`; each once."""
    source: SideAccount
    target: SideAccount
    links: Mapping[str, int]
    """Rows of langlinks, and what became of them; `rows` is the sum of the others."""
    malformed: Mapping[str, Any]
    """Table (`source.page`, `langlinks`, …) -> its rows that were skipped and where; none for a
    table without any."""

    def skipped_rows(self) -> dict[str, Any]:
        """`malformed` as far as there is anything."""
        return {table: each for table, each in self.malformed.items() if each["rows"]}

    def partners(self) -> dict[int, int]:
        """Source page -> target page."""
        return dict(zip(self.source_ids.tolist(), self.target_ids.tolist(), strict=True))


def join_wikis(
    *,
    source: WikiIndex,
    target: WikiIndex,
    links: LangLinks,
    links_of: SideName,
    follow_sections: bool = True,
) -> WikiJoin:
    """Pair the articles of two wikis by the links that one of them published.

    Without `follow_sections` a redirect that leads to a section of an article leads nowhere.
    """
    linking, linked = (source, target) if links_of == "source" else (target, source)
    starts, counts = _starts(links, linking, follow_sections)
    ends = _ends(links, starts, linked, follow_sections)
    is_candidate = ends.page_ids >= 0
    linking_ids, linked_ids = _choose(starts, ends, is_candidate)
    linking_outcomes = _outcomes(linking, starts.articles[is_candidate], linking_ids)
    _enter_reasons(linking_outcomes, linking, starts, ends, links.from_ids[starts.rows])
    linked_outcomes = _outcomes(linked, ends.page_ids[is_candidate], linked_ids)
    sides = [
        (linking_ids, SideAccount.of(linking, linking_outcomes)),
        (linked_ids, SideAccount.of(linked, linked_outcomes)),
    ]
    (source_ids, source_side), (target_ids, target_side) = sides[
        :: 1 if links_of == "source" else -1
    ]
    order = np.argsort(source_ids)
    return WikiJoin(
        source_ids=source_ids[order],
        target_ids=target_ids[order],
        source=source_side,
        target=target_side,
        links=counts,
        malformed=_malformed(source, target, links),
    )


def _malformed(source: WikiIndex, target: WikiIndex, links: LangLinks) -> dict[str, Any]:
    tables = {
        **{f"source.{name}": skipped for name, skipped in source.malformed.items()},
        **{f"target.{name}": skipped for name, skipped in target.malformed.items()},
        **links.malformed,
    }
    return {name: skipped for name, skipped in tables.items() if skipped["rows"]}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Starts:
    """The rows of langlinks that start at an article, be it through redirects."""

    rows: Ints
    articles: Ints
    num_redirects: Codes


def _starts(
    links: LangLinks, linking: WikiIndex, follow_sections: bool
) -> tuple[_Starts, dict[str, int]]:
    from_ids = links.from_ids
    is_article = find_places(linking.article_ids, from_ids) >= 0
    is_redirect = ~is_article & (find_places(linking.redirect_ids, from_ids) >= 0)
    is_first = np.zeros(len(from_ids), np.bool_)
    is_first[np.unique(from_ids, return_index=True)[1]] = True
    is_known = is_article | is_redirect
    articles = from_ids.copy()
    num_redirects = np.zeros(len(from_ids), np.uint8)
    at = np.flatnonzero(is_redirect)
    found = linking.resolve_redirects(from_ids[at], follow_sections=follow_sections)
    articles[at], num_redirects[at] = found.page_ids, found.num_redirects
    is_lost = is_known & is_first & (articles < 0)
    rows = np.flatnonzero(is_known & is_first & ~is_lost)
    counts = {
        **links.counts,
        "pages_that_are_no_article": int((~is_known).sum()),
        "repeated": int((is_known & ~is_first).sum()),
        "redirects_to_no_article": int(is_lost.sum()),
        "used": int(is_article[rows].sum()),
        "used_of_redirects": int(is_redirect[rows].sum()),
    }
    starts = _Starts(rows=rows, articles=articles[rows], num_redirects=num_redirects[rows])
    return starts, counts


def _ends(
    links: LangLinks, starts: _Starts, linked: WikiIndex, follow_sections: bool
) -> Resolution:
    """Where each row of `starts` leads."""
    found = linked.resolve_titles(links.keys[starts.rows], follow_sections=follow_sections)
    told = links.reasons[starts.rows]
    is_section = told == CODE[LINK_TO_SECTION]
    is_elsewhere = (told > 0) & (found.reasons == CODE[PARTNER_NOT_IN_DUMP])
    return replace(
        found,
        page_ids=np.where(is_section, -1, found.page_ids),
        reasons=np.where(is_section | is_elsewhere, told, found.reasons),
    )


def _choose(starts: _Starts, ends: Resolution, is_candidate: Flags) -> tuple[Ints, Ints]:
    """The pairs among the candidates: articles of the linking wiki and of the linked one."""
    linking, linked = starts.articles[is_candidate], ends.page_ids[is_candidate]
    num_redirects = starts.num_redirects[is_candidate] + ends.num_redirects[is_candidate]
    order = np.lexsort((linked, linking, num_redirects))
    linking, linked = linking[order], linked[order]
    is_pair = _is_single(linking) & _is_single(linked)
    # Few others are left, and none of them can take an article of those.
    taken_linking: set[int] = set()
    taken_linked: set[int] = set()
    for place in np.flatnonzero(~is_pair):
        one, other = int(linking[place]), int(linked[place])
        if one not in taken_linking and other not in taken_linked:
            taken_linking.add(one)
            taken_linked.add(other)
            is_pair[place] = True
    return linking[is_pair], linked[is_pair]


def _is_single(values: Ints) -> Flags:
    """Which values are there once."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray(counts[inverse] == 1)


def _outcomes(index: WikiIndex, candidates: Ints, paired: Ints) -> Codes:
    outcomes = np.full(len(index.article_ids), CODE[NO_PARTNER], np.uint8)
    outcomes[np.searchsorted(index.article_ids, candidates)] = CODE[DUPLICATE_PARTNER]
    outcomes[np.searchsorted(index.article_ids, paired)] = CODE[PAIRED]
    return outcomes


def _enter_reasons(
    outcomes: Codes, linking: WikiIndex, starts: _Starts, ends: Resolution, from_ids: Ints
) -> None:
    """Give articles of the linking wiki whose links all fail the reason of the nearest one."""
    failed = np.flatnonzero(ends.page_ids < 0)
    order = np.lexsort((from_ids[failed], starts.num_redirects[failed]))
    failed = failed[order]
    articles, first = np.unique(starts.articles[failed], return_index=True)
    places = np.searchsorted(linking.article_ids, articles)
    is_open = outcomes[places] == CODE[NO_PARTNER]
    outcomes[places[is_open]] = ends.reasons[failed[first]][is_open]
