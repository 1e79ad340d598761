"""Measures the way from Wikipedia dumps to article pairs: time, memory, one core against two.

Runs `tools/build_pairs.py wikipedia` as a command over folders of dumps (as downloaded, or made by
`synthetic_wikis.py`; give several to see how memory grows with size) with each number of workers,
and beside it wikiextractor over the source dump with as many processes. Ours reads both wikis and
cleans the articles in pairs only, wikiextractor cleans every article of one wiki: so MB of wikitext
by CPU second is what compares. With --cleaning, cleaning alone is timed beside `strip_code`.

    python benchmarks/wikipedia.py --wikis wikis-200mb wikis-2gb --target-lang th --workers 1 2 \\
        --wikiextractor trees/wikiextractor --cleaning en=enwiki-slice.xml.bz2 --json result.json
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cleaning_speed import compare_cleaners, read_sample
from compared_tools import OUR_ENVIRONMENT, PROJECT
from preprocess_report import machine
from synthetic_wikis import pages_by_language
from watched_command import Watched, watch_command
from wikipedia_files import WikiFiles, find_wiki, paired_pages, wiki_size
from wikipedia_report import figures, table

from megatron_crossic.commandline import ArgumentParser, run
from megatron_crossic.errors import ConfigError, DataError

OUR_TOOL = PROJECT / "tools" / "build_pairs.py"


def main() -> None:
    """Measure, print, write."""
    options = parse(sys.argv[1:])
    report: dict[str, Any] = {"machine": machine(), "wikis": {}, "cleaning": {}}
    for folder in options.wikis:
        report["wikis"][folder.name] = measure_wikis(options, folder)
    for language, paths in pages_by_language(options.cleaning).items():
        max_bytes = int(options.cleaning_megabytes * 1e6)
        sample = read_sample(paths, language=language, max_bytes=max_bytes)
        report["cleaning"][language] = compare_cleaners(sample, repeats=options.repeats)
    print("\n".join(table(report)))
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--wikis", type=Path, nargs="*", default=[], metavar="FOLDER", help="dumps of both wikis")
    add("--source-lang", default="en", metavar="CODE", help="default %(default)s")
    add("--target-lang", default="th", metavar="CODE", help="default %(default)s")
    add("--workers", type=int, nargs="+", default=[1, 2], metavar="N", help="default 1 2")
    add("--repeats", type=int, default=1, metavar="N", help="runs of everything; medians count")
    add("--without-tables", action="store_true", help="do not give page and redirect tables")
    add("--wikiextractor", type=Path, metavar="DIR", help="its tree")
    add("--wikiextractor-python", type=Path, default=Path(sys.executable), help="runs it")
    add("--cleaning", nargs="*", default=[], metavar="LANG=FILE", help="dumps to clean alone")
    add("--cleaning-megabytes", type=float, default=20.0, metavar="N", help="of each language")
    add("--folder", type=Path, help="where the temporary folder goes (default: the system's)")
    add("--json", type=Path, help="also write the report to this JSON file")
    options = parser.parse_args(arguments)
    if not options.wikis and not options.cleaning:
        raise ConfigError("--wikis or --cleaning must be given, got neither. Name what to measure.")
    if min(*options.workers, options.repeats, 1) < 1:
        raise ConfigError(
            f"--workers and --repeats must be at least 1, got {options.workers} and "
            f"{options.repeats}. Use for example --workers 1 2."
        )
    if options.wikiextractor and not (options.wikiextractor / "wikiextractor").is_dir():
        raise ConfigError(
            f"--wikiextractor must be its tree, got {options.wikiextractor} without wikiextractor/."
            " Clone the project and name that folder."
        )
    return options


def measure_wikis(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All runs over one folder of dumps: of each kind in turn, as often as asked for."""
    source = find_wiki(folder, options.source_lang)
    target = find_wiki(folder, options.target_lang)
    if target.langlinks is None:
        raise ConfigError(
            f"--wikis must hold {target.language}wiki-langlinks.sql.gz, got none in {folder}. "
            "Download that table."
        )
    workers = options.workers if has_option("--workers") else [1]
    runs: dict[str, list[Watched]] = {}
    paired: set[tuple[str, int]] = set()
    for _ in range(options.repeats):
        for num in workers:
            with tempfile.TemporaryDirectory(dir=options.folder, prefix="wikipedia-") as name:
                output = Path(name) / "pairs.jsonl"
                tables = not options.without_tables
                command = our_command(source, target, output, workers=num, with_tables=tables)
                found = watch_command(command, environment=OUR_ENVIRONMENT)
                runs.setdefault(f"ours, {num} workers", []).append(found)
                paired = paired or set(paired_pages(output))
            if options.wikiextractor is not None:
                name = f"wikiextractor, {num} processes"
                runs.setdefault(name, []).append(run_wikiextractor(options, source, processes=num))
    sizes = {wiki.language: wiki_size(wiki) for wiki in (source, target)}
    return figures(runs, sizes, paired, source=source.language)


def our_command(
    source: WikiFiles, target: WikiFiles, output: Path, *, workers: int, with_tables: bool = True
) -> list[str]:
    """The command line of our tool; options that it has not are left out."""
    command = [sys.executable, str(OUR_TOOL), "wikipedia"]
    for side, wiki in (("source", source), ("target", target)):
        command += [f"--{side}-lang", wiki.language, f"--{side}-dump", *map(str, wiki.dumps)]
        for name, path in wiki.tables.items():
            if with_tables and has_option(f"--{side}-{name}"):
                command += [f"--{side}-{name}", str(path)]
    command += ["--langlinks", str(target.langlinks), "--output", str(output)]
    return [*command, "--workers", str(workers)] if has_option("--workers") else command


def has_option(name: str) -> bool:
    """Whether our tool knows the option."""
    return f'"{name}"' in OUR_TOOL.read_text(encoding="utf-8")


def run_wikiextractor(options: argparse.Namespace, source: WikiFiles, *, processes: int) -> Watched:
    """Over every part of the source dump, its times added up."""
    runs = []
    for dump in source.dumps:
        with tempfile.TemporaryDirectory(dir=options.folder, prefix="wikiextractor-") as name:
            command = [
                *(str(options.wikiextractor_python), "-m", "wikiextractor.WikiExtractor"),
                *(str(dump), "-o", name, "--processes", str(processes)),
                *("--no-templates", "--json", "-q"),
            ]
            environment = {"PYTHONPATH": str(options.wikiextractor.absolute())}
            runs.append(watch_command(command, environment=environment))
            # Where its workers fail it ends well all the same.
            if not any(path.stat().st_size for path in Path(name).rglob("wiki_*")):
                raise DataError(
                    f"wikiextractor must write articles, got none of {dump}. "
                    f"Run it by hand: {' '.join(command)}"
                )
    return Watched(
        wall_seconds=sum(run.wall_seconds for run in runs),
        cpu_seconds=sum(run.cpu_seconds for run in runs),
        largest_process_bytes=max(run.largest_process_bytes for run in runs),
        all_processes_bytes=max(run.all_processes_bytes for run in runs),
        samples=sum(run.samples for run in runs),
    )


if __name__ == "__main__":
    run(main)
