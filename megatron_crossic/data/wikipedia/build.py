"""Two dumps and the links between them in, a pair file with the account of every page out."""

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from megatron_crossic.data.pairs import KIND, write_pairs
from megatron_crossic.data.records import Document, Pair
from megatron_crossic.data.wikipedia.clean import clean_wikitext
from megatron_crossic.data.wikipedia.dump import Page, read_pages
from megatron_crossic.data.wikipedia.index import WikiIndex
from megatron_crossic.data.wikipedia.join import WikiJoin, join_wikis
from megatron_crossic.data.wikipedia.links import read_langlinks
from megatron_crossic.data.wikipedia.options import SideName, WikipediaPairsOptions
from megatron_crossic.data.wikipedia.progress import Progress, meter, no_progress
from megatron_crossic.data.wikipedia.sources import index_dump, page_kind
from megatron_crossic.errors import DataError
from megatron_crossic.files import (
    FileFingerprint,
    fingerprint_file,
    refuse_existing,
    refuse_inputs,
)
from megatron_crossic.jsonl import to_json_line
from megatron_crossic.manifest import Manifest, is_incomplete, manifest_path

EMPTY_AFTER_CLEANING = "empty_after_cleaning"
TOO_SHORT = "too_short"
CLEANING_FAILED = "cleaning_failed"
PARTNER_UNUSABLE = "partner_unusable"


