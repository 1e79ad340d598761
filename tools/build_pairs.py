"""Make article pairs: two Wikipedia dumps and the links between them in, a pair file out."""

import argparse
from pathlib import Path

from megatron_crossic.commandline import ArgumentParser, ProgressLine, parse_shard, run
from megatron_crossic.data.wikipedia.build import BuildReport, RunSettings, build_wikipedia_pairs
from megatron_crossic.data.wikipedia.options import WikipediaPairsOptions
from megatron_crossic.data.workers import available_cores
from megatron_crossic.errors import ConfigError
from megatron_crossic.manifest import manifest_path


def main() -> None:
    arguments = parse()
    options = WikipediaPairsOptions(
        source_dumps=tuple(arguments.source_dump),
        target_dumps=tuple(arguments.target_dump),
        langlinks=arguments.langlinks,
        source_tables=tables_of(arguments, "source"),
        target_tables=tables_of(arguments, "target"),
        source_language=arguments.source_lang,
        target_language=arguments.target_lang,
        langlinks_of=arguments.langlinks_of,
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
    progress = StageLines()
    try:
        report = build_wikipedia_pairs(
            options, output=arguments.output, settings=settings, progress=progress
        )
    finally:
        progress.end()
    print("\n".join(report_lines(report, arguments.output)))


class StageLines:
    """A progress line for each stage."""

    def __init__(self) -> None:
        self._stage = ""
        self._line = ProgressLine()

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage != self._stage:
            self._stage, self._line = stage, ProgressLine()
        self._line(done, total, f"{stage}: {done / 1e6:,.0f} of {total / 1e6:,.0f} MB")

    def end(self) -> None:
        self._line.end()


def parse() -> argparse.Namespace:
    parser = ArgumentParser(description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True)
    add_wikipedia(kinds.add_parser("wikipedia", help="pairs from MediaWiki dumps"))
    return parser.parse_args()


def add_wikipedia(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Dumps and SQL may be plain, .gz or .bz2; of multistream dumps several parts are read at "
        "once. Every page is accounted for in OUTPUT.manifest.json. A run that was killed goes on "
        "when the same command is given again."
    )
    add = parser.add_argument
    for side in ("source", "target"):
        add(f"--{side}-dump", type=Path, nargs="+", required=True, metavar="XML", help="all parts")
        add(f"--{side}-page", type=Path, metavar="SQL", help="page table: no scan for titles")
        add(f"--{side}-redirect", type=Path, metavar="SQL", help="redirect table, with the former")
    add("--langlinks", type=Path, required=True, metavar="SQL", help="dump of that table")
    add("--langlinks-of", choices=("source", "target"), default="target", help="whose dump it is")
    add("--source-lang", default="en", metavar="CODE", help="ISO 639-1; default %(default)s")
    add("--target-lang", required=True, metavar="CODE", help="ISO 639-1")
    add("--output", type=Path, required=True, metavar="JSONL", help="pair file to write")
    add("--overwrite", action="store_true", help="replace an output that exists")
    add("--min-characters", type=int, default=1, metavar="N", help="drop shorter articles")
    add("--drop-headings", action="store_true", help="leave section headings out of the text")
    add("--drop", nargs="+", default=(), metavar="KIND", help="of disambiguation, list, stub")
    add("--licence", default="CC BY-SA 4.0", help="of the texts; default %(default)s")
    add("--page-seconds", type=float, default=60.0, metavar="S", help="drop pages that take longer")
    add("--workers", type=int, default=available_cores(), help="processes (default: all cores)")
    add("--shard", type=parse_shard, metavar="I/N", help="clean every N-th part, make no pairs")
    add("--keep-work", action="store_true", help="leave the cleaned articles in OUTPUT.work")


def tables_of(arguments: argparse.Namespace, side: str) -> tuple[Path, Path] | None:
    page, redirect = (getattr(arguments, f"{side}_{table}") for table in ("page", "redirect"))
    if (page is None) != (redirect is None):
        missing = "page" if page is None else "redirect"
        raise ConfigError(
            f"--{side}-page and --{side}-redirect must be given together, got no "
            f"--{side}-{missing}. Give both, or neither to scan the dump for titles."
        )
    return None if page is None else (page, redirect)


def report_lines(report: BuildReport, output: Path) -> list[str]:
    """What was paired and what was dropped, for the screen."""
    manifest = report.manifest
    if manifest is None:
        done, total = report.segments_done, report.segments
        return [f"{done} of {total} parts are cleaned; the command without --shard makes the pairs"]
    counts = manifest.counts
    lines = [f"{counts['pairs']} pairs in {output}"]
    for side in ("source", "target"):
        kinds = ", ".join(f"{n} {kind}" for kind, n in counts[side].items() if n)
        lines.append(f"{side}: {kinds}")
        reasons = [
            f"{n} {reason.removeprefix(side + '.')}"
            for reason, n in manifest.drops.items()
            if reason.startswith(side + ".")
        ]
        lines.append(f"{side} articles dropped: {', '.join(reasons) or 'none'}")
    for damage in manifest.details.get("damage", ()):
        places = len(damage["streams_at"]) + len(damage["pages_at"])
        lines.append(f"warning: {damage['file']} is damaged in {places} places, left out")
    for table, malformed in manifest.details.get("malformed", {}).items():
        lines.append(f"warning: {malformed['rows']} malformed rows of {table} left out")
    return [*lines, f"account of every page: {manifest_path(output)}"]


if __name__ == "__main__":
    run(main)
