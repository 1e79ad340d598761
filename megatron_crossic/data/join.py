"""Pair files that share sources become one with several targets: windows of many languages.

Two records belong together when their source has the same language and the same id or, without
one, the same title; a source with neither is left out. The text is taken from the first file; the
others lend their targets, each in a language of its own. The first file is read front to back. The
records of the others are kept in memory, packed: about the size of their text divided by three, so
join the parts of a large Wikipedia one by one.

Every record that is read is in the output or under a reason in the manifest.
"""

import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

import orjson

from megatron_crossic.data.inputs import file_blocks, input_bytes
from megatron_crossic.data.pairs import KIND, block_pairs, fingerprint_pairs, write_pairs
from megatron_crossic.data.records import Document, Pair, pair_from_json, pair_to_json
from megatron_crossic.errors import ConfigError, DataError
from megatron_crossic.files import FileFingerprint, refuse_existing, refuse_inputs
from megatron_crossic.manifest import Manifest, is_incomplete, manifest_path

Require = Literal["all", "any"]
SourceKey = tuple[str, str]
"""Language, and id or title."""
OnProgress = Callable[[int, int], None]
"""Called with the bytes read so far and all of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JoinOptions:
    """Which files to join."""

    pairs: tuple[Path, ...]
    """The first gives the sources."""
    output: Path
    require: Require = "all"
    """Whether a source needs a target in all files or in any besides the first."""
    overwrite: bool = False

    def __post_init__(self) -> None:
        if len(self.pairs) < 2:
            raise ConfigError(
                f"pairs must name at least two files, got {len(self.pairs)}. Name those to join."
            )
        if self.require not in get_args(Require):
            raise ConfigError(
                f"require must be one of {', '.join(get_args(Require))}, got {self.require!r}. "
                "Choose one of them."
            )


@dataclass(kw_only=True, slots=True)
class _Account:
    read: int = 0
    written: int = 0
    differing_sources: int = 0
    """Records whose source text is another in a later file; the first file's is used."""
    dropped: Counter[str] = field(default_factory=Counter)


def join_pairs(
    options: JoinOptions, *, on_progress: OnProgress = lambda _done, _total: None
) -> Manifest:
    """Write `options.output` and its manifest; raises `DataError` where nothing is in common."""
    account_path = manifest_path(options.output)
    outputs = (options.output, account_path)
    refuse_existing(*outputs, overwrite=options.overwrite or is_incomplete(account_path))
    refuse_inputs(outputs, inputs=options.pairs)
    inputs = [fingerprint_pairs(path) for path in options.pairs]
    progress = _Progress(options.pairs, on_progress)
    account = _Account()
    others = [_index(path, progress, account) for path in options.pairs[1:]]
    return write_pairs(
        options.output,
        _joined(options, others, progress, account),
        lambda pair_file: _manifest(options, account, pair_file=pair_file, inputs=inputs),
    )


class _Progress:
    """Reads files and says how far it is."""

    def __init__(self, paths: Sequence[Path], on_progress: OnProgress) -> None:
        self._on_progress = on_progress
        self._total = sum(map(input_bytes, paths))
        self._done = 0

    def read(self, path: Path) -> Iterator[Pair]:
        for block in file_blocks(path):
            yield from block_pairs(block)
            self._done += block.disk_bytes
            self._on_progress(self._done, self._total)


def source_key(document: Document) -> SourceKey | None:
    """What makes two sources the same; None where nothing tells a source from others."""
    name = document.id or document.title.strip()
    return (document.language, name) if name else None


def _index(path: Path, progress: _Progress, account: _Account) -> dict[SourceKey, bytes]:
    """Packed records by their source; of two with the same source the first stays."""
    found: dict[SourceKey, bytes] = {}
    for pair in progress.read(path):
        key = source_key(pair.source)
        if key is None:
            account.dropped[f"no_id_or_title_in_{path.name}"] += 1
        elif key in found:
            account.dropped[f"repeated_source_in_{path.name}"] += 1
        else:
            found[key] = zlib.compress(orjson.dumps(pair_to_json(pair)), 1)
    return found


def _joined(
    options: JoinOptions,
    others: Sequence[dict[SourceKey, bytes]],
    progress: _Progress,
    account: _Account,
) -> Iterator[Pair]:
    seen: set[SourceKey] = set()
    first, *rest = options.pairs
    unused = [len(other) for other in others]
    for pair in progress.read(first):
        account.read += 1
        key = source_key(pair.source)
        if key is None or key in seen:
            reason = "no_id_or_title" if key is None else "repeated_source"
            account.dropped[f"{reason}_in_{first.name}"] += 1
            continue
        seen.add(key)
        packed = [other.get(key) for other in others]
        missing = [path for path, each in zip(rest, packed, strict=True) if each is None]
        if len(missing) > (0 if options.require == "all" else len(rest) - 1):
            account.dropped[f"no_target_in_{missing[0].name}"] += 1
            continue
        yield _with_targets(pair, [_unpack(each) for each in packed if each is not None], account)
        account.written += 1
        unused = [n - (each is not None) for n, each in zip(unused, packed, strict=True)]
    for path, count in zip(rest, unused, strict=True):
        if count:
            account.dropped[f"source_not_joined_in_{path.name}"] += count


def _unpack(packed: bytes) -> Pair:
    return pair_from_json(orjson.loads(zlib.decompress(packed)), where="a record read before")


def _with_targets(pair: Pair, others: Sequence[Pair], account: _Account) -> Pair:
    account.differing_sources += any(each.source.text != pair.source.text for each in others)
    pairs = [pair, *others]
    targets = tuple(target for each in pairs for target in each.targets)
    languages = [target.language for target in targets]
    if len(set(languages)) < len(languages):
        # Spans tell the documents of a pair apart by their language.
        raise DataError(
            f"targets of a joined pair must be in different languages, got {' '.join(languages)} "
            f"for {pair.id!r}. Leave out a file whose language another one has."
        )
    return replace(
        pair,
        targets=targets,
        provenance={"joined": [{"id": p.id, "provenance": dict(p.provenance)} for p in pairs]},
    )


def _manifest(
    options: JoinOptions,
    account: _Account,
    *,
    pair_file: FileFingerprint,
    inputs: Sequence[FileFingerprint],
) -> Manifest:
    if not account.written:
        reasons = ", ".join(f"{n} {reason}" for reason, n in account.dropped.items())
        raise DataError(
            f"pair files must have sources in common, got {account.read} in the first and none in "
            f"{'all' if options.require == 'all' else 'any'} of the others ({reasons or 'empty'}). "
            "Records are joined by the source's language and id, or else its title."
        )
    return Manifest(
        kind=KIND,
        options={"pairs": [str(path) for path in options.pairs], "require": options.require},
        counts={
            "pairs_read": account.read,
            "pairs": account.written,
            "differing_sources": account.differing_sources,
        },
        drops=dict(account.dropped),
        files={KIND: pair_file},
        inputs=inputs,
    )
