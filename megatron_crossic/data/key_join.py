"""Documents of two languages joined by a column that says what they are about.

JSON lines or Parquet rows on both sides, a text and any key in each: a Wikidata id, an ISBN, the
path of a page on a site that exists in two languages. Records with the same key become a pair.

Every record that is read is in the output or under a reason in the manifest.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from megatron_crossic.data.inputs import Block, file_blocks, first_line_number, input_bytes
from megatron_crossic.data.keyed import Keyed, KeyedPairs, KeyedSide
from megatron_crossic.data.pairs import KIND, block_records, write_pairs
from megatron_crossic.data.parquet import is_parquet
from megatron_crossic.data.records import Document, check_language
from megatron_crossic.errors import ConfigError, DataError
from megatron_crossic.files import (
    FileFingerprint,
    fingerprint_file,
    refuse_existing,
    refuse_inputs,
)
from megatron_crossic.manifest import Manifest, is_incomplete, manifest_path

OnProgress = Callable[[int, int], None]
"""Called with the bytes read so far and all of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyedFiles:
    """The records of one language, and which of their fields are what."""

    files: tuple[Path, ...]
    language: str
    """ISO 639-1 code of every text."""
    key: str
    """Field whose value is compared: a string or a whole number, compared as text."""
    text: str = "text"
    title: str = "title"
    """A record without it has an empty title."""
    id: str = ""
    """Field that names the document; empty for language and key, as in `th:Q64`."""

    def __post_init__(self) -> None:
        check_language(self.language, thing="language")
        if not self.files or not self.key or not self.text:
            raise ConfigError(
                f"files, key and text must be given for both sides, got {len(self.files)} files, "
                f"key {self.key!r} and text {self.text!r}. Name the files and their fields."
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyJoinOptions:
    """What to join."""

    source: KeyedFiles
    target: KeyedFiles
    output: Path
    min_characters: int = 1
    licence: str = ""
    """Licence of the texts, noted in every pair's provenance unless empty."""
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.source.language == self.target.language:
            raise ConfigError(
                f"languages must differ, got {self.target.language} for both sides. "
                "Say which language each side is in."
            )
        if self.min_characters < 1:
            raise ConfigError(
                f"min_characters must be at least 1, got {self.min_characters}. "
                "Use 1 to keep every text that is not empty."
            )


def join_by_key(
    options: KeyJoinOptions, *, on_progress: OnProgress = lambda _done, _total: None
) -> Manifest:
    """Write `options.output` and its manifest; raises `DataError` where no key is on both sides.

    Memory holds a key and a number for each record of the target side; its texts wait beside the
    output meanwhile.
    """
    account = manifest_path(options.output)
    outputs = (options.output, account)
    paths = [*options.source.files, *options.target.files]
    refuse_existing(*outputs, overwrite=options.overwrite or is_incomplete(account))
    refuse_inputs(outputs, inputs=paths)
    inputs = [fingerprint_file(path) for path in paths]
    progress = _Progress(on_progress, total=sum(map(input_bytes, paths)))
    made = KeyedPairs(
        min_characters=options.min_characters, origin="given", licence=options.licence
    )
    pairs = made.pairs(
        _documents(options.source, progress),
        _documents(options.target, progress),
        folder=options.output.parent,
    )
    return write_pairs(
        options.output,
        pairs,
        lambda pair_file: _manifest(options, made, pair_file=pair_file, inputs=inputs),
    )


class _Progress:
    """Adds up the bytes of both sides."""

    def __init__(self, on_progress: OnProgress, *, total: int) -> None:
        self._on_progress = on_progress
        self._total = total
        self._done = 0

    def add(self, num_bytes: int) -> None:
        self._done += num_bytes
        self._on_progress(self._done, self._total)


def _documents(side: KeyedFiles, progress: _Progress) -> Iterator[Keyed]:
    for path in side.files:
        for block in file_blocks(path):
            yield from _block_documents(side, block)
            progress.add(block.disk_bytes)


def _block_documents(side: KeyedFiles, block: Block) -> Iterator[Keyed]:
    """The records of one block; lines are counted only once an error wants to know."""
    try:
        yield from _parse(side, block, first_line=1)
    except DataError:
        if is_parquet(block.path) or not block.start:
            raise
        for _ in _parse(side, block, first_line=first_line_number(block)):
            pass
        raise


def _parse(side: KeyedFiles, block: Block, *, first_line: int) -> Iterator[Keyed]:
    for _, place, record in block_records(block, first_line):
        yield _keyed(side, record, where=f"{block.path}, {place}")


def _keyed(side: KeyedFiles, record: Mapping[str, Any], *, where: str) -> Keyed:
    known = {side.text, side.title, side.id, side.key}
    key = _key(record.get(side.key), where=f"{where}: {side.key}")
    name = record.get(side.id) if side.id else None
    return Keyed(
        key=key,
        document=Document(
            id=f"{side.language}:{key}" if name is None else str(name),
            language=side.language,
            title=_text(record.get(side.title), where=f"{where}: {side.title}"),
            text=_text(record.get(side.text), where=f"{where}: {side.text}"),
        ),
        provenance={side.key: key}
        | {name: v for name, v in record.items() if name not in known and v is not None},
    )


def _key(value: Any, *, where: str) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int | None):
        raise DataError(
            f"{where} must be a string or a whole number, got {value!r}. "
            "Name a field that every record can be told by."
        )
    return None if value is None else str(value).strip() or None


def _text(value: Any, *, where: str) -> str:
    if not isinstance(value, str | None):
        raise DataError(
            f"{where} must be a string, got {type(value).__name__}. Name the field that is one."
        )
    return value or ""


def _manifest(
    options: KeyJoinOptions,
    made: KeyedPairs,
    *,
    pair_file: FileFingerprint,
    inputs: list[FileFingerprint],
) -> Manifest:
    sides = {"source": made.source, "target": made.target}
    drops = {f"{name}.{r}": n for name, side in sides.items() for r, n in (+side.drops).items()}
    if not made.num_pairs:
        reasons = ", ".join(f"{n} {reason}" for reason, n in drops.items())
        raise DataError(
            f"records must have keys in common, got none in {options.source.key!r} of the source "
            f"and {options.target.key!r} of the target ({reasons or 'no records'}). "
            "Name the fields that hold the same ids."
        )
    return Manifest(
        kind=KIND,
        options={
            "source": _for_manifest(options.source),
            "target": _for_manifest(options.target),
            "min_characters": options.min_characters,
            "licence": options.licence,
        },
        counts={"pairs": made.num_pairs} | {name: _counts(side) for name, side in sides.items()},
        drops=drops,
        files={KIND: pair_file},
        inputs=inputs,
    )


def _for_manifest(side: KeyedFiles) -> dict[str, Any]:
    fields = ("language", "key", "text", "title", "id")
    return {name: getattr(side, name) for name in fields} | {
        "files": [path.name for path in side.files]
    }


def _counts(side: KeyedSide) -> dict[str, int]:
    return {"records": side.num_read, "characters_in_pairs": side.num_characters}
