"""The join against a second computation of it by SQLite, over the same SQL files."""

import os
import sqlite3
from collections import Counter
from pathlib import Path

import pytest
from sqlite_join import load, sqlite_join
from wikipedia_join import join_tables, outcomes
from wikipedia_tables import REDIRECT_COLUMNS, WikiTables, make_tables, write_table

from megatron_crossic.data.unpack import read_blocks
from megatron_crossic.data.wikipedia.tables.index import PAGE_KINDS
from megatron_crossic.data.wikipedia.tables.links import TABLE
from megatron_crossic.data.wikipedia.tables.reasons import OUTCOMES, REDIRECT_TO_SECTION
from megatron_crossic.data.wikipedia.tables.sources import PAGE_TABLE, REDIRECT_TABLE
from megatron_crossic.data.wikipedia.tables.sql import read_rows

REAL = "MEDIAWIKI_SQL_FOLDER"
"""Environment variable: a folder with rows of real dumps, for example of page and langlinks."""


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_pair_for_pair_and_reason_for_reason_as_sqlite_says(tmp_path: Path, seed: int) -> None:
    source, target = make_tables(tmp_path, source="en", target="th", num_pages=3000, seed=seed)
    ours, theirs = join_tables(source, target), sqlite_join(target, source)
    assert {t: s for s, t in ours.partners().items()} == theirs.pairs
    assert outcomes(ours.target) == theirs.linking
    assert outcomes(ours.source) == theirs.linked
    assert len(theirs.pairs) > 300
    assert len(ours.links) > 5
    assert ours.links["rows"] == sum(ours.links.values()) - ours.links["rows"]
    assert min(ours.links.values()) > 0, "every kind of row"
    # Every outcome there is, besides the one that only an option brings.
    assert set(Counter(theirs.linking.values())) == set(OUTCOMES) - {REDIRECT_TO_SECTION}
    for side in (ours.source, ours.target):
        assert side.counts["pages"] == sum(side.counts[kind] for kind in PAGE_KINDS)
        assert len(side.article_ids) == len(theirs.pairs) + sum(side.drops().values())


TABLES = (PAGE_TABLE, REDIRECT_TABLE, TABLE)


@pytest.fixture
def real() -> Path:
    folder = os.environ.get(REAL)
    if not folder:
        pytest.skip(f"{REAL} does not name a folder with rows of real SQL dumps")
    return Path(folder)


def test_real_rows_are_those_that_sqlite_reads(real: Path, tmp_path: Path) -> None:
    num_rows: Counter[str] = Counter()
    for table in TABLES:
        for path in sorted(real.glob(f"{table.name}.*")) + sorted(real.glob(f"*-{table.name}.*")):
            (tmp_path / "plain.sql").write_bytes(b"".join(read_blocks(path)))
            database = sqlite3.connect(":memory:")
            load(database, tmp_path / "plain.sql")
            columns = [*table.columns, *table.optional_columns]
            rows = database.execute(f"SELECT {', '.join(columns)} FROM {table.name}")
            expected = [tuple(None if v is None else str(v).encode() for v in row) for row in rows]
            assert list(read_rows(path, table)) == expected, path
            num_rows[table.name] += len(expected)
    assert min(num_rows[table.name] for table in TABLES) > 5


def test_real_rows_are_joined_as_sqlite_joins_them(real: Path, tmp_path: Path) -> None:
    """The articles the links of enwiki start and end at are made up, the rows are not."""
    pages = "".join(path.read_text() for path in sorted(real.glob("page.enwiki-*.sql")))
    links = list(read_rows(real / "langlinks.enwiki-es.sql", TABLE))
    starts = (f"({int(row[0] or 0)},0,'Start_{int(row[0] or 0)}','',0" for row in links)
    values = ",".join(f"{start},0,0.5,'','',1,1,'wikitext',NULL)" for start in starts)
    page = tmp_path / "en.sql"
    page.write_text(f"{pages}INSERT INTO `page` VALUES {values};\n")
    english = WikiTables(
        language="en",
        page=page,
        redirect=real / "redirect.enwiki-2018.sql",
        langlinks=real / "langlinks.enwiki-es.sql",
    )
    spanish = WikiTables(
        language="es",
        page=tmp_path / "es-page.sql",
        redirect=tmp_path / "es-redirect.sql",
        langlinks=english.langlinks,
    )
    # Every third title is a redirect to the one before it, every fourth is missing.
    titles = [(row[2] or b"").decode().replace(" ", "_") for row in links]
    rows = [(n, 0, title, int(n % 3 == 2), None) for n, title in enumerate(titles) if n % 4]
    columns = (*PAGE_TABLE.columns, *PAGE_TABLE.optional_columns)
    write_table(spanish.page, "page", columns, rows)
    targets = [(n, 0, titles[n - 1], "", "") for n in range(2, len(titles), 3)]
    write_table(spanish.redirect, "redirect", REDIRECT_COLUMNS, targets)
    ours = join_tables(spanish, english)
    theirs = sqlite_join(english, spanish)
    assert {t: s for s, t in ours.partners().items()} == theirs.pairs
    assert outcomes(ours.target) == theirs.linking
    assert outcomes(ours.source) == theirs.linked
    assert len(theirs.pairs) >= 4
    assert len(set(theirs.linking.values())) >= 4
