"""How fast SQL tables are read, how much memory a join takes, and that SQLite finds the same pairs.

    python benchmarks/wikipedia_join.py --pages 1000000 --check-pages 60000

Everything is made up (`wikipedia_tables`), in a temporary folder.
"""

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from sqlite_join import sqlite_join
from wikipedia_tables import WikiTables, make_tables

from megatron_crossic.data.wikipedia.tables.join import SideAccount, WikiJoin, join_wikis
from megatron_crossic.data.wikipedia.tables.links import TABLE, read_langlinks
from megatron_crossic.data.wikipedia.tables.sources import PAGE_TABLE, REDIRECT_TABLE, index_tables
from megatron_crossic.data.wikipedia.tables.sql import Table, read_rows


def join_tables(source: WikiTables, target: WikiTables) -> WikiJoin:
    """The join by the target's links."""
    links = read_langlinks(
        target.langlinks, linking_language=target.language, linked_language=source.language
    )
    indices = [index_tables(t.page, t.redirect, language=t.language) for t in (source, target)]
    return join_wikis(source=indices[0], target=indices[1], links=links, links_of="target")


def outcomes(side: SideAccount) -> dict[int, str]:
    """Article -> what became of it."""
    return {page_id: side.outcome(page_id) for page_id in side.article_ids.tolist()}


def differences(source: WikiTables, target: WikiTables) -> dict[str, Any]:
    """How many pairs and outcomes are not those that SQLite finds, and how many there are."""
    ours, theirs = join_tables(source, target), sqlite_join(target, source)
    pairs = {t: s for s, t in ours.partners().items()}
    sides = (outcomes(ours.target), theirs.linking), (outcomes(ours.source), theirs.linked)
    return {
        "pairs": len(theirs.pairs),
        "articles": sum(len(expected) for _, expected in sides),
        "differing_pairs": len(set(pairs.items()) ^ set(theirs.pairs.items())),
        "differing_outcomes": sum(
            len(set(found.items()) ^ set(expected.items())) for found, expected in sides
        ),
        "outcomes": dict(Counter(theirs.linking.values()) + Counter(theirs.linked.values())),
    }


def reading_speed(path: Path, table: Table) -> dict[str, float]:
    """Rows and bytes a second, of the reader alone."""
    seconds, num_rows = timed(lambda: sum(1 for _ in read_rows(path, table)))
    return {
        "rows": num_rows,
        "megabytes": path.stat().st_size / 1e6,
        "rows_per_second": num_rows / seconds,
        "megabytes_per_second": path.stat().st_size / 1e6 / seconds,
    }


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def peak_bytes() -> int:
    """Most memory this process ever had; what `getrusage` says counts the parent's before exec."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def measure(folder: Path, *, num_pages: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Reading speed of each table, then time and memory of the join of two wikis."""
    source, target = make_tables(folder, source="en", target="th", num_pages=num_pages)
    yield "page", reading_speed(source.page, PAGE_TABLE)
    yield "redirect", reading_speed(source.redirect, REDIRECT_TABLE)
    yield "langlinks", reading_speed(target.langlinks, TABLE)
    # In a process of its own, whose memory is that of the join and of nothing before.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield "join", pool.submit(join_cost, source, target).result()


def join_cost(source: WikiTables, target: WikiTables) -> dict[str, float]:
    """Seconds and bytes of one join in this process."""
    before = peak_bytes()
    seconds, joined = timed(lambda: join_tables(source, target))
    kinds = ("articles", "redirects")
    num_titles = sum(side.counts[k] for side in (joined.source, joined.target) for k in kinds)
    return {
        "seconds": seconds,
        "pairs": len(joined.source_ids),
        "titles": num_titles,
        "links": joined.links["rows"] - joined.links["other_languages"],
        "peak_bytes": peak_bytes() - before,
        "peak_bytes_a_title": (peak_bytes() - before) / num_titles,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=1_000_000, help="of each wiki; in namespace 0")
    parser.add_argument("--check-pages", type=int, default=60_000, help="compared with SQLite")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    report: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tables = make_tables(
            folder, source="en", target="th", num_pages=arguments.check_pages, seed=arguments.seed
        )
        report["check"] = differences(*tables)
        report |= measure(folder, num_pages=arguments.pages)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
