"""What the first pass over a dump remembers: titles, ids, redirects and a count of all pages."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from megatron_crossic.data.unpack import OnBytes, ignore_bytes
from megatron_crossic.data.wikipedia.dump import Page, read_pages
from megatron_crossic.data.wikipedia.namespaces import is_article
from megatron_crossic.data.wikipedia.titles import normalise_title, split_fragment

PARTNER_NOT_IN_DUMP = "partner_not_in_dump"
REDIRECT_LOOP = "redirect_loop"
REDIRECT_WITHOUT_TARGET = "redirect_without_target"
REDIRECT_TARGET_NOT_IN_DUMP = "redirect_target_not_in_dump"

PAGE_KINDS = ("articles", "redirects", "other_namespaces", "other_models", "repeated")
"""What a page can be; the counts of a dump always sum to `pages`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolution:
    """Where a title leads."""

    page_id: int | None
    """The article; None where there is none, for the reason that follows."""
    reason: str = ""
    num_redirects: int = 0
    """Redirects followed on the way."""


@dataclass(kw_only=True, slots=True)
class WikiIndex:
    """The articles and redirects of one wiki, as far as its dump parts hold them."""

    language: str
    article_ids: set[int] = field(default_factory=set)
    id_by_title: dict[str, int] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    """Normalised title -> normalised target, empty where the redirect names none."""
    counts: Counter[str] = field(
        default_factory=lambda: Counter(dict.fromkeys(("pages", *PAGE_KINDS), 0))
    )
    """Pages read, and how many were of each of `PAGE_KINDS`."""

    def add(self, page: Page) -> None:
        """Count one page and remember it where it is an article or a redirect."""
        kind = self.kind(page)
        if kind == "articles" and page.id in self.article_ids:
            kind = "repeated"
        self.counts["pages"] += 1
        self.counts[kind] += 1
        title = normalise_title(page.title)
        if kind == "redirects":
            self.redirects.setdefault(title, split_fragment(page.redirect or "")[0])
        elif kind == "articles":
            self.article_ids.add(page.id)
            # Two articles of one title are in merged slices only: links lead to the first.
            self.id_by_title.setdefault(title, page.id)

    def kind(self, page: Page) -> str:
        """What `page` is by itself, one of `PAGE_KINDS`."""
        if page.namespace is None:
            in_articles = is_article(page.title, language=self.language)
        else:
            in_articles = page.namespace == 0
        if not in_articles:
            return "other_namespaces"
        if page.redirect is not None:
            return "redirects"
        if page.model not in ("", "wikitext") or page.format not in ("", "text/x-wiki"):
            return "other_models"
        return "articles"

    def resolve(self, title: str) -> Resolution:
        """Follow `title` through redirects to an article; loops and dead ends give a reason."""
        seen = set()
        while title not in self.id_by_title:
            if title in seen:
                return Resolution(page_id=None, reason=REDIRECT_LOOP)
            seen.add(title)
            target = self.redirects.get(title)
            if target == "":
                return Resolution(page_id=None, reason=REDIRECT_WITHOUT_TARGET)
            if target is None:
                is_first = len(seen) == 1
                reason = PARTNER_NOT_IN_DUMP if is_first else REDIRECT_TARGET_NOT_IN_DUMP
                return Resolution(page_id=None, reason=reason)
            title = target
        return Resolution(page_id=self.id_by_title[title], num_redirects=len(seen))


def index_dump(
    paths: Iterable[Path], *, language: str, on_bytes: OnBytes = ignore_bytes
) -> WikiIndex:
    """Scan the parts of a dump once, without keeping texts."""
    index = WikiIndex(language=language)
    for path in paths:
        for page in read_pages(path, with_text=False, on_bytes=on_bytes):
            index.add(page)
    return index
