"""Rows streamed out of a MediaWiki SQL dump (what `mysqldump` writes), in bounded memory.

Statements are scanned one by one and rows are matched by one regular expression for the wanted
table, so an INSERT may have any number of rows and a line any length. Order of columns comes from
the INSERT itself, else from CREATE TABLE, else from the caller.

Measured by `benchmarks/wikipedia_join.py` on one of two cores that others used too, plain files:
0.6 to 0.8 million rows a second of langlinks, 0.3 to 0.4 million of page (34 to 43 MB/s); row by
row it is a quarter to a third of that.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from megatron_crossic.data.unpack import OnBytes, ignore_bytes, read_blocks
from megatron_crossic.data.wikipedia.tables.sql_rows import (
    Row,
    careful_row,
    fast_rows,
    literal_kind,
    literal_value,
)
from megatron_crossic.data.wikipedia.tables.sql_scanner import Scanner
from megatron_crossic.errors import DataError

NAME = rb"`(?:[^`]|``)+`|[A-Za-z_][A-Za-z0-9_$]*"
INSERT = re.compile(
    rb"(?:INSERT(?:\s+IGNORE)?|REPLACE)\s+INTO\s+(?P<table>" + NAME + rb")\s*"
    rb"(?:\((?P<columns>[^()]*)\)\s*)?VALUES\s*",
    re.IGNORECASE,
)
CREATE = re.compile(
    rb"CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(?P<table>" + NAME + rb")", re.IGNORECASE
)
COLUMN = re.compile(rb"(?:^|[(,])\s*`((?:[^`]|``)+)`\s+[A-Za-z]", re.MULTILINE)
# Where rows go on behind a malformed one: the next row, or the end of the statement.
NEXT = re.compile(rb"\)\s{0,8},\s{0,8}(?=\()|(;)(?:[ \t]{0,8}\r?\n|\s{0,8}(?=INSERT\s))")

MAX_SKIPPED_ROWS = 1000
FEW_SKIPPED_ROWS = 10
"""So many may be skipped however small the table is."""
MAX_SKIPPED_SHARE = 0.001
MAX_PLACES = 20


@dataclass(kw_only=True, slots=True)
class Damage:
    """What was malformed in one table and skipped, as far as that is tolerable.

    A skipped place is counted as one row: what is lost is the row itself, and where a quote is
    missing those up to the next `),(`.
    """

    num_skipped: int = 0
    places: list[int] = field(default_factory=list)
    """Byte of the unpacked dump at which each of the first 20 skipped rows begins."""

    def skip(self, malformed: DataError, *, byte: int) -> None:
        """Note one more; raises `malformed` where they are too many."""
        self.num_skipped += 1
        if self.num_skipped > MAX_SKIPPED_ROWS:
            raise malformed
        if len(self.places) < MAX_PLACES:
            self.places.append(byte)

    def for_account(self) -> dict[str, Any]:
        """How many rows were skipped, and where the first of them begin."""
        return {"rows": self.num_skipped, "first_bytes": self.places}

    def check(self, *, num_rows: int, path: Path) -> None:
        """Raises `DataError` where the skipped rows are too many for all of them."""
        if self.num_skipped > max(FEW_SKIPPED_ROWS, MAX_SKIPPED_SHARE * num_rows):
            raise DataError(
                f"malformed rows of an SQL dump must be at most {MAX_SKIPPED_SHARE:.1%}, got "
                f"{self.num_skipped} beside {num_rows} good ones in {path}, the first at byte "
                f"{self.places[0]}. The file is damaged: download it again."
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Which columns of which table to read."""

    name: str
    columns: tuple[str, ...]
    """Every dump of the table must have them."""
    optional_columns: tuple[str, ...] = ()
    """They follow the others in a row, NULL throughout where the dump lacks them."""
    default_columns: tuple[str, ...]
    """The order of all columns where the dump does not say it."""

    def picks(self, order: tuple[str, ...]) -> tuple[int | None, ...] | None:
        """Where each wanted column stands in `order`; None where a necessary one is missing."""
        if not set(self.columns) <= set(order):
            return None
        wanted = (*self.columns, *self.optional_columns)
        return tuple(order.index(name) if name in order else None for name in wanted)


