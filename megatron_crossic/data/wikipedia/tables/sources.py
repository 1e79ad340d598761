"""The pages of one wiki read into an index: from its page and redirect tables, or from its dump."""

from collections.abc import Iterable
from pathlib import Path

from megatron_crossic.data.unpack import OnBytes, ignore_bytes
from megatron_crossic.data.wikipedia.dump import Page, read_pages
from megatron_crossic.data.wikipedia.namespaces import is_article, is_interwiki
from megatron_crossic.data.wikipedia.tables.index import IndexBuilder, WikiIndex
from megatron_crossic.data.wikipedia.tables.reasons import (
    REDIRECT_TO_OTHER_NAMESPACE,
    REDIRECT_TO_OTHER_WIKI,
    REDIRECT_WITHOUT_TARGET,
)
from megatron_crossic.data.wikipedia.tables.sql import Damage, Table, read_rows
from megatron_crossic.data.wikipedia.titles import (
    normalise_title,
    split_fragment,
    table_title_key,
    title_key,
)
from megatron_crossic.errors import DataError

PAGE_TABLE = Table(
    name="page",
    columns=("page_id", "page_namespace", "page_title", "page_is_redirect"),
    optional_columns=("page_content_model",),
    # Of dumps without CREATE TABLE: as in 2013 to 2019, when page_restrictions was there.
    default_columns=tuple(
        f"page_{name}"
        for name in "id namespace title restrictions is_redirect is_new random touched "
        "links_updated latest len content_model lang".split()
    ),
)
REDIRECT_TABLE = Table(
    name="redirect",
    columns=("rd_from", "rd_namespace", "rd_title"),
    optional_columns=("rd_interwiki", "rd_fragment"),
    default_columns=("rd_from", "rd_namespace", "rd_title", "rd_interwiki", "rd_fragment"),
)
ARTICLES = b"0"


def index_dump(
    paths: Iterable[Path], *, language: str, on_bytes: OnBytes = ignore_bytes
) -> WikiIndex:
    """Scan the parts of a dump once, without keeping texts."""
    index = IndexBuilder(language)
    for path in paths:
        for page in read_pages(path, with_text=False, on_bytes=on_bytes):
            add_page(index, page)
    return index.build()


def page_kind(page: Page, *, language: str) -> str:
    """What `page` is by itself, one of `PAGE_KINDS`."""
    if page.namespace is None:
        in_articles = is_article(page.title, language=language)
    else:
        in_articles = page.namespace == 0
    if not in_articles:
        return "other_namespaces"
    if page.redirect is not None:
        return "redirects"
    if page.model not in ("", "wikitext") or page.format not in ("", "text/x-wiki"):
        return "other_models"
    return "articles"


def add_page(index: IndexBuilder, page: Page) -> None:
    """Count one page of a dump and take it where it is an article or a redirect."""
    language = index.language
    kind = page_kind(page, language=language)
    index.counts["pages"] += 1
    index.counts[kind] += 1
    if kind not in ("articles", "redirects"):
        return
    key = title_key(normalise_title(page.title, language=language))
    index.add(page_id=page.id, key=key, is_article=kind == "articles")
    if kind == "articles":
        return
    target, section = split_fragment(page.redirect or "", language=language)
    if reason := _dead_end(target, language=language):
        index.add_dead_end(page_id=page.id, reason=reason)
    else:
        index.add_target(page_id=page.id, key=title_key(target), to_section=bool(section))


def _dead_end(target: str, *, language: str) -> str:
    """Why a redirect to `target` leads to no article; empty where it may."""
    if not target:
        return REDIRECT_WITHOUT_TARGET
    if not is_article(target, language=language):
        return REDIRECT_TO_OTHER_NAMESPACE
    return REDIRECT_TO_OTHER_WIKI if is_interwiki(target) else ""


def index_tables(
    page: Path, redirect: Path, *, language: str, on_bytes: OnBytes = ignore_bytes
) -> WikiIndex:
    """Read the `page` and `redirect` tables of one wiki instead of its dump.

    Articles are the pages of namespace 0 that are no redirects and hold wikitext, where the table
    says what they hold.
    """
    index = IndexBuilder(language)
    _read_page_table(index, page, on_bytes, with_articles=True)
    _read_redirect_table(index, redirect, on_bytes)
    return index.build()


def add_redirects(
    index: IndexBuilder, page: Path, redirect: Path, *, on_bytes: OnBytes = ignore_bytes
) -> None:
    """Take the redirects of the tables only, where the articles came from elsewhere.

    The other pages are not counted, so that the counts are those of what is used.
    """
    _read_page_table(index, page, on_bytes, with_articles=False)
    _read_redirect_table(index, redirect, on_bytes)


def _read_page_table(
    index: IndexBuilder, path: Path, on_bytes: OnBytes, *, with_articles: bool
) -> None:
    damage = Damage()
    num_pages = num_articles = num_redirects = num_other_models = 0
    rows = read_rows(path, PAGE_TABLE, on_bytes=on_bytes, damage=damage)
    for page_id, namespace, title, is_redirect, model in rows:
        num_pages += 1
        if namespace != ARTICLES:
            continue
        if is_redirect == b"1":
            num_redirects += 1
        elif model is None or model == b"wikitext":
            num_articles += 1
        else:
            num_other_models += 1
            continue
        if not with_articles and is_redirect != b"1":
            continue
        key = table_title_key(title or b"", language=index.language)
        number = table_number(page_id, "page_id", path)
        index.add(page_id=number, key=key, is_article=is_redirect != b"1")
    index.malformed["page"] = damage.for_account()
    if not with_articles:
        index.counts.update(pages=num_redirects, redirects=num_redirects)
        return
    index.counts.update(
        pages=num_pages,
        articles=num_articles,
        redirects=num_redirects,
        other_models=num_other_models,
        other_namespaces=num_pages - num_articles - num_redirects - num_other_models,
    )


def _read_redirect_table(index: IndexBuilder, path: Path, on_bytes: OnBytes) -> None:
    damage = Damage()
    rows = read_rows(path, REDIRECT_TABLE, on_bytes=on_bytes, damage=damage)
    for from_id, namespace, title, interwiki, fragment in rows:
        page_id = table_number(from_id, "rd_from", path)
        if interwiki:
            index.add_dead_end(page_id=page_id, reason=REDIRECT_TO_OTHER_WIKI)
        elif namespace != ARTICLES:
            index.add_dead_end(page_id=page_id, reason=REDIRECT_TO_OTHER_NAMESPACE)
        elif not title:
            index.add_dead_end(page_id=page_id, reason=REDIRECT_WITHOUT_TARGET)
        else:
            key = table_title_key(title, language=index.language)
            index.add_target(page_id=page_id, key=key, to_section=bool(fragment))
    index.malformed["redirect"] = damage.for_account()


def table_number(value: bytes | None, column: str, path: Path) -> int:
    """The page id in `column`; raises `DataError` where it is none."""
    if value is None or not value.isdigit():
        raise DataError(
            f"{column} must be a page id, got {value!r} in {path}. "
            "The table has other columns or the file is damaged: download it again."
        )
    return int(value)
