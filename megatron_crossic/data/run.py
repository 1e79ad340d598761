"""One run of preprocessing: opens or resumes its data sets, feeds them segments, commits them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from megatron_crossic.data.batch import LanguageTable
from megatron_crossic.data.budget import TokenBudget
from megatron_crossic.data.bulk import Encoder
from megatron_crossic.data.cutting import CutRules
from megatron_crossic.data.data_set import DataSetInProgress
from megatron_crossic.data.inputs import Block, file_size, input_bytes, read_segments
from megatron_crossic.data.journal import Journal, RunState
from megatron_crossic.data.options import PreprocessOptions
from megatron_crossic.data.tokenizer import Tokenizer
from megatron_crossic.data.windows import WindowLayout
from megatron_crossic.data.worker import BlockResult, BlockWorker, Stopwatch
from megatron_crossic.data.workers import ordered_results
from megatron_crossic.data.writer import PartialFilesDiffer, WindowWriter
from megatron_crossic.errors import DataError
from megatron_crossic.files import FileFingerprint
from megatron_crossic.manifest import is_incomplete, manifest_path

BYTES_AHEAD = 32 << 20
"""Input a worker may be ahead of the segment that is being written."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far preprocessing is."""

    done_bytes: int
    """Bytes of input whose windows this run has made; of packed files, as they are on disk."""
    total_bytes: int
    """Without what an earlier run had done; of a shard, its part as far as it is known."""
    windows: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Listener:
    """What the caller wants to hear of."""

    on_progress: Callable[[Progress], None] = lambda _: None
    on_warning: Callable[[str], None] = lambda _: None


@dataclass(frozen=True, kw_only=True, slots=True)
class RunPlan:
    """All that decides what a run makes."""

    options: PreprocessOptions
    tokenizer: Tokenizer
    encoder: Encoder
    layout: WindowLayout
    inputs: tuple[FileFingerprint, ...]
    distrusted: str = ""
    """Why the fast encoder was given up, if it was."""

    @property
    def prefixes(self) -> tuple[Path, ...]:
        """Of the training and, with a hold-out, the validation data set."""
        prefix = self.options.prefix
        if not self.options.validation_fraction:
            return (prefix,)
        return (prefix, self.options.validation_prefix)

    def identity(self) -> dict[str, Any]:
        """What a journal must say for a run to go on with it."""
        return {
            "options": self.options.to_json(),
            "inputs": [[each.name, each.num_bytes, each.sha256] for each in self.inputs],
            "tokenizer": self.tokenizer.fingerprint,
            "encoder": self.encoder.name,
        }

    def worker(self) -> BlockWorker:
        return BlockWorker(
            options=self.options,
            tokenizer=self.tokenizer,
            encoder=self.encoder,
            rules=CutRules(
                mode=self.options.mode,
                granularity=self.options.granularity,
                budget=self.options.chunk_budget(self.layout),
                dtype=self.layout.dtype,
            ),
        )


@dataclass(frozen=True, slots=True)
class _Task:
    segment: int
    block: Block


@dataclass(slots=True)
class _Passed:
    """Input that an earlier run had done."""

    num_bytes: int = 0


