from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wikipedia_samples import langlinks_sql, quote_sql, write_packed

from megatron_crossic.data.wikipedia.tables.sql import Damage, Table, parse_rows, read_rows
from megatron_crossic.data.wikipedia.tables.sql_rows import Row
from megatron_crossic.errors import DataError

COLUMNS = ("ll_from", "ll_lang", "ll_title")
TABLE = Table(name="langlinks", columns=COLUMNS, default_columns=COLUMNS)


def rows_of(
    sql: str | bytes,
    *,
    block: int = 1 << 20,
    table: Table = TABLE,
    damage: Damage | None = None,
    is_fast: bool = True,
) -> list[Row]:
    data = sql.encode("utf-8") if isinstance(sql, str) else sql
    blocks: Iterator[bytes] = (data[i : i + block] for i in range(0, len(data), block))
    return list(parse_rows(blocks, table, path=Path("links.sql"), damage=damage, is_fast=is_fast))


@pytest.mark.parametrize("name", ["l.sql", "l.sql.gz", "l.sql.bz2"])
def test_a_real_dump_in_every_packing(tmp_path: Path, name: str) -> None:
    rows = [(1, "en", "O'Neil"), (2, "es", 'back\\slash "quoted"'), (3, "ja", "ベルリン;(1,2)")]
    path = write_packed(tmp_path / name, langlinks_sql(rows))
    found = read_rows(path, TABLE)
    assert list(found) == [(str(p).encode(), c.encode(), t.encode()) for p, c, t in rows]


@given(
    st.lists(
        st.tuples(st.integers(0, 10**8), st.sampled_from(["en", "zh-yue"]), st.text()), min_size=1
    ),
    st.integers(1, 40),
)
def test_any_rows_come_back_whatever_the_blocks(
    rows: list[tuple[int, str, str]], block: int
) -> None:
    expected = [
        (str(p).encode(), c.encode(), t.encode("utf-8", "surrogatepass")) for p, c, t in rows
    ]
    sql = langlinks_sql(rows).encode("utf-8", "surrogatepass")
    assert rows_of(sql, block=block) == expected


@pytest.mark.parametrize("block", [1, 2, 3, 1000])
def test_comments_quotes_and_other_statements_hide_nothing(block: int) -> None:
    sql = """-- INSERT INTO `langlinks` VALUES (9,'xx','commented');
    # also; a comment
    /* INSERT INTO `langlinks` VALUES (8,'xx','commented'); */
    SET @a = 'it''s; INSERT INTO `langlinks` VALUES (7,\\'x\\',\\'y\\');'; SELECT 1-1, 4/2 -- ; x
    ;
    INSERT INTO `page` VALUES (6,'xx','other; table'),(5,'a','b');
    INSERT IGNORE INTO langlinks VALUES
      (1, 'en', 'one') , (2,'en',NULL),
      (3,_binary 'en',0x416263);
    REPLACE INTO `langlinks` VALUES (4,'en','it''s');--"""
    expected = [(b"1", b"en", b"one"), (b"2", b"en", None), (b"3", b"en", b"Abc")]
    assert rows_of(sql, block=block) == [*expected, (b"4", b"en", b"it's")]


def test_an_insert_of_many_rows_spans_blocks() -> None:
    rows = [(n, "en", "x" * (n % 50)) for n in range(5000)]
    assert len(rows_of(langlinks_sql(rows), block=997)) == 5000


@pytest.mark.parametrize("block", [1, 1000])
@pytest.mark.parametrize("comment", ["-- c\n", "--\n", "# c\n", "/* c */", "/*!40000 c */ "])
def test_a_comment_right_before_an_insert_does_not_hide_it(comment: str, block: int) -> None:
    sql = f"{comment}INSERT INTO `langlinks` VALUES (1,'en','one');"
    assert rows_of(sql, block=block) == [(b"1", b"en", b"one")]