def read_rows(
    path: Path, table: Table, *, on_bytes: OnBytes = ignore_bytes, damage: Damage | None = None
) -> Iterator[Row]:
    """Yield the wanted values of every row inserted into `table`; NULL is None.

    Raises `DataError` with line and byte for anything malformed or cut off, and where no row of the
    table is inserted. With `damage` a malformed row is skipped and noted there, as long as there
    are few.
    """
    return parse_rows(read_blocks(path, on_bytes=on_bytes), table, path=path, damage=damage)


def parse_rows(
    blocks: Iterator[bytes],
    table: Table,
    *,
    path: Path,
    damage: Damage | None = None,
    is_fast: bool = True,
) -> Iterator[Row]:
    """`read_rows` for a dump that arrives in blocks of any size; `path` is for messages.

    Without `is_fast` every row is matched on its own: the result is the same.
    """
    reader = _TableReader(Scanner(path, blocks), table, damage=damage, is_fast=is_fast)
    num_rows = 0
    for rows in reader.batches():
        num_rows += len(rows)
        yield from rows
    if not reader.found_table:
        raise DataError(
            f"SQL dump must insert rows into table {table.name}, got none in {path}. "
            f"Point to the {table.name} dump of the wiki."
        )
    if damage:
        damage.check(num_rows=num_rows, path=path)


class _TableReader:
    """The statements of a dump, and the rows of those that fill the table, some at a time."""

    def __init__(
        self, scanner: Scanner, table: Table, *, damage: Damage | None, is_fast: bool
    ) -> None:
        self._scanner = scanner
        self._table = table
        self._damage = damage
        self._is_fast = is_fast
        self.found_table = False

    def batches(self) -> Iterator[list[Row]]:
        known = self._table.default_columns
        while self._scanner.skip_gap():
            insert = self._scanner.match(INSERT)
            create = None if insert else self._scanner.match(CREATE)
            if insert and _name(insert["table"]) == self._table.name:
                self.found_table = True
                listed = insert["columns"]
                order = tuple(_name(name) for name in listed.split(b",")) if listed else known
                yield from self._insert(order)
                continue
            defines_table = create is not None and _name(create["table"]) == self._table.name
            statement = self._scanner.statement(keep=defines_table)
            known = tuple(_name(name) for name in COLUMN.findall(statement)) or known

    def _insert(self, order: tuple[str, ...]) -> Iterator[list[Row]]:
        picks = self._table.picks(order)
        if picks is None:
            columns = ", ".join(self._table.columns)
            raise self._scanner.malformed(f"table must have columns {columns}", str(order))
        pattern = careful_row(len(order))
        while True:
            row = self._scanner.match(pattern)
            if row is None:
                if self._skip_row(len(order)):
                    return
                continue
            literals = row.groups()
            yield [tuple(None if p is None else literal_value(literals[p]) for p in picks)]
            if literals[-1] == b";":
                return
            if self._is_fast:
                kinds = tuple(None if p is None else literal_kind(literals[p]) for p in picks)
                fast = fast_rows(len(order), picks, kinds)
                if found := self._scanner.find_all(fast.pattern):
                    yield fast.values(found)

    def _skip_row(self, num_columns: int) -> bool:
        """Skip a malformed row; whether the statement ends there."""
        byte = self._scanner.byte
        malformed = self._scanner.malformed(
            f"row must be {num_columns} SQL values in parentheses with a comma or a semicolon "
            "behind"
        )
        mark = self._scanner.skip_to(NEXT) if self._damage else None
        if mark is None or self._damage is None:
            raise malformed
        self._damage.skip(malformed, byte=byte)
        return mark[1] is not None


def _name(literal: bytes) -> str:
    return literal.strip().strip(b"`").replace(b"``", b"`").decode("utf-8", "replace")
