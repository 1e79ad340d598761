"""The titles, ids and redirects of one wiki as sorted arrays, whatever they were read from.

A title is its 64-bit key (`title_key`) and no text. Measured at 6 million pages, 60 % of them
redirects: 29 MB a million pages at rest, 72 MB at the peak while it is built, so 1.3 GB for the 18
million pages that the English Wikipedia has in its article namespace.
"""

from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from megatron_crossic.data.wikipedia.tables.reasons import (
    CODE,
    PARTNER_NOT_IN_DUMP,
    REDIRECT_CHAIN_TOO_LONG,
    REDIRECT_LOOP,
    REDIRECT_TARGET_NOT_IN_DUMP,
    REDIRECT_TO_SECTION,
    REDIRECT_WITHOUT_TARGET,
)

PAGE_KINDS = ("articles", "redirects", "other_namespaces", "other_models", "repeated")
"""What a page can be; the counts of a wiki always sum to `pages`."""

MAX_REDIRECTS = 8
"""Followed in a row. MediaWiki itself follows one, and bots mend longer chains within days."""

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolution:
    """Where some titles or redirects lead."""

    page_ids: Ints
    """The articles; -1 where there is none."""
    reasons: Codes
    """Why there is none, by its code; 0 where there is one."""
    num_redirects: Codes
    """Followed on the way."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WikiIndex:
    """The articles and redirects of one wiki; made by `IndexBuilder`."""

    language: str
    article_ids: Ints
    """Ascending, each once."""
    counts: Mapping[str, int]
    """Pages read, and how many were of each of `PAGE_KINDS`."""
    malformed: Mapping[str, Any]
    """SQL table -> its rows that were skipped, and where."""
    title_keys: Ints
    """Of articles and redirects, ascending, each once: an article goes before a redirect of the
    same title, then the lower page id."""
    title_pages: Ints
    """Of each title: the page id of an article, or ~index of a redirect."""
    redirect_ids: Ints
    """Page ids, ascending, each once."""
    redirect_targets: Ints
    """Of each redirect: the index of a title, or ~code of the reason why there is none."""
    redirect_to_section: Flags

    def resolve_titles(self, keys: Ints, *, follow_sections: bool = True) -> Resolution:
        """Follow titles through redirects to articles."""
        titles = find_places(self.title_keys, keys)
        missing = ~np.int64(CODE[PARTNER_NOT_IN_DUMP])
        return self._follow(np.where(titles < 0, missing, titles), follow_sections)

    def resolve_redirects(self, page_ids: Ints, *, follow_sections: bool = True) -> Resolution:
        """Follow redirect pages, all of them in `redirect_ids`, to articles."""
        redirects = np.searchsorted(self.redirect_ids, page_ids)
        targets = self._targets(redirects, follow_sections)
        found = self._follow(targets, follow_sections)
        return Resolution(
            page_ids=found.page_ids,
            reasons=found.reasons,
            num_redirects=found.num_redirects + np.uint8(1),
        )

    def _targets(self, redirects: Ints, follow_sections: bool) -> Ints:
        targets = self.redirect_targets[redirects]
        if not follow_sections:
            targets[self.redirect_to_section[redirects]] = ~CODE[REDIRECT_TO_SECTION]
        return targets

    def _follow(self, targets: Ints, follow_sections: bool) -> Resolution:
        """From indices of titles; ~codes among them are reasons already."""
        page_ids = np.full(len(targets), -1, np.int64)
        reasons = np.zeros(len(targets), np.uint8)
        num_redirects = np.zeros(len(targets), np.uint8)
        at = np.arange(len(targets))  # which are still on their way
        now = targets
        for followed in range(MAX_REDIRECTS + 1):
            num_redirects[at] = followed
            is_dead = now < 0
            reasons[at[is_dead]] = ~now[is_dead]
            at, now = at[~is_dead], now[~is_dead]
            pages = self.title_pages[now]
            is_article = pages >= 0
            page_ids[at[is_article]] = pages[is_article]
            at, now = at[~is_article], now[~is_article]
            if followed < MAX_REDIRECTS:
                now = self._targets(~pages[~is_article], follow_sections)
        for place in at:
            reasons[place] = CODE[self._endless(int(targets[place]))]
        return Resolution(page_ids=page_ids, reasons=reasons, num_redirects=num_redirects)

    def _endless(self, title: int) -> str:
        """Which kind of endless a chain is that begins at a title: round, or only too long."""
        seen = set()
        for _ in range(MAX_REDIRECTS + 1):
            seen.add(title)
            title = int(self.redirect_targets[~self.title_pages[title]])
            if title in seen:
                return REDIRECT_LOOP
            if title < 0 or self.title_pages[title] >= 0:
                break
        return REDIRECT_CHAIN_TOO_LONG


class IndexBuilder:
    """Takes the pages of one wiki in any order; each costs 8 to 25 bytes until `build`."""

    def __init__(self, language: str) -> None:
        self._language = language
        self._ids = {True: array("q"), False: array("q")}  # of articles, of redirects
        self._keys = {True: array("q"), False: array("q")}
        self._target_ids = array("q")
        self._target_keys = array("q")
        self._target_codes = array("B")  # 0: by key; 1: by key, to a section; others: reason + 1
        self.counts = Counter(dict.fromkeys(("pages", *PAGE_KINDS), 0))
        self.malformed: dict[str, Any] = {}

    @property
    def language(self) -> str:
        return self._language

    def add(self, *, page_id: int, key: int, is_article: bool) -> None:
        """Take an article or a redirect; the caller counts it."""
        self._ids[is_article].append(page_id)
        self._keys[is_article].append(key)

    def add_target(self, *, page_id: int, key: int, to_section: bool = False) -> None:
        """Take the title a redirect leads to; its page may come before or after."""
        self._target_ids.append(page_id)
        self._target_keys.append(key)
        self._target_codes.append(int(to_section))

    def add_dead_end(self, *, page_id: int, reason: str) -> None:
        """Take a redirect that leads to no article, for `reason`."""
        self._target_ids.append(page_id)
        self._target_keys.append(0)
        self._target_codes.append(CODE[reason])

    def extend(self, other: "IndexBuilder") -> None:
        """Take all that another builder of the same wiki has taken, behind what is here."""
        for is_article in (True, False):
            self._ids[is_article] += other._ids[is_article]
            self._keys[is_article] += other._keys[is_article]
        self._target_ids += other._target_ids
        self._target_keys += other._target_keys
        self._target_codes += other._target_codes
        self.counts.update(other.counts)

    def build(self) -> WikiIndex:
        """The index; the builder is empty then."""
        article_ids, article_keys = self._take(True)
        redirect_ids, redirect_keys = self._take(False)
        keys = np.concatenate([article_keys, redirect_keys])
        pages = np.concatenate([article_ids, ~np.arange(len(redirect_ids))])
        del article_keys, redirect_keys
        order = np.argsort(keys, kind="stable")  # so the first of a title stays the first
        keys, pages = keys[order], pages[order]
        del order
        is_first = np.concatenate([[True], keys[1:] != keys[:-1]])[: len(keys)]
        keys, pages = keys[is_first], pages[is_first]
        targets, to_section = self._targets(redirect_ids, keys)
        return WikiIndex(
            language=self._language,
            article_ids=article_ids,
            counts=dict(self.counts),
            malformed=self.malformed,
            title_keys=keys,
            title_pages=pages,
            redirect_ids=redirect_ids,
            redirect_targets=targets,
            redirect_to_section=to_section,
        )

    def _take(self, is_article: bool) -> tuple[Ints, Ints]:
        """Ids, ascending and each once, with their keys; of a repeated page the first counts."""
        ids = np.frombuffer(self._ids.pop(is_article), np.int64)
        keys = np.frombuffer(self._keys.pop(is_article), np.int64)
        if len(ids) > 1 and not (ids[1:] > ids[:-1]).all():
            num_pages = len(ids)
            ids, first = np.unique(ids, return_index=True)
            keys = keys[first]
            self.counts["articles" if is_article else "redirects"] -= num_pages - len(ids)
            self.counts["repeated"] += num_pages - len(ids)
        return ids, keys

    def _targets(self, redirect_ids: Ints, title_keys: Ints) -> tuple[Ints, Flags]:
        """Where each redirect leads, as in `WikiIndex`."""
        ids, first = np.unique(np.frombuffer(self._target_ids, np.int64), return_index=True)
        keys = np.frombuffer(self._target_keys, np.int64)[first]
        codes = np.frombuffer(self._target_codes, np.uint8)[first]
        self._target_ids, self._target_keys, self._target_codes = array("q"), array("q"), array("B")
        titles = find_places(title_keys, keys)
        titles[titles < 0] = ~CODE[REDIRECT_TARGET_NOT_IN_DUMP]
        is_dead = codes > 1
        titles[is_dead] = ~codes[is_dead].astype(np.int64)
        rows = find_places(ids, redirect_ids)
        none = np.full(len(redirect_ids), ~CODE[REDIRECT_WITHOUT_TARGET])
        if not len(ids):
            return none, np.zeros(len(redirect_ids), np.bool_)
        return np.where(rows < 0, none, titles[rows]), (rows >= 0) & (codes[rows] == 1)


def find_places(ascending: Ints, wanted: Ints) -> Ints:
    """Where each of `wanted` stands in `ascending`, -1 where it does not."""
    if not len(ascending):
        return np.full(len(wanted), -1, np.int64)
    places = np.minimum(np.searchsorted(ascending, wanted), len(ascending) - 1)
    return np.where(ascending[places] == wanted, places, -1)