def build_wikipedia_pairs(
    options: WikipediaPairsOptions,
    *,
    output: Path,
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> Manifest:
    """Write the pair file `output` and its manifest, and return the manifest.

    An error leaves nothing behind, and an older output as it was.
    """
    account = manifest_path(output)
    paths = [*options.source_dumps, *options.target_dumps, options.langlinks]
    refuse_existing(output, account, overwrite=overwrite or is_incomplete(account))
    refuse_inputs([output, account], inputs=paths)
    inputs = [fingerprint_file(path) for path in paths]
    builder = _Builder(options, progress)
    joined = builder.join()
    return write_pairs(
        output,
        builder.pairs(output.parent),
        lambda pair_file: builder.manifest(joined, pair_file=pair_file, inputs=inputs),
    )


@dataclass(kw_only=True, slots=True)
class _Side:
    """One wiki: its dump, what the first pass found in it, and what became of its articles."""

    name: SideName
    paths: tuple[Path, ...]
    index: WikiIndex
    drops: Counter[str] = field(default_factory=Counter)
    num_characters: int = 0
    """Of the clean texts in pairs."""

    @property
    def wiki(self) -> str:
        return f"{self.index.language}wiki"

    def counts(self) -> dict[str, int]:
        return {**self.index.counts, "characters_in_pairs": self.num_characters}


class _Builder:
    """The two passes; the steps are called in the order they stand here."""

    def __init__(self, options: WikipediaPairsOptions, progress: Progress) -> None:
        self._options = options
        self._progress = progress
        self._num_pairs = 0
        self._target_of: dict[int, int] = {}  # source page -> target page
        self._source = self._index("source", options.source_dumps, options.source_language)
        self._target = self._index("target", options.target_dumps, options.target_language)

    def _index(self, name: SideName, paths: tuple[Path, ...], language: str) -> _Side:
        on_bytes = meter(self._progress, f"index {name}", paths)
        index = index_dump(paths, language=language, on_bytes=on_bytes)
        if not len(index.article_ids):
            raise DataError(
                f"{name} dump must hold articles, got {index.counts['pages']} pages without any "
                f"in {', '.join(map(str, paths))}. Use the pages-articles dump of the wiki."
            )
        return _Side(name=name, paths=paths, index=index)

    def join(self) -> WikiJoin:
        """Find every article's partner; articles without one are dropped here."""
        options = self._options
        from_target = options.langlinks_of == "target"
        languages = (options.target_language, options.source_language)
        linking, linked = languages if from_target else languages[::-1]
        links = read_langlinks(
            options.langlinks,
            linking_language=linking,
            linked_language=linked,
            on_bytes=meter(self._progress, "links", (options.langlinks,)),
        )
        joined = join_wikis(
            source=self._source.index,
            target=self._target.index,
            links=links,
            links_of=options.langlinks_of,
        )
        self._source.drops.update(joined.source.drops())
        self._target.drops.update(joined.target.drops())
        self._target_of = joined.partners()
        return joined

    def pairs(self, folder: Path) -> Iterator[Pair]:
        """Clean the targets into a file without a name in `folder`, then pair the sources."""
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as store:
            offsets = self._store_targets(store)
            usable = {s for s, t in self._target_of.items() if t in offsets}
            self._source.drops[PARTNER_UNUSABLE] += len(self._target_of) - len(usable)
            for page, text in self._clean_articles(self._source, usable):
                if reason := self._reason(text):
                    self._source.drops[reason] += 1
                    self._target.drops[PARTNER_UNUSABLE] += 1
                    continue
                store.seek(offsets[self._target_of[page.id]])
                stored = orjson.loads(store.readline())
                self._num_pairs += 1
                self._source.num_characters += len(text or "")
                self._target.num_characters += len(stored["text"])
                yield self._pair(_article(self._source, page, text or ""), stored)
        if not self._num_pairs:
            reasons = ", ".join(f"{n} {reason}" for reason, n in self._drops().items())
            raise DataError(
                "dumps must have articles that link to each other, got no pair and "
                f"dropped: {reasons or 'none'}. Check that the dumps and the langlinks "
                "are of the wikis you named, or lower --min-characters."
            )

    def _store_targets(self, store: BinaryIO) -> dict[int, int]:
        """Page id -> where its clean article lies in `store`."""
        offsets: dict[int, int] = {}
        wanted = set(self._target_of.values())
        for page, text in self._clean_articles(self._target, wanted):
            if reason := self._reason(text):
                self._target.drops[reason] += 1
                continue
            offsets[page.id] = store.tell()
            store.write(to_json_line(_article(self._target, page, text or "")))
        return offsets

    def _clean_articles(self, side: _Side, wanted: set[int]) -> Iterator[tuple[Page, str | None]]:
        """The wanted articles of a dump with their clean text, None where cleaning failed."""
        on_bytes = meter(self._progress, f"clean {side.name}", side.paths)
        waiting = set(wanted)
        for path in side.paths:
            for page in read_pages(path, with_text=True, on_bytes=on_bytes):
                if page.id not in waiting or (
                    page_kind(page, language=side.index.language) != "articles"
                ):
                    continue
                waiting.remove(page.id)
                yield page, self._clean(page, language=side.index.language)
        if waiting:
            raise DataError(
                f"{side.name} dump must stay as it is while it is read, got {len(waiting)} "
                "articles less in the second pass. Run the command again."
            )

    def _clean(self, page: Page, *, language: str) -> str | None:
        try:
            return clean_wikitext(
                page.text, language=language, keep_headings=self._options.keep_headings
            )
        except DataError:
            return None

    def _reason(self, text: str | None) -> str:
        """Why a clean text cannot be used; empty where it can."""
        if text is None:
            return CLEANING_FAILED
        if not text:
            return EMPTY_AFTER_CLEANING
        return TOO_SHORT if len(text) < self._options.min_characters else ""

    def _pair(self, source: dict[str, Any], target: dict[str, Any]) -> Pair:
        return Pair(
            id=f"{source['id']}-{target['id']}",
            source=_document(source),
            targets=(_document(target),),
            origin="langlink",
            provenance={
                "source": source["provenance"],
                "target": target["provenance"],
                "licence": self._options.licence,
            },
        )

    def _drops(self) -> dict[str, int]:
        sides = (self._source, self._target)
        return {f"{side.name}.{reason}": n for side in sides for reason, n in (+side.drops).items()}

    def manifest(
        self, joined: WikiJoin, *, pair_file: FileFingerprint, inputs: list[FileFingerprint]
    ) -> Manifest:
        """The account, after the last pair."""
        for side in (self._source, self._target):
            left = len(side.index.article_ids) - self._num_pairs - side.drops.total()
            assert left == 0, f"{left} {side.name} articles are neither paired nor dropped"
        return Manifest(
            kind=KIND,
            options=self._options.for_manifest(),
            counts={
                "pairs": self._num_pairs,
                "source": self._source.counts(),
                "target": self._target.counts(),
                "langlinks": dict(joined.links),
            },
            drops=self._drops(),
            files={KIND: pair_file},
            inputs=inputs,
            parents=[],
            details={"malformed_rows": joined.malformed},
        )


def _article(side: _Side, page: Page, text: str) -> dict[str, Any]:
    return {
        "id": f"{side.wiki}:{page.id}",
        "language": side.index.language,
        "title": page.title,
        "text": text,
        "provenance": {
            "wiki": side.wiki,
            "page_id": page.id,
            "revision_id": page.revision_id,
            "timestamp": page.timestamp,
        },
    }


def _document(article: dict[str, Any]) -> Document:
    return Document(**{key: article[key] for key in ("id", "language", "title", "text")})