@pytest.mark.parametrize(
    "create",
    [
        "CREATE TABLE `langlinks` (\n  `ll_title` varbinary(255) DEFAULT 'a`b',\n"
        "  `ll_extra` int,\n  `ll_from` int,\n  `ll_lang` v,\n  KEY `k` (`ll_from`)\n);",
        "CREATE TABLE IF NOT EXISTS `langlinks` (`ll_title` v, `ll_extra` int, `ll_from` int, "
        "`ll_lang` v, PRIMARY KEY (`ll_from`,`ll_lang`));",
    ],
)
def test_the_order_of_columns_comes_from_the_table(create: str) -> None:
    sql = f"{create}\nINSERT INTO `langlinks` VALUES ('T',0,1,'en');"
    assert rows_of(sql) == [(b"1", b"en", b"T")]
    named = (
        f"{create}\nINSERT INTO `langlinks` (`ll_lang`, `ll_title`, ll_from) VALUES ('en','T',1);"
    )
    assert rows_of(named) == [(b"1", b"en", b"T")]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (
            "INSERT INTO `langlinks` VALUES (1,'en','a'),\n(2,'en');",
            r"row must be 3 .*'en'\);\" in links\.sql, line 2, byte 45",
        ),
        ("INSERT INTO `langlinks` VALUES (1,'en','a'", r"row must be 3 .*line 1, byte 31"),
        ("INSERT INTO `langlinks` VALUES (1,'en','a')", r"comma or a semicolon behind"),
        ("INSERT INTO `langlinks` VALUES (1,'en','a'),", r"got the end of the file .*byte 44"),
        ("INSERT INTO `langlinks` VALUES (1,'en',a b);", r"row must be 3 SQL values"),
        ("SET a = 'never ends;\n", r"statement must end with a semicolon, got .*line 1"),
        ("CREATE TABLE `langlinks` (`ll_from` int", r"statement must end with a semicolon"),
        ("INSERT INTO `page` VALUES (1);", r"must insert rows into table langlinks, got none"),
        ("", r"must insert rows into table langlinks, got none"),
        (
            "CREATE TABLE `langlinks` (`a` int);\nINSERT INTO `langlinks` VALUES (1);",
            r"table must have columns ll_from, ll_lang, ll_title, got \('a',\)",
        ),
    ],
)
@pytest.mark.parametrize("block", [5, 1 << 20])
def test_malformed_dumps_name_the_place(sql: str, message: str, block: int) -> None:
    with pytest.raises(DataError, match=message):
        rows_of(sql, block=block)


def test_a_row_that_never_ends_does_not_fill_the_memory() -> None:
    endless = (
        b"INSERT INTO `langlinks` VALUES (1,'en','" if n == 0 else b"x" * 100_000
        for n in range(10**9)
    )
    with pytest.raises(DataError, match=r"row must be 3 SQL values .*line 1, byte 31"):
        list(parse_rows(endless, TABLE, path=Path("l")))


def test_quoting_of_the_samples_is_not_trivial() -> None:
    assert quote_sql("a'b\\c\n") == "a\\'b\\\\c\\n"


LITERALS = {
    "1": b"1",
    "-2.5e+3": b"-2.5e+3",
    "NULL": None,
    "0x416263": b"Abc",
    "_binary 'b'": b"b",
    "''": b"",
    "'),(1,2,3),('": b"),(1,2,3),(",
    "'it\\'s'": b"it's",
    "'it''s'": b"it's",
    "'a;\nb'": b"a;\nb",
    "'\\\\'": b"\\",
}
VALUES = st.sampled_from(sorted(LITERALS))
LAST_FIRST = Table(name="langlinks", columns=("ll_title", "ll_from"), default_columns=COLUMNS)


@given(
    st.lists(st.lists(st.tuples(VALUES, VALUES, VALUES), min_size=1), min_size=1),
    st.sampled_from(["", " ", "\n"]),
    st.integers(1, 200),
)
def test_the_fast_way_and_the_careful_way_find_the_same(
    statements: list[list[tuple[str, str, str]]], blank: str, block: int
) -> None:
    sql = "".join(
        "INSERT INTO `langlinks` VALUES "
        + f",{blank}".join(f"({','.join(row)})" for row in rows)
        + ";\n"
        for rows in statements
    )
    expected = [tuple(LITERALS[value] for value in row) for rows in statements for row in rows]
    for is_fast in (True, False):
        assert rows_of(sql, block=block, is_fast=is_fast) == expected
        assert rows_of(sql, is_fast=is_fast) == expected
        found = rows_of(sql, table=LAST_FIRST, is_fast=is_fast)
        assert found == [(title, page) for page, _, title in expected]


