"""The join of two wikis computed a second time, by SQLite, to compare with.

Nothing of the package is used: SQLite executes the INSERT statements of the dumps themselves, once
MySQL's backslashes are written as SQLite wants them, follows redirects by a recursive query and
chooses pairs as mutual best offers, round after round, which ends at the same pairs as taking the
links one by one in their order.
"""

import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wikipedia_tables import WikiTables

MAX_REDIRECTS = 8
ESCAPES = {"'": "''", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a"}
CREATE = re.compile(r"CREATE TABLE `(\w+)` \(.*?\n\)[^;]*;", re.DOTALL)
DROP = re.compile(r"^DROP TABLE.*;$", re.MULTILINE)
COLUMN = re.compile(r"^\s*`(\w+)`", re.MULTILINE)
NAMESPACES = ("Category",)
"""Of titles in `langlinks`, as far as the tables compared have them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SqliteJoin:
    """Of every article of each wiki its outcome, and the pairs."""

    pairs: Mapping[int, int]
    """Linking article -> linked article."""
    linking: Mapping[int, str]
    linked: Mapping[int, str]


def sqlite_join(linking: WikiTables, linked: WikiTables) -> SqliteJoin:
    """Join two wikis by the langlinks of the first."""
    database = sqlite3.connect(":memory:")
    for side, tables in (("g", linking), ("d", linked)):
        load(database, tables.page)
        load(database, tables.redirect)
        database.executescript(SIDE.replace("SIDE", side))
    load(database, linking.langlinks)
    database.executescript(LINKS.replace("LANGUAGE", linked.language))
    _choose(database)
    database.executescript(OUTCOMES)
    return SqliteJoin(
        pairs=dict(database.execute("SELECT linking, linked FROM pair")),
        linking=dict(database.execute("SELECT id, outcome FROM g_outcome")),
        linked=dict(database.execute("SELECT id, outcome FROM d_outcome")),
    )


DEFAULT_COLUMNS = {
    "page": "page_id page_namespace page_title page_restrictions page_is_redirect page_is_new "
    "page_random page_touched page_links_updated page_latest page_len page_content_model "
    "page_lang".split(),
    "redirect": "rd_from rd_namespace rd_title rd_interwiki rd_fragment".split(),
    "langlinks": "ll_from ll_lang ll_title".split(),
}


def load(database: sqlite3.Connection, path: Path) -> None:
    """Execute a dump; without CREATE TABLE it has the columns of some years ago."""
    text = path.read_text(encoding="utf-8")
    table = re.search(r"INSERT INTO `(\w+)`", text)
    assert table, path
    create = CREATE.search(text)
    columns = COLUMN.findall(create[0]) if create else DEFAULT_COLUMNS[table[1]]
    database.execute(f"DROP TABLE IF EXISTS {table[1]}")
    database.execute(f"CREATE TABLE {table[1]} ({', '.join(columns)})")
    script = DROP.sub("", CREATE.sub("", text))
    script = re.sub(r"\\(.)", lambda found: ESCAPES.get(found[1], found[1]), script)
    database.executescript(script)


# One spelling: blanks for underscores, one at a time, none at the ends, no colon in front.
CLEAN = "trim({0})"
for _many in ("    ", "   ", "  ", "  "):
    CLEAN = f"replace({CLEAN}, '{_many}', ' ')"
SPACED = CLEAN.format("replace({0}, '_', ' ')")
WITHOUT_COLON = f"ltrim({SPACED}, ': ')"
TITLE = f"upper(substr({WITHOUT_COLON}, 1, 1)) || substr({WITHOUT_COLON}, 2)"


def title_sql(column: str) -> str:
    """SQL for the one spelling of the titles in `column`."""
    return TITLE.replace("{0}", column)


SIDE = f"""
CREATE TABLE SIDE_title AS
    SELECT page_id AS id, {title_sql("page_title")} AS title, page_is_redirect AS is_redirect
    FROM page WHERE page_namespace = 0
    AND (page_is_redirect OR page_content_model IS NULL OR page_content_model = 'wikitext');
CREATE UNIQUE INDEX SIDE_by_title ON SIDE_title (title);
CREATE UNIQUE INDEX SIDE_by_id ON SIDE_title (id);
CREATE TABLE SIDE_redirect AS
    SELECT rd_from AS id, {title_sql("rd_title")} AS target,
        CASE WHEN coalesce(rd_interwiki, '') != '' THEN 'redirect_to_other_wiki'
             WHEN rd_namespace != 0 THEN 'redirect_to_other_namespace' END AS dead
    FROM redirect;
CREATE INDEX SIDE_by_from ON SIDE_redirect (id);
CREATE TABLE SIDE_end AS
    WITH RECURSIVE step (start, title, hops, path) AS (
        SELECT title, title, 0, '|' FROM SIDE_title
        UNION SELECT target, target, 0, '|' FROM SIDE_redirect
        UNION ALL
        SELECT start, target, hops + 1, path || SIDE_title.id || '|'
        FROM step JOIN SIDE_title USING (title) JOIN SIDE_redirect USING (id)
        WHERE is_redirect AND dead IS NULL AND hops <= {MAX_REDIRECTS}
    ), last AS (SELECT *, max(hops) FROM step GROUP BY start)
    SELECT start, hops, CASE WHEN NOT is_redirect THEN SIDE_title.id END AS page, CASE
        WHEN hops > {MAX_REDIRECTS} THEN
            CASE WHEN instr(path, '|' || SIDE_title.id || '|') THEN 'redirect_loop'
            ELSE 'redirect_chain_too_long' END
        WHEN SIDE_title.id IS NULL THEN 'redirect_target_not_in_dump'
        WHEN NOT is_redirect THEN NULL
        WHEN hops = {MAX_REDIRECTS} THEN 'redirect_chain_too_long'
        ELSE coalesce(dead, 'redirect_without_target') END AS reason
    FROM last LEFT JOIN SIDE_title USING (title) LEFT JOIN SIDE_redirect USING (id);
UPDATE SIDE_end SET page = NULL WHERE hops > {MAX_REDIRECTS};
CREATE UNIQUE INDEX SIDE_by_start ON SIDE_end (start);
"""

HASH = "instr(ll_title, '#')"
LINKS = f"""
CREATE TABLE row AS
    SELECT ll_from, min(rowid) AS number, '' AS title, '' AS section FROM langlinks
    WHERE ll_lang = 'LANGUAGE' AND ll_title != '' GROUP BY ll_from;
UPDATE row SET (title, section) = (
    SELECT CASE WHEN {HASH} THEN substr(ll_title, 1, {HASH} - 1) ELSE ll_title END,
           CASE WHEN {HASH} THEN trim(substr(ll_title, {HASH} + 1)) ELSE '' END
    FROM langlinks WHERE langlinks.rowid = number);
UPDATE row SET title = {title_sql("title")};
CREATE TABLE link AS
    SELECT ll_from, coalesce(g_end.page, g_title.id) AS linking,
        CASE WHEN is_redirect THEN g_end.hops + 1 ELSE 0 END AS start_hops,
        d_end.hops AS end_hops,
        CASE WHEN section = '' THEN d_end.page END AS linked,
        CASE WHEN section != '' THEN 'link_to_section'
             WHEN d_end.start IS NOT NULL THEN d_end.reason
             WHEN substr(row.title, 1, instr(row.title, ':')) IN
                 ({", ".join(f"'{name}:'" for name in NAMESPACES)}) THEN 'link_to_other_namespace'
             ELSE 'partner_not_in_dump' END AS reason
    FROM row JOIN g_title ON g_title.id = ll_from
    LEFT JOIN g_redirect ON is_redirect AND dead IS NULL AND g_redirect.id = ll_from
    LEFT JOIN g_end ON g_end.start = g_redirect.target
    LEFT JOIN d_end ON d_end.start = row.title
        AND EXISTS (SELECT 1 FROM d_title WHERE d_title.title = row.title)
    WHERE NOT is_redirect OR g_end.page IS NOT NULL;
CREATE TABLE offer AS
    SELECT linking, linked, min(start_hops + end_hops) AS hops
    FROM link WHERE linked IS NOT NULL GROUP BY linking, linked;
CREATE TABLE had_offer AS SELECT linking, linked FROM offer;
CREATE TABLE pair (linking INTEGER PRIMARY KEY, linked INTEGER UNIQUE);
"""


def _choose(database: sqlite3.Connection) -> None:
    """Pair those whose best offer is each other, strike out their other offers, and again."""
    order = "ORDER BY hops, linking, linked"
    while database.execute("SELECT count(*) FROM offer").fetchone()[0]:
        database.executescript(f"""
            INSERT INTO pair SELECT linking, linked FROM (
                SELECT linking, linked,
                    row_number() OVER (PARTITION BY linking {order}) AS mine,
                    row_number() OVER (PARTITION BY linked {order}) AS yours
                FROM offer) WHERE mine = 1 AND yours = 1;
            DELETE FROM offer WHERE linking IN (SELECT linking FROM pair)
                OR linked IN (SELECT linked FROM pair);
        """)


OUTCOMES = """
CREATE TABLE failure AS SELECT linking, reason FROM (
    SELECT linking, reason, row_number() OVER (
        PARTITION BY linking ORDER BY start_hops, ll_from) AS number
    FROM link WHERE linked IS NULL) WHERE number = 1;
CREATE TABLE g_outcome AS SELECT id, CASE
    WHEN id IN (SELECT linking FROM pair) THEN 'paired'
    WHEN id IN (SELECT linking FROM had_offer) THEN 'duplicate_partner'
    ELSE coalesce((SELECT reason FROM failure WHERE linking = id), 'no_partner') END AS outcome
    FROM g_title WHERE NOT is_redirect;
CREATE INDEX failure_by_linking ON failure (linking);
CREATE TABLE d_outcome AS SELECT id, CASE
    WHEN id IN (SELECT linked FROM pair) THEN 'paired'
    WHEN id IN (SELECT linked FROM had_offer) THEN 'duplicate_partner'
    ELSE 'no_partner' END AS outcome
    FROM d_title WHERE NOT is_redirect;
"""
