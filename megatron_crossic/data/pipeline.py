"""Pair records in, Megatron data sets out.

    segments ─► blocks ─► workers: parse, tokenize, select, cut ─► chunks of the segment
                                                                        │
             journal ◄─ writers of both data sets ◄─ windows ◄──────────┘

The main process unpacks, packs and writes; all other work is done by the workers. What comes out
depends on the inputs and the options, not on the number of workers, nor on how often the run was
killed and started again.
"""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from megatron_crossic.data.bulk import EncodersDisagree, make_encoder
from megatron_crossic.data.data_set import DataSetInProgress
from megatron_crossic.data.indexed import token_dtype
from megatron_crossic.data.journal import Journal
from megatron_crossic.data.options import PreprocessOptions
from megatron_crossic.data.pairs import fingerprint_pairs
from megatron_crossic.data.report import DataSetReport, PreprocessReport, windows_manifest
from megatron_crossic.data.run import Listener, RunPlan, make_data_sets
from megatron_crossic.data.sentences import check_splitter
from megatron_crossic.data.tokenizer import load_tokenizer
from megatron_crossic.data.windows import WindowLayout
from megatron_crossic.data.worker import Stopwatch
from megatron_crossic.data.workers import in_background
from megatron_crossic.data.writer import data_set_files
from megatron_crossic.errors import ConfigError, DataError
from megatron_crossic.files import refuse_inputs
from megatron_crossic.manifest import manifest_path, read_manifest


def preprocess(options: PreprocessOptions, listener: Listener | None = None) -> PreprocessReport:
    """Make `PREFIX.*` (and `PREFIX-validation.*`) from pair records.

    A run that was killed goes on after its last whole segment when it is started again with the
    same options and inputs.
    """
    try:
        return _preprocess(options, listener or Listener())
    except MemoryError as error:  # here or in a worker
        raise DataError(
            f"memory must suffice for {options.workers} workers and one segment, got no more: "
            f"{error or 'out of memory'}. Use fewer --workers or give the job more, then run the "
            "same command again; it goes on where it was."
        ) from error


def _preprocess(options: PreprocessOptions, listener: Listener) -> PreprocessReport:
    watch = Stopwatch()
    with watch("start"):
        plan = plan_run(options)
    try:
        return execute(plan, listener, watch)
    except EncodersDisagree as error:
        listener.on_warning(
            f"warning: {plan.encoder.name} and the reference tokenizer disagree: {error}. "
            "Everything is tokenized again by the reference; please report that text"
        )
        reference = make_encoder(plan.tokenizer, "tokenizers")
        plan = replace(plan, encoder=reference, distrusted=f"{plan.encoder.name}: {error}")
        return execute(plan, listener, Stopwatch())


def plan_run(options: PreprocessOptions) -> RunPlan:
    """Load the tokenizer, look at the inputs and refuse what cannot work."""
    # Neither waits for the other: a tokenizer takes a second to load, a terabyte longer to hash.
    with in_background(fingerprint_pairs, options.pairs, workers=options.workers) as fingerprints:
        tokenizer = load_tokenizer(options.tokenizer, eod_token=options.eod_token)
        options.check_seq_length(tokenizer)
        check_splitter(options.sentence_splitter, languages=["en"])
        encoder = make_encoder(tokenizer, options.encoder)
        inputs = tuple(fingerprints())
    layout = WindowLayout(
        seq_length=options.seq_length,
        bos_id=tokenizer.bos_id,
        split_id=options.split_id(tokenizer),
        pad_id=tokenizer.pad_id,
        dtype=token_dtype(tokenizer.vocab_size),
    )
    plan = RunPlan(
        options=options, tokenizer=tokenizer, encoder=encoder, layout=layout, inputs=inputs
    )
    _ = tokenizer.byte_lengths  # made once here, shared by the workers
    for prefix in plan.prefixes:
        refuse_inputs(data_set_files(prefix).values(), inputs=options.pairs)
    if not options.validation_fraction:
        _refuse_stale_validation(options)
    return plan


def execute(plan: RunPlan, listener: Listener, watch: Stopwatch) -> PreprocessReport:
    """Make the windows of all segments, then give the files their names."""
    journal = Journal(plan.options.prefix, plan.identity())
    with ExitStack() as stack:
        stack.enter_context(journal)
        data_sets = make_data_sets(plan, stack, journal, listener, watch)
        for data_set in data_sets:
            if not data_set.account.windows and plan.options.shard is None:
                journal.forget(each.writer for each in data_sets)
                raise _nothing_left(plan, data_set)
        reports = [
            DataSetReport(
                prefix=each.writer.prefix,
                account=each.account,
                languages=each.languages.names(),
                held_out=each.writer.prefix != plan.options.prefix,
            )
            for each in data_sets
        ]
        with watch("finish files"):
            _commit(plan, data_sets, reports)
    return PreprocessReport(
        training=reports[0],
        validation=dict(enumerate(reports)).get(1),
        encoder=plan.encoder.name,
        seconds=watch.seconds,
    )


def _commit(
    plan: RunPlan, data_sets: Sequence[DataSetInProgress], reports: Sequence[DataSetReport]
) -> None:
    files = [data_set.writer.close_files() for data_set in data_sets]
    for i in reversed(range(len(data_sets))):  # the training set last, its mark covers both
        manifest = windows_manifest(reports[i], plan=plan, files=files[i])
        data_sets[i].writer.commit(manifest)


def _nothing_left(plan: RunPlan, data_set: DataSetInProgress) -> DataError:
    account = data_set.account
    reasons = ", ".join(f"{n} {reason}" for reason, n in account.pairs_dropped.items())
    what, cure = (
        ("validation data set", "Raise --validation-fraction or give more pairs.")
        if data_set.writer.prefix != plan.options.prefix
        else ("pairs", "Check the texts, or lower --validation-fraction if it is high.")
    )
    return DataError(
        f"{what} must hold text for at least one window, got {account.pairs_read} pairs, "
        f"dropped: {reasons or 'none'}. {cure}"
    )


def _refuse_stale_validation(options: PreprocessOptions) -> None:
    """An older run's held-out pairs would now be in the training set beside them."""
    path = manifest_path(options.validation_prefix)
    # `os.path.exists` is False, not an error, for a name that is too long.
    if os.path.exists(path) and read_manifest(path, kind="windows").details["held_out"]:
        raise ConfigError(
            f"--validation-fraction must stay above 0 beside held-out windows of an earlier run, "
            f"got 0 with {path}. Give a fraction, remove that data set or choose another prefix."
        )