def test_a_column_that_may_be_absent_is_null() -> None:
    table = Table(
        name="langlinks",
        columns=("ll_title",),
        optional_columns=("ll_extra", "ll_from"),
        default_columns=COLUMNS,
    )
    sql = "INSERT INTO `langlinks` VALUES (1,'en','a'),(2,'en','b'),(3,'en','c');"
    assert rows_of(sql, table=table) == [(b"a", None, b"1"), (b"b", None, b"2"), (b"c", None, b"3")]


GOOD = [(b"1", b"en", b"a"), (b"9", b"en", b"z")]


@pytest.mark.parametrize("block", [1, 7, 1 << 20])
@pytest.mark.parametrize("is_fast", [True, False])
@pytest.mark.parametrize(
    "bad",
    [
        "(2,'en')",
        "(2,'en','b','c')",
        "(2,'en',b)",
        "(2,en','b')",
        "(2,'en','b)",
        "(2,'en,'b')",
        "\0\0\0(2,'en','b')",
    ],
)
def test_a_malformed_row_costs_itself_and_no_other(bad: str, is_fast: bool, block: int) -> None:
    sql = f"INSERT INTO `langlinks` VALUES (1,'en','a'),{bad},(9,'en','z');\n"
    damage = Damage()
    assert rows_of(sql, block=block, damage=damage, is_fast=is_fast) == GOOD
    assert damage.for_account() == {"rows": 1, "first_bytes": [sql.index(bad)]}


@pytest.mark.parametrize("block", [1, 7, 1 << 20])
def test_a_malformed_row_at_the_end_of_a_statement_leaves_the_next_whole(block: int) -> None:
    one, other = "INSERT INTO `langlinks` VALUES (1,'en','a'),(2,'en,'b');\n", "(9,'en','z');\n"
    damage = Damage()
    sql = f"{one}INSERT INTO `langlinks` VALUES {other}"
    assert rows_of(sql, block=block, damage=damage) == GOOD
    assert damage.places == [one.index("(2")]


@pytest.mark.parametrize("end", ["(2,'en','b'", "(2,'en','b')", "(2,'en", ""])
def test_a_dump_that_is_cut_off_is_refused_even_where_rows_may_be_skipped(end: str) -> None:
    sql = f"INSERT INTO `langlinks` VALUES (1,'en','a'),{end}"
    with pytest.raises(DataError, match=r"row must be 3 SQL values .* was cut off"):
        rows_of(sql, damage=Damage())


def test_a_packed_dump_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    rows = [(n, "en", f"{n * 7919 % 10007:x}") for n in range(5000)]
    path = write_packed(tmp_path / "l.sql.gz", langlinks_sql(rows))
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(DataError, match=r"compressed file must be whole, got .*l\.sql\.gz"):
        list(read_rows(path, TABLE, damage=Damage()))


def damaged(*, num_good: int, num_bad: int) -> str:
    rows = ["(1,'en','a')"] * num_good
    rows[:0] = ["(1,'en')"] * num_bad
    return f"INSERT INTO `langlinks` VALUES {','.join(rows)};\n"


def test_few_malformed_rows_are_skipped_and_more_are_refused() -> None:
    damage = Damage()
    assert len(rows_of(damaged(num_good=1, num_bad=10), damage=damage)) == 1
    assert damage.num_skipped == 10
    assert len(rows_of(damaged(num_good=12_000, num_bad=12), damage=Damage())) == 12_000
    with pytest.raises(DataError, match=r"at most 0\.1%, got 12 beside 11999 .* at byte 31"):
        rows_of(damaged(num_good=11_999, num_bad=12), damage=Damage())
    with pytest.raises(DataError, match=r"row must be 3 SQL values"):
        rows_of(damaged(num_good=1, num_bad=1001), damage=Damage())
