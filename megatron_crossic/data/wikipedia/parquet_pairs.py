"""Article pairs from Parquet files of clean articles and the links between them.

Wikimedia's `wikipedia` data set has one row an article: `id` (the page id), `url`, `title`, `text`,
and one set of files a language. Its texts are clean already, so nothing but the join is left.

    source files ─► ids, titles ─┐                       target files ─► texts on disk ─┐
    target files ─► ids, titles ─┼─► join ─► partners ─►                                ├─► pairs
    langlinks ───────────────────┘                       source files ──────────────────┘

The data set has no redirects. A link that leads to one finds its article only where the wiki's page
and redirect tables are given as well.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from megatron_crossic.data.keyed import Keyed, KeyedPairs
from megatron_crossic.data.pairs import KIND, write_pairs
from megatron_crossic.data.parquet import num_rows, read_columns
from megatron_crossic.data.records import Document
from megatron_crossic.data.wikipedia.options import SideName, both_tables, check_sides
from megatron_crossic.data.wikipedia.progress import Progress, file_meter, no_progress
from megatron_crossic.data.wikipedia.tables.index import IndexBuilder, WikiIndex
from megatron_crossic.data.wikipedia.tables.join import SideAccount, WikiJoin, join_wikis
from megatron_crossic.data.wikipedia.tables.links import read_langlinks
from megatron_crossic.data.wikipedia.tables.sources import add_redirects
from megatron_crossic.data.wikipedia.titles import normalise_title, title_key
from megatron_crossic.errors import ConfigError, DataError
from megatron_crossic.files import (
    FileFingerprint,
    fingerprint_file,
    refuse_existing,
    refuse_inputs,
)
from megatron_crossic.manifest import Manifest, is_incomplete, manifest_path

COLUMNS = ("id", "url", "title", "text")


@dataclass(frozen=True, kw_only=True, slots=True)
class ParquetSide:
    """The files of one wiki."""

    language: str
    """ISO 639-1, and the code of the wiki."""
    files: tuple[Path, ...]
    page: Path | None = None
    """SQL dump of the page table, for redirects; together with `redirect` or not at all."""
    redirect: Path | None = None

    def __post_init__(self) -> None:
        if not self.files:
            raise ConfigError("files must be given for both sides, got none. Name at least one.")
        both_tables(self.page, self.redirect)

    @property
    def tables(self) -> tuple[Path, ...]:
        return tuple(path for path in (self.page, self.redirect) if path)


@dataclass(frozen=True, kw_only=True, slots=True)
class ParquetPairsOptions:
    """What goes in and what counts as a usable article."""

    source: ParquetSide
    target: ParquetSide
    langlinks: Path
    langlinks_of: SideName = "target"
    """The wiki that published `langlinks`."""
    follow_sections: bool = False
    """Whether a redirect to a section stands for the article that has the section."""
    min_characters: int = 1
    licence: str = "CC BY-SA 4.0"
    """Licence of the texts, noted in every pair's provenance."""

    def __post_init__(self) -> None:
        check_sides(
            source_language=self.source.language,
            target_language=self.target.language,
            langlinks_of=self.langlinks_of,
            min_characters=self.min_characters,
        )

    @property
    def inputs(self) -> list[Path]:
        sides = (self.source, self.target)
        return [path for side in sides for path in (*side.files, *side.tables)] + [self.langlinks]

    def for_manifest(self) -> dict[str, Any]:
        """The options with file names instead of paths."""
        return {key: _names(value) for key, value in asdict(self).items()}


