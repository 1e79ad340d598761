"""Who is whose partner, told by the tables of both wikis or, without those, by their dumps."""

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from megatron_crossic.data.wikipedia.options import SideName, WikipediaPairsOptions
from megatron_crossic.data.wikipedia.processes import PageAlarm, SegmentProcesses
from megatron_crossic.data.wikipedia.progress import Progress, file_meter, meter
from megatron_crossic.data.wikipedia.segments import LeftOut, read_segment
from megatron_crossic.data.wikipedia.tables.index import IndexBuilder, WikiIndex
from megatron_crossic.data.wikipedia.tables.join import WikiJoin, join_wikis
from megatron_crossic.data.wikipedia.tables.links import read_langlinks
from megatron_crossic.data.wikipedia.tables.sources import add_page, index_tables
from megatron_crossic.data.wikipedia.work import Task
from megatron_crossic.errors import DataError


def join_articles(
    options: WikipediaPairsOptions,
    tasks: Iterable[Task],
    *,
    workers: int,
    progress: Progress,
) -> WikiJoin:
    """Each article's partner or why it has none; `tasks` are the segments of both dumps."""
    indices: dict[SideName, WikiIndex] = {}
    for side in ("source", "target"):
        segments = [task for task in tasks if task.side == side]
        indices[side] = _index(options, side, segments, workers, progress)
    of_source = options.langlinks_of == "source"
    linking: SideName = "source" if of_source else "target"
    links = read_langlinks(
        options.langlinks,
        linking_language=indices[linking].language,
        linked_language=indices["target" if of_source else "source"].language,
        on_bytes=file_meter(progress, "read links", [options.langlinks]),
    )
    return join_wikis(
        source=indices["source"],
        target=indices["target"],
        links=links,
        links_of=options.langlinks_of,
        follow_sections=options.follow_sections,
    )


def _index(
    options: WikipediaPairsOptions,
    side: SideName,
    tasks: list[Task],
    workers: int,
    progress: Progress,
) -> WikiIndex:
    language, tables = options.language(side), options.tables(side)
    if tables is not None:
        on_bytes = file_meter(progress, f"read {side} tables", tables)
        index = index_tables(*tables, language=language, on_bytes=on_bytes)
    else:
        index = _scan(tasks, language, workers, progress)
    if not len(index.article_ids):
        files: Iterable[Path] = tables or options.dumps(side)
        raise DataError(
            f"{side} wiki must have articles, got {index.counts['pages']} pages without any "
            f"in {', '.join(map(str, files))}. Use the dumps of a whole wiki."
        )
    return index


def _scan(tasks: list[Task], language: str, workers: int, progress: Progress) -> WikiIndex:
    """Read the titles and redirects out of the segments of one dump."""

    def scan(task: Task, _: dict[int, str], __: PageAlarm) -> tuple[IndexBuilder, LeftOut]:
        part, left_out = IndexBuilder(language), LeftOut()
        for page in read_segment(task.segment, left_out=left_out, with_text=False):
            add_page(part, page)
        return part, left_out

    total = sum(task.segment.num_bytes for task in tasks)
    on_bytes = meter(progress, f"scan {tasks[0].side} dump", total=total)
    processes = SegmentProcesses[Task, tuple[IndexBuilder, LeftOut]](
        scan, workers=workers, page_seconds=0
    )
    parts, num_damaged = {}, 0
    with closing(processes.results(iter(tasks))) as results:
        for task, (part, left_out) in results:
            parts[task.number] = part
            num_damaged += len(left_out.damaged_streams) + len(left_out.damaged_pages)
            on_bytes(task.segment.num_bytes)
    index = IndexBuilder(language)
    for number in sorted(parts):  # of a page that is there twice the first one counts
        index.extend(parts.pop(number))
    if num_damaged and not index.counts["articles"]:
        raise DataError(
            f"dump must be well-formed XML, got {num_damaged} damaged places and no article in "
            f"{tasks[0].segment.path}. Download it again."
        )
    return index.build()
