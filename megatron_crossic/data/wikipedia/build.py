"""Two dumps and the links between them in, a pair file with the account of every page out.

    join ─► segments of both dumps ─► processes: read, keep the wanted, clean ─► work folder
                                                                                     │
                                          pair file and manifest ◄─── pairing ◄──────┘

A run of one shard ends at the work folder, which several fill together; the run without a shard
does what is missing and pairs.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from megatron_crossic.data.pairs import write_pair_lines
from megatron_crossic.data.wikipedia.account import WikipediaAccount
from megatron_crossic.data.wikipedia.articles import ArticleCleaner, SegmentAccount
from megatron_crossic.data.wikipedia.options import SideName, WikipediaPairsOptions
from megatron_crossic.data.wikipedia.pairing import Ints, Pairing, SideArticles
from megatron_crossic.data.wikipedia.processes import PageAlarm, SegmentProcesses
from megatron_crossic.data.wikipedia.progress import Progress, meter, no_progress
from megatron_crossic.data.wikipedia.tables.join import WikiJoin
from megatron_crossic.data.wikipedia.tables.partners import join_articles
from megatron_crossic.data.wikipedia.work import Task, WorkFolder, plan_tasks
from megatron_crossic.data.work_folder import file_identities
from megatron_crossic.errors import ConfigError, DataError
from megatron_crossic.files import refuse_existing, refuse_inputs
from megatron_crossic.manifest import Manifest, is_incomplete, manifest_path


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSettings:
    """How the work is done; none of it changes the pairs."""

    workers: int = 1
    shard: tuple[int, int] | None = None
    """(i, n): clean only every n-th segment, from the i-th on, and make no pairs."""
    overwrite: bool = False
    keep_work: bool = False
    """Leave the work folder, which holds the cleaned articles, after the pairs are made."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildReport:
    """What a run did."""

    segments_done: int
    """In the work folder, by this run or others."""
    segments: int
    manifest: Manifest | None
    """Of the pair file; None after a shard."""


def build_wikipedia_pairs(
    options: WikipediaPairsOptions,
    *,
    output: Path,
    settings: RunSettings | None = None,
    progress: Progress = no_progress,
) -> BuildReport:
    """Write the pair file `output` and its manifest, or one shard of the work for it.

    A run that was killed or cut short by an error goes on where it was when it is started again.
    """
    settings = settings or RunSettings()
    _refuse(options, output, settings)
    tasks = plan_tasks({"source": options.source_dumps, "target": options.target_dumps})
    join = join_articles(options, tasks, workers=settings.workers, progress=progress)
    folder = WorkFolder.open(output, _identity(options), overwrite=settings.overwrite)
    _clean(tasks, _Cleaning(folder, options, join), settings, progress)
    done = {task: account for task in tasks if (account := folder.account(task))}
    if settings.shard is not None:
        return BuildReport(segments_done=len(done), segments=len(tasks), manifest=None)
    pairing = Pairing(
        folder=folder,
        segments=done,
        source=SideArticles(language=options.source_language, ids=join.source_ids),
        target=SideArticles(language=options.target_language, ids=join.target_ids),
        licence=options.licence,
    )
    whole = WikipediaAccount(options=options, join=join, pairing=pairing, segments=done)
    total = sum(task.segment.num_bytes for task in tasks if task.side == "source")
    lines = _some(pairing.lines(meter(progress, "pair", total=total)), whole)
    try:
        manifest = write_pair_lines(output, lines, whole.manifest)
    except NoPairs:
        folder.remove()  # there is nothing to go on with
        raise
    if not settings.keep_work:
        folder.remove()
    return BuildReport(segments_done=len(tasks), segments=len(tasks), manifest=manifest)


class NoPairs(DataError):
    """No article has a usable partner."""


def _refuse(options: WikipediaPairsOptions, output: Path, settings: RunSettings) -> None:
    account = manifest_path(output)
    refuse_existing(output, account, overwrite=settings.overwrite or is_incomplete(account))
    refuse_inputs([output, account], inputs=options.inputs())
    if settings.shard is None:
        return
    index, count = settings.shard
    if not 0 <= index < count:
        raise ConfigError(
            f"shard must be i/n with 0 <= i < n, got {index}/{count}. Count the shards from 0."
        )
    if None in (options.source_tables, options.target_tables):
        raise ConfigError(
            "shards must have the page and redirect tables of both wikis, got none for one of "
            "them. Give them, or each shard would scan the whole dump for titles."
        )


def _identity(options: WikipediaPairsOptions) -> dict[str, Any]:
    """What runs must have in common to share a work folder."""
    return {"options": options.for_manifest(), "files": file_identities(options.inputs())}


class _Cleaning:
    """What a process does with a task."""

    def __init__(self, folder: WorkFolder, options: WikipediaPairsOptions, join: WikiJoin) -> None:
        self.folder = folder
        self.page_seconds = options.page_seconds
        ids: dict[SideName, Ints] = {"source": join.source_ids, "target": join.target_ids}
        self._cleaners = {
            side: ArticleCleaner(
                language=options.language(side), wanted=frozenset(wanted.tolist()), options=options
            )
            for side, wanted in ids.items()
        }

    def __call__(self, task: Task, bad_pages: dict[int, str], alarm: PageAlarm) -> SegmentAccount:
        account = self._cleaners[task.side].clean_segment(
            task.segment, self.folder.articles(task), bad_pages, alarm
        )
        self.folder.finish(task, account)
        return account


def _clean(
    tasks: list[Task], cleaning: _Cleaning, settings: RunSettings, progress: Progress
) -> None:
    """Have the segments of this shard cleaned that are not."""
    index, count = settings.shard or (0, 1)
    ours = [task for number, task in enumerate(tasks) if number % count == index]
    left = [task for task in ours if cleaning.folder.account(task) is None]
    on_bytes = meter(progress, "clean", total=sum(task.segment.num_bytes for task in left))
    processes = SegmentProcesses[Task, SegmentAccount](
        cleaning, workers=settings.workers, page_seconds=cleaning.page_seconds
    )
    with closing(processes.results(iter(left))) as results:
        for task, _ in results:
            on_bytes(task.segment.num_bytes)


def _some(pairs: Iterator[bytes], account: WikipediaAccount) -> Iterator[bytes]:
    """The pairs; raises `DataError` where there is none."""
    yield from pairs
    if not account.pairing.num_pairs:
        reasons = ", ".join(f"{n} {reason}" for reason, n in account.drops().items())
        raise NoPairs(
            "dumps must have articles that link to each other, got no pair and dropped: "
            f"{reasons or 'none'}. Check that the dumps and the langlinks are of the wikis you "
            "named, or lower --min-characters."
        )