def pairs_from_parquet(
    options: ParquetPairsOptions,
    *,
    output: Path,
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> Manifest:
    """Write the pair file `output` and its manifest, and return the manifest.

    Memory holds the ids and title keys of both sides and a page of rows, no texts; the texts of
    the target side wait beside `output`. An error leaves nothing behind.
    """
    account = manifest_path(output)
    refuse_existing(output, account, overwrite=overwrite or is_incomplete(account))
    refuse_inputs([output, account], inputs=options.inputs)
    inputs = [fingerprint_file(path) for path in options.inputs]
    joined = _join(options, progress)
    made = KeyedPairs(
        min_characters=options.min_characters, origin="langlink", licence=options.licence
    )
    target_of = joined.partners()
    identity = {target: target for target in target_of.values()}
    pairs = made.pairs(
        _articles(options.source, target_of, meter_name="pair source", progress=progress),
        _articles(options.target, identity, meter_name="read target", progress=progress),
        folder=output.parent,
    )
    return write_pairs(
        output,
        pairs,
        lambda pair_file: _manifest(options, joined, made, pair_file=pair_file, inputs=inputs),
    )


def _join(options: ParquetPairsOptions, progress: Progress) -> WikiJoin:
    source = index_parquet(options.source, stage="index source", progress=progress)
    target = index_parquet(options.target, stage="index target", progress=progress)
    is_of_target = options.langlinks_of == "target"
    linking, linked = (target, source) if is_of_target else (source, target)
    links = read_langlinks(
        options.langlinks,
        linking_language=linking.language,
        linked_language=linked.language,
        on_bytes=file_meter(progress, "links", (options.langlinks,)),
    )
    return join_wikis(
        source=source,
        target=target,
        links=links,
        links_of=options.langlinks_of,
        follow_sections=options.follow_sections,
    )


def index_parquet(side: ParquetSide, *, stage: str, progress: Progress = no_progress) -> WikiIndex:
    """Ids and titles of all rows, and redirects where the tables are given."""
    index = IndexBuilder(side.language)
    for row in _rows(side, ("id", "title"), stage=stage, progress=progress):
        key = title_key(normalise_title(str(row["title"] or ""), language=side.language))
        index.add(page_id=row["id"], key=key, is_article=True)
        index.counts["pages"] += 1
        index.counts["articles"] += 1
    if side.page and side.redirect:
        on_bytes = file_meter(progress, f"{stage} redirects", side.tables)
        add_redirects(index, side.page, side.redirect, on_bytes=on_bytes)
    return index.build()


def _articles(
    side: ParquetSide, keys: Mapping[int, int], *, meter_name: str, progress: Progress
) -> Iterator[Keyed]:
    """The articles whose page ids are in `keys`, once each, joined by what stands there."""
    waiting = dict(keys)
    for row in _rows(side, COLUMNS, stage=meter_name, progress=progress):
        key = waiting.pop(row["id"], None)
        if key is not None:
            yield Keyed(key=key, document=_document(side, row), provenance=_provenance(side, row))
    if waiting:
        raise DataError(
            f"Parquet files of {side.language} must stay as they are while they are read, got "
            f"{len(waiting)} articles less in the second pass. Run the command again."
        )


def _rows(
    side: ParquetSide, columns: tuple[str, ...], *, stage: str, progress: Progress
) -> Iterator[dict[str, Any]]:
    """All rows of a side, their ids as numbers."""
    on_bytes = file_meter(progress, stage, side.files)
    for path in side.files:
        bytes_a_row = path.stat().st_size / max(1, num_rows(path))
        for number, row in enumerate(read_columns(path, columns)):
            on_bytes(int((number + 1) * bytes_a_row) - int(number * bytes_a_row))
            value = str(row["id"])
            if not (value.isascii() and value.isdigit()):
                raise DataError(
                    f"id must be the number of a page, got {row['id']!r} in {path}. "
                    "Use files with the columns id, url, title, text."
                )
            yield {**row, "id": int(value)}


def _document(side: ParquetSide, row: Mapping[str, Any]) -> Document:
    return Document(
        id=f"{side.language}wiki:{row['id']}",
        language=side.language,
        title=str(row["title"] or ""),
        text=str(row["text"] or ""),
    )


def _provenance(side: ParquetSide, row: Mapping[str, Any]) -> dict[str, Any]:
    return {"wiki": f"{side.language}wiki", "page_id": row["id"], "url": str(row["url"] or "")}


def _manifest(
    options: ParquetPairsOptions,
    joined: WikiJoin,
    made: KeyedPairs,
    *,
    pair_file: FileFingerprint,
    inputs: list[FileFingerprint],
) -> Manifest:
    drops: dict[str, int] = {}
    for name, account, side in (
        ("source", joined.source, made.source),
        ("target", joined.target, made.target),
    ):
        reasons = Counter(account.drops()) + side.drops
        left = len(account.article_ids) - made.num_pairs - reasons.total()
        assert left == 0, f"{left} {name} articles are neither paired nor dropped"
        drops |= {f"{name}.{reason}": n for reason, n in reasons.items()}
    if not made.num_pairs:
        reasons_text = ", ".join(f"{n} {reason}" for reason, n in drops.items())
        raise DataError(
            "Parquet files must have articles that link to each other, got no pair and dropped: "
            f"{reasons_text or 'none'}. Check that files and langlinks are of the wikis you named."
        )
    return Manifest(
        kind=KIND,
        options=options.for_manifest(),
        counts={
            "pairs": made.num_pairs,
            "source": _counts(joined.source, made.source.num_characters),
            "target": _counts(joined.target, made.target.num_characters),
            "langlinks": dict(joined.links),
        },
        drops=drops,
        files={KIND: pair_file},
        inputs=inputs,
        details={"malformed_rows": joined.skipped_rows()},
    )


def _counts(account: SideAccount, num_characters: int) -> dict[str, int]:
    return {**account.counts, "characters_in_pairs": num_characters}


def _names(value: Any) -> Any:
    if isinstance(value, Path):
        return value.name
    if isinstance(value, dict):
        return {key: _names(each) for key, each in value.items()}
    return [_names(each) for each in value] if isinstance(value, tuple) else value
