"""Folders of dumps: which file is which, and how much is in them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from megatron_crossic.data.pairs import read_pairs
from megatron_crossic.data.unpack import read_blocks
from megatron_crossic.data.wikipedia.dump import read_pages
from megatron_crossic.data.wikipedia.tables.sql import Table, read_rows
from megatron_crossic.errors import ConfigError

DUMPS = ("pages-articles-multistream*.xml*", "pages-articles*.xml*")
"""What to look for after `XXwiki-`, the first that is there."""
TABLES = ("page", "redirect")


@dataclass(frozen=True, kw_only=True, slots=True)
class WikiFiles:
    """What one wiki published."""

    language: str
    dumps: tuple[Path, ...]
    langlinks: Path | None
    tables: Mapping[str, Path]


@dataclass(frozen=True, kw_only=True, slots=True)
class WikiSize:
    """One wiki in bytes."""

    xml_bytes: int
    article_bytes: Mapping[int, int]
    """Page id -> bytes of wikitext, of articles only."""


def find_wiki(folder: Path, language: str) -> WikiFiles:
    """The files of one wiki, with or without a date in their names."""

    def named(pattern: str) -> list[Path]:
        found = {
            *folder.glob(f"{language}wiki-{pattern}"),
            *folder.glob(f"{language}wiki-*-{pattern}"),
        }
        return sorted(path for path in found if "index" not in path.name)

    dumps = next(filter(None, map(named, DUMPS)), [])
    if not dumps:
        raise ConfigError(
            f"--wikis must be folders with dumps of {language}wiki, got none in {folder}. "
            "Make them with synthetic_wikis.py, or download pages-articles and the SQL tables."
        )
    tables = {name: named(f"{name}.sql*") for name in (*TABLES, "langlinks")}
    return WikiFiles(
        language=language,
        dumps=tuple(dumps),
        langlinks=next(iter(tables.pop("langlinks")), None),
        tables={name: paths[0] for name, paths in tables.items() if paths},
    )


def wiki_size(wiki: WikiFiles) -> WikiSize:
    """Read the dumps, or the page table where there is one, for how large everything is."""
    lengths = _lengths_in_table(wiki.tables["page"]) if "page" in wiki.tables else _lengths(wiki)
    return WikiSize(
        xml_bytes=sum(len(block) for path in wiki.dumps for block in read_blocks(path)),
        article_bytes=dict(lengths),
    )


def _lengths(wiki: WikiFiles) -> Iterator[tuple[int, int]]:
    for path in wiki.dumps:
        for page in read_pages(path, with_text=True):
            if page.redirect is None and not page.namespace:
                yield page.id, len(page.text.encode("utf-8", "replace"))


def _lengths_in_table(path: Path) -> Iterator[tuple[int, int]]:
    columns = ("page_id", "page_namespace", "page_is_redirect", "page_len")
    for row in read_rows(path, Table(name="page", columns=columns, default_columns=())):
        page_id, namespace, is_redirect, length = (int(value or 0) for value in row)
        if not namespace and not is_redirect:
            yield page_id, length


def paired_pages(path: Path) -> Iterator[tuple[str, int]]:
    """Language and page id of every article in a pair."""
    for pair in read_pairs(path):
        for document in pair.documents:
            yield document.language, int(document.id.partition(":")[2])
