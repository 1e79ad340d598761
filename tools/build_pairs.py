"""Make article pairs: two Wikipedias and the links between them in, a pair file out."""

import argparse
from pathlib import Path
from typing import Any

from megatron_crossic.commandline import ArgumentParser, StageProgress, parse_shard, run
from megatron_crossic.data.inputs import expand_inputs
from megatron_crossic.data.wikipedia.build import RunSettings, build_wikipedia_pairs
from megatron_crossic.data.wikipedia.options import WikipediaPairsOptions, both_tables
from megatron_crossic.data.wikipedia.parquet_pairs import (
    ParquetPairsOptions,
    ParquetSide,
    pairs_from_parquet,
)
from megatron_crossic.data.wikipedia.summary import summary_lines
from megatron_crossic.data.workers import available_cores


def main() -> None:
    arguments = parse()
    progress = StageProgress()
    try:
        lines = arguments.build(arguments, progress)
    finally:
        progress.end()
    print("\n".join(lines))


def parse() -> argparse.Namespace:
    parser = ArgumentParser(description=__doc__)
    routes = parser.add_subparsers(dest="kind", required=True)
    add_wikipedia(routes)
    add_wikipedia_parquet(routes)
    return parser.parse_args()


def add_shared(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--langlinks", type=Path, required=True, metavar="SQL", help="dump of that table")
    add("--langlinks-of", choices=("source", "target"), default="target", help="whose dump it is")
    add("--source-lang", default="en", metavar="CODE", help="ISO 639-1; default %(default)s")
    add("--target-lang", required=True, metavar="CODE", help="ISO 639-1")
    add("--output", type=Path, required=True, metavar="JSONL", help="pair file to write")
    add("--overwrite", action="store_true", help="replace an output that exists")
    add("--follow-sections", action="store_true", help="redirects to sections lead to articles")
    add("--min-characters", type=int, default=1, metavar="N", help="drop shorter articles")
    add("--licence", default="CC BY-SA 4.0", help="of the texts; default %(default)s")


def add_wikipedia(routes: Any) -> None:
    parser = routes.add_parser(
        "wikipedia",
        help="pairs from MediaWiki dumps",
        description="Dumps and SQL may be plain, .gz or .bz2; of multistream dumps several parts "
        "are read at once. Every page is accounted for in OUTPUT.manifest.json. A run that was "
        "killed goes on when the same command is given again.",
    )
    parser.set_defaults(build=build_wikipedia)
    add = parser.add_argument
    add("--source-dump", type=Path, nargs="+", required=True, metavar="XML", help="all parts")
    add("--target-dump", type=Path, nargs="+", required=True, metavar="XML", help="all parts")
    add("--source-page", type=Path, metavar="SQL", help="page table: no scan for titles")
    add("--source-redirect", type=Path, metavar="SQL", help="redirect table, with the former")
    add("--target-page", type=Path, metavar="SQL", help="as --source-page")
    add("--target-redirect", type=Path, metavar="SQL", help="as --source-redirect")
    add_shared(parser)
    add("--drop", nargs="+", default=(), metavar="KIND", help="of disambiguation, list, stub")
    add("--drop-headings", action="store_true", help="leave section headings out of the text")
    add("--page-seconds", type=float, default=60.0, metavar="S", help="drop pages that take longer")
    add("--workers", type=int, default=available_cores(), help="processes (default: all cores)")
    add("--shard", type=parse_shard, metavar="I/N", help="clean every N-th part, make no pairs")
    add("--keep-work", action="store_true", help="leave the cleaned articles in OUTPUT.work")


def build_wikipedia(arguments: argparse.Namespace, progress: StageProgress) -> list[str]:
    options = WikipediaPairsOptions(
        source_dumps=tuple(arguments.source_dump),
        target_dumps=tuple(arguments.target_dump),
        langlinks=arguments.langlinks,
        source_tables=both_tables(arguments.source_page, arguments.source_redirect),
        target_tables=both_tables(arguments.target_page, arguments.target_redirect),
        source_language=arguments.source_lang,
        target_language=arguments.target_lang,
        langlinks_of=arguments.langlinks_of,
        follow_sections=arguments.follow_sections,
        min_characters=arguments.min_characters,
        keep_headings=not arguments.drop_headings,
        drop_kinds=tuple(arguments.drop),
        page_seconds=arguments.page_seconds,
        licence=arguments.licence,
    )
    settings = RunSettings(
        workers=arguments.workers,
        shard=arguments.shard,
        overwrite=arguments.overwrite,
        keep_work=arguments.keep_work,
    )
    report = build_wikipedia_pairs(
        options, output=arguments.output, settings=settings, progress=progress
    )
    if report.manifest is None:
        done, total = report.segments_done, report.segments
        return [f"{done} of {total} parts are cleaned; the command without --shard makes the pairs"]
    return summary_lines(report.manifest, arguments.output)


def add_wikipedia_parquet(routes: Any) -> None:
    parser = routes.add_parser(
        "wikipedia-parquet",
        help="pairs from Parquet files of clean articles (id, url, title, text)",
        description="Links to redirects are followed where page and redirect tables are given.",
    )
    parser.set_defaults(build=build_wikipedia_parquet)
    for side in ("source", "target"):
        add = parser.add_argument
        add(f"--{side}", nargs="+", required=True, metavar="PARQUET", help="all files; globs")
        for table in ("page", "redirect"):
            add(f"--{side}-{table}", type=Path, metavar="SQL", help=f"dump of its {table} table")
    add_shared(parser)


def build_wikipedia_parquet(arguments: argparse.Namespace, progress: StageProgress) -> list[str]:
    sides = [
        ParquetSide(
            language=getattr(arguments, f"{side}_lang"),
            files=expand_inputs(getattr(arguments, side)),
            page=getattr(arguments, f"{side}_page"),
            redirect=getattr(arguments, f"{side}_redirect"),
        )
        for side in ("source", "target")
    ]
    options = ParquetPairsOptions(
        source=sides[0],
        target=sides[1],
        langlinks=arguments.langlinks,
        langlinks_of=arguments.langlinks_of,
        follow_sections=arguments.follow_sections,
        min_characters=arguments.min_characters,
        licence=arguments.licence,
    )
    manifest = pairs_from_parquet(
        options, output=arguments.output, overwrite=arguments.overwrite, progress=progress
    )
    return summary_lines(manifest, arguments.output)


if __name__ == "__main__":
    run(main)
