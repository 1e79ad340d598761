"""Makes two wikis of any size, in the files Wikimedia publishes, with the statistics of real ones.

Texts are put together from the paragraphs and sections of real pages, changed in each copy. Links
lead to their articles straight, through redirects, or to nothing, in known numbers: `truth.json`
says what a tool that pairs the two wikis must count. Assumed, as measured on no full dump: articles
of log-normal length with a median of 4,500 bytes and a sigma of 1.2 (so 9 kB in the mean), 55 %
redirects, 15 % other pages in the source wiki; 25 and 30 % in the target wiki. The same options
and seed give the same files.

    python benchmarks/synthetic_wikis.py --pages en=enwiki-slice.xml.bz2 th=thwiki-slice.xml.bz2 \\
        --size 2gb --output wikis --processes 2
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from synthetic_dumps import DumpFiles, Layout, made_streams
from synthetic_pages import Wiki, title_words
from synthetic_plan import Plan, make_plan, truth
from synthetic_sql import TableName, TableWriter
from synthetic_streams import StreamMaker
from synthetic_texts import Texts, texts_from_pages

from megatron_crossic.commandline import ArgumentParser, run
from megatron_crossic.data.records import LANGUAGES
from megatron_crossic.data.wikipedia.dump import read_pages
from megatron_crossic.errors import ConfigError
from megatron_crossic.files import refuse_existing

SIZES = {  # articles of the source and of the target wiki
    "tiny": (300, 150),
    "small": (3_000, 1_500),
    "200mb": (10_800, 5_400),
    "2gb": (108_000, 54_000),
}
SHARES = {"source": (0.30, 0.55), "target": (0.45, 0.25)}
"""Articles and redirects among the pages of the XML dump."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """The files of one wiki, in numbers."""

    pages: int
    xml_bytes: int
    article_bytes: int
    """Wikitext of articles, as UTF-8."""
    rows: Mapping[str, int]
    """SQL table -> rows."""


def main() -> None:
    """Read the real pages, plan, write, say what was written."""
    options = parse(sys.argv[1:])
    refuse_existing(options.output / "truth.json", overwrite=options.overwrite)
    options.output.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    texts = {code: read_texts(paths, code, options.seed) for code, paths in options.pages.items()}
    plan = plan_wikis(options, texts)
    written = {
        side: write_wiki(options, plan, wiki, texts[wiki.language])
        for side, wiki in (("source", plan.source), ("target", plan.target))
    }
    path = options.output / "truth.json"
    path.write_text(json.dumps(full_truth(plan, written), indent=2) + "\n", encoding="utf-8")
    seconds = time.perf_counter() - started
    for side, found in written.items():
        print(
            f"{side}: {found.pages:,} pages, {found.xml_bytes / 1e6:,.0f} MB of XML, "
            f"{found.article_bytes / 1e6:,.0f} MB of wikitext in articles"
        )
    print(f"{seconds:.0f} s; what must come out of them: {path}")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--pages", nargs="+", required=True, metavar="LANG=FILE", help="dumps with real pages")
    add("--source-lang", default="en", metavar="CODE", help="ISO 639-1; default %(default)s")
    add("--target-lang", default="th", metavar="CODE", help="ISO 639-1; default %(default)s")
    add("--output", type=Path, required=True, metavar="FOLDER", help="where the files go")
    add("--overwrite", action="store_true", help="replace a truth.json that exists")
    add("--size", choices=tuple(SIZES), default="small", help="a number of articles")
    add("--source-articles", type=int, metavar="N", help="instead of those of --size")
    add("--target-articles", type=int, metavar="N", help="instead of those of --size")
    add("--linked-share", type=float, default=0.7, help="of target articles; default %(default)s")
    add("--median-bytes", type=float, default=4_500, help="of articles; default %(default)s")
    add("--sigma", type=float, default=1.2, help="of the log of lengths; default %(default)s")
    add("--layouts", nargs="+", choices=get_args(Layout), default=["multistream"])
    add("--parts", type=int, default=1, metavar="N", help="files of every dump")
    add("--date", default="", metavar="YYYYMMDD", help="stands in the names of the files")
    add("--processes", type=int, default=1, metavar="N", help="that make pages")
    add("--compresslevel", type=int, default=9, help="of bz2, 1 to 9; default %(default)s")
    add("--seed", type=int, default=1, help="default %(default)s")
    return _checked(parser.parse_args(arguments))


def _checked(options: argparse.Namespace) -> argparse.Namespace:
    """The options with the pages by language and the numbers of articles; or `ConfigError`."""
    for name in ("parts", "processes", "compresslevel", "median_bytes"):
        if getattr(options, name) < 1:
            flag = name.replace("_", "-")
            raise ConfigError(
                f"--{flag} must be at least 1, got {getattr(options, name)}. "
                "Leave it out for its default."
            )
    if not 0 < options.linked_share <= 1:
        raise ConfigError(
            f"--linked-share must be above 0 and at most 1, got {options.linked_share}. Use 0.7."
        )
    for side, default in zip(("source", "target"), SIZES[options.size], strict=True):
        name = f"{side}_articles"
        setattr(options, name, getattr(options, name) or default)
    options.pages = pages_by_language(options.pages)
    for code in (options.source_lang, options.target_lang):
        if code not in options.pages:
            raise ConfigError(
                f"--pages must name a dump of each language, got none of {code}. "
                f"Add {code}=FILE to it."
            )
    return options


def pages_by_language(given: Sequence[str]) -> dict[str, list[Path]]:
    """`["en=a.xml", "en=b.xml"]` -> `{"en": [a.xml, b.xml]}`."""
    paths: dict[str, list[Path]] = {}
    for word in given:
        code, equals, name = word.partition("=")
        if not (equals and name and code in LANGUAGES):
            raise ConfigError(
                f"--pages must be LANG=FILE, got {word!r}. Write for example en=enwiki.xml.bz2."
            )
        paths.setdefault(code, []).append(Path(name))
    return paths


def read_texts(paths: Sequence[Path], language: str, seed: int) -> Texts:
    pages = [
        page.text
        for path in paths
        for page in read_pages(path, with_text=True)
        if page.redirect is None and not page.namespace
    ]
    return texts_from_pages(pages, language=language, seed=seed)


def plan_wikis(options: argparse.Namespace, texts: Mapping[str, Texts]) -> Plan:
    def wiki(side: str, language: str, num_articles: int) -> Wiki:
        articles, redirects = SHARES[side]
        num_pages = round(num_articles / articles)
        num_redirects = round(num_pages * redirects)
        return Wiki(
            language=language,
            seed=options.seed,
            num_articles=num_articles,
            num_redirects=num_redirects,
            num_others=num_pages - num_articles - num_redirects,
            letters=texts[language].letters,
            words=title_words([word.decode() for word in texts[language].words]),
        )

    return make_plan(
        source=wiki("source", options.source_lang, options.source_articles),
        target=wiki("target", options.target_lang, options.target_articles),
        linked_share=options.linked_share,
    )


def write_wiki(options: argparse.Namespace, plan: Plan, wiki: Wiki, texts: Texts) -> Written:
    """All files of one wiki."""
    layouts = tuple(options.layouts)
    maker = StreamMaker(
        wiki=wiki,
        plan=plan,
        texts=texts,
        median_bytes=options.median_bytes,
        sigma=options.sigma,
        compresslevel=options.compresslevel if "multistream" in layouts else 0,
        keep_xml=layouts != ("multistream",),
    )
    name = f"{wiki.language}wiki"
    files = DumpFiles(
        folder=options.output,
        prefix=f"{name}-{options.date}" if options.date else name,
        layouts=layouts,
        num_parts=min(options.parts, maker.num_streams),
        compresslevel=options.compresslevel,
    )
    xml_bytes = article_bytes = 0
    with ExitStack() as stack:
        tables: dict[TableName, TableWriter] = {}
        for table in get_args(TableName):
            path = options.output / f"{files.prefix}-{table}.sql.gz"
            tables[table] = TableWriter(path, table, database=name)
            stack.callback(tables[table].close)
        streams = made_streams(maker, num_processes=options.processes)
        for stream in files.write(wiki, streams):
            xml_bytes += stream.num_xml_bytes
            article_bytes += stream.num_article_bytes
            for table, writer in tables.items():
                writer.add(stream.rows[table])
    return Written(
        pages=wiki.num_pages,
        xml_bytes=xml_bytes,
        article_bytes=article_bytes,
        rows={table: writer.num_rows for table, writer in tables.items()},
    )


def full_truth(plan: Plan, written: Mapping[str, Written]) -> dict[str, object]:
    """What must come out, and the sizes of what goes in."""
    files = {
        side: {
            "xml_bytes": found.xml_bytes,
            "article_bytes": found.article_bytes,
            "rows": dict(found.rows),
        }
        for side, found in written.items()
    }
    return {**truth(plan), "files": files}


if __name__ == "__main__":
    run(main)
