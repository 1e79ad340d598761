"""Make article pairs: two Wikipedia dumps and the links between them in, a pair file out."""

import argparse
from pathlib import Path
from typing import Any

from megatron_crossic.commandline import ArgumentParser, StageProgress, run
from megatron_crossic.data.inputs import expand_inputs
from megatron_crossic.data.wikipedia.build import build_wikipedia_pairs
from megatron_crossic.data.wikipedia.options import WikipediaPairsOptions
from megatron_crossic.data.wikipedia.parquet_pairs import (
    ParquetPairsOptions,
    ParquetSide,
    pairs_from_parquet,
)
from megatron_crossic.manifest import Manifest, manifest_path


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
    add("--min-characters", type=int, default=1, metavar="N", help="drop shorter articles")
    add("--licence", default="CC BY-SA 4.0", help="of the texts; default %(default)s")


def add_wikipedia(routes: Any) -> None:
    parser = routes.add_parser(
        "wikipedia",
        help="pairs from MediaWiki dumps",
        description="Dumps and SQL may be plain, .gz or .bz2. Every page is accounted for in "
        "OUTPUT.manifest.json. Each dump is read twice.",
    )
    parser.set_defaults(build=build_wikipedia)
    add = parser.add_argument
    add("--source-dump", type=Path, nargs="+", required=True, metavar="XML", help="all parts")
    add("--target-dump", type=Path, nargs="+", required=True, metavar="XML", help="all parts")
    add_shared(parser)
    add("--drop-headings", action="store_true", help="leave section headings out of the text")


def build_wikipedia(arguments: argparse.Namespace, progress: StageProgress) -> Manifest:
    options = WikipediaPairsOptions(
        source_dumps=tuple(arguments.source_dump),
        target_dumps=tuple(arguments.target_dump),
        langlinks=arguments.langlinks,
        source_language=arguments.source_lang,
        target_language=arguments.target_lang,
        langlinks_of=arguments.langlinks_of,
        min_characters=arguments.min_characters,
        keep_headings=not arguments.drop_headings,
        licence=arguments.licence,
    )
    return build_wikipedia_pairs(
        options, output=arguments.output, overwrite=arguments.overwrite, progress=progress
    )


# --- Wikimedia's Parquet files -------------------------------------------------------------------


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


def build_wikipedia_parquet(arguments: argparse.Namespace, progress: StageProgress) -> Manifest:
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
        min_characters=arguments.min_characters,
        licence=arguments.licence,
    )
    return pairs_from_parquet(
        options, output=arguments.output, overwrite=arguments.overwrite, progress=progress
    )


def report(manifest: Manifest, output: Path) -> str:
    """What was paired and what was dropped, for the screen."""
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
    return "\n".join([*lines, f"account of every page: {manifest_path(output)}"])


def main() -> None:
    arguments = parse()
    progress = StageProgress()
    try:
        manifest = arguments.build(arguments, progress)
    finally:
        progress.end()
    print(report(manifest, arguments.output))


if __name__ == "__main__":
    run(main)