def make_data_sets(
    plan: RunPlan, stack: ExitStack, journal: Journal, listener: Listener, watch: Stopwatch
) -> list[DataSetInProgress]:
    """All segments of the inputs as windows in partial files, which `stack` owns."""
    data_sets, last = _open(plan, stack, journal, listener)
    total, count = sum(map(input_bytes, plan.options.pairs)), (plan.options.shard or (0, 1))[1]
    done, passed = 0, _Passed()
    # A run that was killed with its budget spent must not look at another segment.
    segments = () if data_sets[0].is_full else _segments(plan, stack, after=last, passed=passed)
    for segment, results in segments:
        shares = []
        for task, result in results:
            shares.append(result.shares)
            watch.add(result.seconds)
            done += task.block.disk_bytes
        _check_unchanged(plan)  # before the journal says that the segment is done
        with watch("pack and write"):
            for data_set, of_data_set in zip(data_sets, zip(*shares, strict=True), strict=True):
                data_set.add_segment(of_data_set)
            journal.add(RunState(segment=segment, data_sets=[each.state() for each in data_sets]))
        for data_set in data_sets:
            data_set.writer.keep_partial = True
        windows = sum(each.writer.num_windows for each in data_sets)
        ours = max(done, (total - passed.num_bytes) // count)
        listener.on_progress(Progress(done_bytes=done, total_bytes=ours, windows=windows))
        if data_sets[0].is_full:
            break
    _check_unchanged(plan)
    for data_set in data_sets:
        data_set.finish()
    return data_sets


def _check_unchanged(plan: RunPlan) -> None:
    """A file cut off at the end of a line after it was hashed reads like a shorter one."""
    for path, expected in zip(plan.options.pairs, plan.inputs, strict=True):
        found = file_size(path)
        if found != expected.num_bytes:
            raise DataError(
                f"input file must stay as it is during a run, got {path} of first "
                f"{expected.num_bytes}, then {found} bytes. Run the same command again when "
                "nothing writes to it."
            )


def _tasks(plan: RunPlan, *, after: int, passed: _Passed) -> Iterator[_Task]:
    """The blocks of this shard behind the segment `after`."""
    options = plan.options
    index, count = options.shard or (0, 1)
    for segment, block in read_segments(
        options.pairs, block_bytes=options.block_bytes, segment_bytes=options.segment_bytes
    ):
        if segment <= after:
            passed.num_bytes += block.disk_bytes
        elif segment % count == index:
            yield _Task(segment, block)


def _segments(
    plan: RunPlan, stack: ExitStack, *, after: int, passed: _Passed
) -> Iterator[tuple[int, Iterator[tuple[_Task, BlockResult]]]]:
    """The results of each segment of this shard behind `after`; `stack` ends the workers."""
    options, worker = plan.options, plan.worker()
    ahead = options.workers * max(2, BYTES_AHEAD // options.block_bytes)
    tasks = _tasks(plan, after=after, passed=passed)
    results = ordered_results(
        lambda task: worker(task.block), tasks, workers=options.workers, ahead=ahead
    )
    stack.enter_context(closing(results))
    return groupby(results, key=lambda pair: pair[0].segment)


def _open(
    plan: RunPlan, stack: ExitStack, journal: Journal, listener: Listener
) -> tuple[list[DataSetInProgress], int]:
    """The data sets as a killed run left them, or new ones; the last segment in them."""
    state = journal.last_state()
    if state is not None:
        try:
            return _resume(plan, stack, state), state.segment
        except (PartialFilesDiffer, OSError):
            listener.on_warning(
                f"warning: the partial files of {plan.options.prefix} are not what their journal "
                "says; starting anew"
            )
    data_sets = [
        _data_set(plan, stack.enter_context(_writer(plan, prefix))) for prefix in plan.prefixes
    ]
    data_sets[0].budget = _budget(plan)
    journal.begin()
    return data_sets, -1


def _resume(plan: RunPlan, stack: ExitStack, state: RunState) -> list[DataSetInProgress]:
    data_sets = []
    with ExitStack() as opened:
        for prefix, each in zip(plan.prefixes, state.data_sets, strict=True):
            writer = opened.enter_context(_writer(plan, prefix, resume_from=each.writer))
            writer.keep_partial = True
            data_set = _data_set(plan, writer)
            data_set.account, data_set.languages = each.account, LanguageTable(each.languages)
            data_sets.append(data_set)
        stack.push(opened.pop_all())
    account = data_sets[0].account
    data_sets[0].budget = _budget(plan, spent=account.tokens_in_windows)
    if data_sets[0].budget and account.tokens_dropped["over_budget"]:
        # The next chunk did not fit: what was left over stays so, as without the kill.
        data_sets[0].budget.left = 0
    return data_sets


def _data_set(plan: RunPlan, writer: WindowWriter) -> DataSetInProgress:
    return DataSetInProgress(
        writer=writer,
        assembly=plan.options.assembly,
        largest=plan.options.chunk_budget(plan.layout),
        by_paragraph=plan.options.granularity == "paragraph",
    )


def _writer(plan: RunPlan, prefix: Path, **settings: Any) -> WindowWriter:
    # A run that was killed while its files got their names left the mark on the training set.
    overwrite = plan.options.overwrite or is_incomplete(manifest_path(plan.options.prefix))
    return WindowWriter(prefix, layout=plan.layout, overwrite=overwrite, **settings)


def _budget(plan: RunPlan, *, spent: int = 0) -> TokenBudget | None:
    if plan.options.match_tokens is None:
        return None
    budget = TokenBudget.of(plan.options.match_tokens, pad_id=plan.layout.pad_id)
    budget.left -= spent
    return budget
