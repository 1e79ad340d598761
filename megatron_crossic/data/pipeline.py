"""Pair records in, Megatron data sets out: the stages in order, one pair after the other.

With a validation fraction the pair files are read twice, once for each data set: reading JSON is
far cheaper than tokenizing, which happens once for each pair, and the stages stay one chain.
"""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from megatron_crossic.data.account import Account
from megatron_crossic.data.indexed import token_dtype
from megatron_crossic.data.modes import LanguageTable, pairs_to_chunks
from megatron_crossic.data.options import PreprocessOptions
from megatron_crossic.data.pairs import read_pairs
from megatron_crossic.data.records import Pair
from megatron_crossic.data.report import DataSetReport, PreprocessReport, windows_manifest
from megatron_crossic.data.selection import drop_empty, is_held_out, limit_length_ratio
from megatron_crossic.data.sides import EncodedPair, encode_pairs
from megatron_crossic.data.tokenizer import Tokenizer, load_tokenizer
from megatron_crossic.data.windows import WindowLayout, best_fit, build_window, split_aware
from megatron_crossic.data.writer import WindowWriter, data_set_files
from megatron_crossic.errors import ConfigError, DataError
from megatron_crossic.files import beside, fingerprint_file, refuse_inputs, unreadable
from megatron_crossic.manifest import is_incomplete, manifest_path, read_manifest

VALIDATION_SUFFIX = "-validation"


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far preprocessing is; `total_lines` counts both readings where there are two."""

    lines: int
    total_lines: int
    windows: int


def preprocess(
    options: PreprocessOptions, *, on_progress: Callable[[Progress], None] = lambda _: None
) -> PreprocessReport:
    """Make `PREFIX.*` (and `PREFIX-validation.*`) from pair records."""
    tokenizer = load_tokenizer(options.tokenizer, eod_token=options.eod_token)
    options.check_seq_length(tokenizer)
    layout = WindowLayout(
        seq_length=options.seq_length,
        bos_id=tokenizer.bos_id,
        split_id=options.split_id(tokenizer),
        pad_id=tokenizer.pad_id,
        dtype=token_dtype(tokenizer.vocab_size),
    )
    inputs = tuple(fingerprint_file(path) for path in options.pairs)
    jobs = [_Job(options=options, tokenizer=tokenizer, layout=layout, held_out=False)]
    if options.validation_fraction:
        jobs.append(dataclasses.replace(jobs[0], held_out=True))
    for job in jobs:
        refuse_inputs(data_set_files(job.prefix).values(), inputs=options.pairs)
    total_lines = sum(map(_count_lines, options.pairs)) * len(jobs)
    # A run that was killed while its files got their names left the mark on the training set.
    overwrite = options.overwrite or is_incomplete(manifest_path(options.output_prefix))
    with ExitStack() as stack:
        writers = [
            stack.enter_context(WindowWriter(job.prefix, layout=layout, overwrite=overwrite))
            for job in jobs
        ]
        if not options.validation_fraction:
            _refuse_stale_validation(options.output_prefix)
        watch = _Watch(on_progress=on_progress, total_lines=total_lines)
        reports = [
            job.write_windows(writer, watch) for job, writer in zip(jobs, writers, strict=True)
        ]
        files = [writer.close_files() for writer in writers]
        for i in reversed(range(len(writers))):  # the training set last, its mark covers both
            writers[i].commit(
                windows_manifest(
                    reports[i],
                    options=options,
                    tokenizer=tokenizer,
                    layout=layout,
                    files=files[i],
                    inputs=inputs,
                )
            )
    return PreprocessReport(training=reports[0], validation=dict(enumerate(reports)).get(1))


def _refuse_stale_validation(prefix: Path) -> None:
    """An older run's held-out pairs would now be in the training set beside them."""
    path = manifest_path(beside(prefix, VALIDATION_SUFFIX))
    if path.exists() and read_manifest(path, kind="windows").details["held_out"]:
        raise ConfigError(
            f"--validation-fraction must stay above 0 beside held-out windows of an earlier run, "
            f"got 0 with {path}. Give a fraction, remove that data set or choose another prefix."
        )


@dataclass(kw_only=True, slots=True)
class _Watch:
    """Counts what passes and tells the caller."""

    on_progress: Callable[[Progress], None]
    total_lines: int
    lines: int = 0
    windows: int = 0

    def report(self) -> None:
        self.on_progress(
            Progress(lines=self.lines, total_lines=self.total_lines, windows=self.windows)
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Job:
    """One data set: the training or the validation share of the pairs."""

    options: PreprocessOptions
    tokenizer: Tokenizer
    layout: WindowLayout
    held_out: bool

    @property
    def prefix(self) -> Path:
        prefix = self.options.output_prefix
        return beside(prefix, VALIDATION_SUFFIX) if self.held_out else prefix

    def write_windows(self, writer: WindowWriter, watch: _Watch) -> DataSetReport:
        """The flow, stage by stage."""
        options, account, languages = self.options, Account(), LanguageTable()
        pairs = self._read(watch)
        encoded = encode_pairs(pairs, self.tokenizer, with_title=options.with_title)
        complete = drop_empty(encoded, account)
        comparable = limit_length_ratio(
            complete, account, ratio=options.max_length_ratio, rule=options.length_ratio_rule
        )
        recorded = _record_provenance(comparable, writer)
        chunks = pairs_to_chunks(
            recorded,
            account,
            mode=options.mode,
            budget=options.chunk_budget(self.layout),
            languages=languages,
        )
        capacity = self.layout.capacity
        windows = (
            best_fit(chunks, capacity=capacity, buffer_chunks=options.buffer_chunks)
            if options.assembly == "best_fit"
            else split_aware(chunks, capacity=capacity)
        )
        for chunks_of_window in windows:
            window = build_window(chunks_of_window, self.layout)
            writer.add_window(window)
            account.add_window(window.spans)
            watch.windows += 1
        account.check()
        self._refuse_nothing(account)
        return DataSetReport(prefix=self.prefix, account=account, languages=languages.names())

    def _read(self, watch: _Watch) -> Iterator[Pair]:
        """The pairs of this data set from all files, one file after the other."""
        fraction = self.options.validation_fraction
        for path in self.options.pairs:
            for pair in read_pairs(path):
                watch.lines += 1
                watch.report()
                if is_held_out(pair, fraction=fraction) == self.held_out:
                    yield pair

    def _refuse_nothing(self, account: Account) -> None:
        if account.windows:
            return
        reasons = ", ".join(f"{n} {reason}" for reason, n in account.pairs_dropped.items())
        what, cure = (
            ("validation data set", "Raise --validation-fraction or give more pairs.")
            if self.held_out
            else ("pairs", "Check the texts, or lower --validation-fraction if it is high.")
        )
        raise DataError(
            f"{what} must hold text for at least one window, got {account.pairs_read} pairs, "
            f"dropped: {reasons or 'none'}. {cure}"
        )


def _record_provenance(pairs: Iterator[EncodedPair], writer: WindowWriter) -> Iterator[EncodedPair]:
    for pair in pairs:
        writer.add_pair(pair.pair)
        yield pair


def _count_lines(path: Path) -> int:
    try:
        with path.open("rb") as file:
            return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    except OSError as error:
        raise unreadable(path, error) from error
