"""Shards become one data set.

What is merged are the shards of one run: same inputs, options and tokenizer, each shard once. The
windows are those of a run without shards, in the order of the shards, and so are the pairs; only
that order differs. Tokens are copied as they are; spans get the pair ordinals and language indices
of the whole.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from megatron_crossic.data.account import Account
from megatron_crossic.data.budget import TokenBudget
from megatron_crossic.data.data_set import DataSetInProgress
from megatron_crossic.data.indexed import token_dtype
from megatron_crossic.data.options import shard_prefix
from megatron_crossic.data.report import with_account
from megatron_crossic.data.spans import NO_PAIR
from megatron_crossic.data.store import open_windows
from megatron_crossic.data.windows import WindowLayout, Windows
from megatron_crossic.data.writer import WindowWriter, data_set_files
from megatron_crossic.errors import DataError
from megatron_crossic.files import FileFingerprint, fingerprint_file
from megatron_crossic.manifest import (
    Manifest,
    check_file,
    is_incomplete,
    manifest_path,
    read_manifest,
)

WINDOWS_AT_ONCE = 2048


@dataclass(frozen=True, kw_only=True, slots=True)
class MergeOptions:
    """Which shards become what."""

    output_prefix: Path
    num_shards: int
    match_tokens: Path | None = None
    """Prefix of a data set with as many document tokens as the merged one shall have."""
    overwrite: bool = False

    @property
    def shards(self) -> list[Path]:
        """Prefixes as `tools/preprocess_data.py --shard` names them."""
        count = self.num_shards
        return [shard_prefix(self.output_prefix, index, count) for index in range(count)]


def merge_shards(
    options: MergeOptions, *, on_windows: Callable[[int, int], None] = lambda _done, _total: None
) -> Manifest:
    """Write `PREFIX.*` from `PREFIX-00000-of-0000n.*` …; the shards stay.

    Raises `DataError` where a shard is missing, unfinished, damaged or of another run.
    `on_windows` is called with the windows copied so far and their number.
    """
    shards = [_Shard(prefix) for prefix in options.shards]
    for index, shard in enumerate(shards):
        _check_shard(shard, shards[0], index=index, count=options.num_shards)
    total = sum(shard.num_windows for shard in shards)
    layout = _layout(shards[0].manifest)
    # A merge that was killed while its files got their names left the mark.
    overwrite = options.overwrite or is_incomplete(manifest_path(options.output_prefix))
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(2))
        checks = [pool.submit(shard.check_content) for shard in shards]
        writer = stack.enter_context(
            WindowWriter(options.output_prefix, layout=layout, overwrite=overwrite)
        )
        merged = DataSetInProgress(writer=writer, assembly="", largest=layout.budget)
        if options.match_tokens is not None:
            merged.budget = TokenBudget.of(options.match_tokens, pad_id=layout.pad_id)
        for shard, check in zip(shards, checks, strict=True):
            check.result()
            for windows in shard.windows(merged):
                merged.add_windows(windows)
                on_windows(writer.num_windows, total)
            shard.copy_pairs(writer)
            merged.account.add(shard.account())
        merged.finish()
        manifest = _manifest(options, shards, merged, files=writer.close_files())
        writer.commit(manifest)
    return manifest


class _Shard:
    """One finished shard; it may have no windows."""

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix
        self.manifest = read_manifest(manifest_path(prefix), kind="windows")
        self.num_windows = int(self.manifest.counts["windows"])
        for role, file in data_set_files(prefix).items():
            check_file(file.parent, role, self.manifest.files[role])
        self._store = open_windows(prefix) if self.num_windows else None

    def check_content(self) -> None:
        """Refuse damaged files; reads all of them."""
        for role, file in data_set_files(self.prefix).items():
            check_file(file.parent, role, self.manifest.files[role], deep=True)

    def windows(self, merged: DataSetInProgress) -> Iterator[Windows]:
        """The windows with the pair ordinals and language indices of the whole."""
        store, first_pair = self._store, merged.writer.num_pairs
        table = merged.languages.remap(self.manifest.details["languages"])
        if store is None:
            return
        for start in range(0, self.num_windows, WINDOWS_AT_ONCE):
            stop = min(start + WINDOWS_AT_ONCE, self.num_windows)
            spans = np.array(store.spans_block(start, stop)[0])
            spans["pair"][spans["pair"] != NO_PAIR] += np.uint32(first_pair)
            spans["language"] = table[spans["language"]]
            yield Windows(tokens=store.tokens_of(start, stop), spans=spans)

    def copy_pairs(self, writer: WindowWriter) -> None:
        with data_set_files(self.prefix)["pairs"].open("rb") as file:
            while block := file.read(1 << 22):
                writer.add_pairs(block, num_pairs=block.count(b"\n"))

    def account(self) -> Account:
        return Account.from_manifest(self.manifest.counts, self.manifest.drops)


def _check_shard(shard: _Shard, first: _Shard, *, index: int, count: int) -> None:
    found, wanted = shard.manifest, first.manifest
    if found.options["shard"] != [index, count]:
        raise DataError(
            f"{shard.prefix} must be shard {index}/{count}, got {found.options['shard']} in its "
            f"manifest. Make it with --shard {index}/{count}."
        )
    same = {
        "options": (_without_shard(found.options), _without_shard(wanted.options)),
        "inputs": (found.inputs, wanted.inputs),
        "tokenizer": (found.details["tokenizer"], wanted.details["tokenizer"]),
        "code version": (found.code_version, wanted.code_version),
    }
    for thing, (one, other) in same.items():
        if one != other:
            raise DataError(
                f"shards must have the same {thing}, got {one} in {shard.prefix} and {other} in "
                f"{first.prefix}. Make all shards with one command and the same files."
            )


def _without_shard(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name != "shard"}


def _layout(manifest: Manifest) -> WindowLayout:
    details = manifest.details
    tokenizer = details["tokenizer"]
    return WindowLayout(
        seq_length=int(details["seq_length"]),
        bos_id=tokenizer["bos_id"],
        split_id=tokenizer["split_id"],
        pad_id=tokenizer["pad_id"],
        dtype=token_dtype(int(details["vocab_size"])),
    )


def _manifest(
    options: MergeOptions,
    shards: Sequence[_Shard],
    merged: DataSetInProgress,
    *,
    files: Mapping[str, FileFingerprint],
) -> Manifest:
    """As the run without shards would have written it; its parents are the shards' manifests."""
    match = options.match_tokens and str(options.match_tokens)
    encoders = [shard.manifest.details["tokenized_by"] for shard in shards]
    first = shards[0].manifest
    manifest = replace(
        first,
        options={**first.options, "shard": None, "match_tokens": match},
        parents=[fingerprint_file(manifest_path(shard.prefix)).sha256 for shard in shards],
        details={
            **first.details,
            "tokenized_by": next((each for each in encoders if each["distrusted"]), encoders[0]),
        },
    )
    return with_account(manifest, merged.account, merged.languages.names(), files=files)
