"""Rows streamed out of a MediaWiki SQL dump (what `mysqldump` writes), in bounded memory.

Statements are scanned one by one and rows are matched by one regular expression for the wanted
table, so an INSERT may have any number of rows and a line any length. Order of columns comes from
the INSERT itself, else from CREATE TABLE, else from the caller.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from megatron_crossic.data.unpack import OnBytes, ignore_bytes, read_blocks
from megatron_crossic.errors import DataError
from megatron_crossic.jsonl import preview

# No row or single token of a MediaWiki link table comes near this; whatever does is malformed.
MAX_TOKEN_BYTES = 1 << 20

STRING = rb"'(?:[^'\\]++|\\.|'')*+'"
VALUE = rb"(?:_binary\s+)?" + STRING + rb"|0[xX][0-9a-fA-F]+|-?[0-9][-+.0-9eE]*|NULL|null"
NAME = rb"`(?:[^`]|``)+`|[A-Za-z_][A-Za-z0-9_$]*"

GAP = re.compile(rb"(?:\s|/\*.*?\*/|(?:--(?:[ \t]|(?=[\r\n])|\Z)|#)[^\n]*(?:\n|\Z))*+", re.DOTALL)
INSERT = re.compile(
    rb"(?:INSERT(?:\s+IGNORE)?|REPLACE)\s+INTO\s+(?P<table>" + NAME + rb")\s*"
    rb"(?:\((?P<columns>[^()]*)\)\s*)?VALUES\s*",
    re.IGNORECASE,
)
CREATE = re.compile(
    rb"CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(?P<table>" + NAME + rb")", re.IGNORECASE
)
# A piece of a statement; quoted and commented semicolons do not end it.
PIECE = re.compile(
    rb"[^;'\"`/\-#]+|" + STRING + rb'|"(?:[^"\\]++|\\.|"")*+"|`[^`]*`'
    rb"|/\*.*?\*/|--[ \t][^\n]*\n|#[^\n]*\n|/(?!\*)|-(?!-[ \t])|;",
    re.DOTALL,
)
COLUMN = re.compile(rb"(?:^|[(,])\s*`((?:[^`]|``)+)`\s+[A-Za-z]", re.MULTILINE)

ESCAPE = re.compile(rb"\\(.)|''", re.DOTALL)
ESCAPED = {b"0": b"\0", b"b": b"\b", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"Z": b"\x1a"}

Row = tuple[bytes | None, ...]


def read_rows(
    path: Path,
    *,
    table: str,
    columns: Sequence[str],
    default_columns: Sequence[str],
    on_bytes: OnBytes = ignore_bytes,
) -> Iterator[Row]:
    """Yield the values of `columns` of every row inserted into `table`; NULL is None.

    `default_columns` is the order of all columns where the dump does not say it. Raises
    `DataError` with line and byte for anything malformed or cut off, and where no row of `table`
    is inserted.
    """
    blocks = read_blocks(path, on_bytes=on_bytes)
    yield from parse_rows(
        blocks, path=path, table=table, columns=columns, default_columns=default_columns
    )


def parse_rows(
    blocks: Iterator[bytes],
    *,
    path: Path,
    table: str,
    columns: Sequence[str],
    default_columns: Sequence[str],
) -> Iterator[Row]:
    """`read_rows` for a dump that arrives in blocks of any size; `path` is for messages."""
    scanner = _Scanner(path, blocks)
    known = tuple(default_columns)
    found_table = False
    while scanner.skip_gap():
        insert = scanner.match(INSERT)
        create = None if insert else scanner.match(CREATE)
        if insert and _name(insert["table"]) == table:
            found_table = True
            listed = insert["columns"]
            order = tuple(_name(name) for name in listed.split(b",")) if listed else known
            yield from _insert_rows(scanner, order, columns)
            continue
        defines_table = create is not None and _name(create["table"]) == table
        statement = scanner.statement(keep=defines_table)
        known = tuple(_name(name) for name in COLUMN.findall(statement)) or known
    if not found_table:
        raise DataError(
            f"SQL dump must insert rows into table {table}, got none in {path}. "
            f"Point to the {table} dump of the wiki."
        )


def _insert_rows(
    scanner: "_Scanner", order: tuple[str, ...], columns: Sequence[str]
) -> Iterator[Row]:
    missing = [column for column in columns if column not in order]
    if missing:
        raise scanner.malformed(f"table must have columns {', '.join(columns)}", str(order))
    row_pattern = _row_pattern(len(order))
    picks = [order.index(column) + 1 for column in columns]
    while True:
        row = scanner.match(row_pattern)
        if row is None:
            raise scanner.malformed(
                f"row must be {len(order)} SQL values in parentheses with a comma or a semicolon "
                "behind"
            )
        yield tuple(map(_value, map(row.group, picks)))
        if row[len(order) + 1] == b";":
            return


@cache
def _row_pattern(num_columns: int) -> re.Pattern[bytes]:
    value = rb"\s*(" + VALUE + rb")\s*"
    return re.compile(rb"\(" + rb",".join([value] * num_columns) + rb"\)\s*([,;])\s*", re.DOTALL)


def _value(literal: bytes) -> bytes | None:
    if literal[:1] == b"'":
        text = literal[1:-1]
        return ESCAPE.sub(_unescape, text) if b"\\" in text or b"''" in text else text
    if literal[:1] == b"_":
        return _value(literal[literal.index(b"'") :])
    if literal[:2] in (b"0x", b"0X"):
        digits = literal[2:].decode("ascii")
        return bytes.fromhex("0" * (len(digits) % 2) + digits)
    return None if literal in (b"NULL", b"null") else literal


def _unescape(escape: re.Match[bytes]) -> bytes:
    character: bytes | None = escape[1]
    return b"'" if character is None else ESCAPED.get(character, character)


def _name(literal: bytes) -> str:
    return literal.strip().strip(b"`").replace(b"``", b"`").decode("utf-8", "replace")


class _Scanner:
    """A window over the decompressed dump that grows while a pattern may still match."""

    def __init__(self, path: Path, blocks: Iterator[bytes]) -> None:
        self._path = path
        self._blocks = blocks
        self._buffer = b""
        self._position = 0
        self._num_bytes_dropped = 0
        self._num_lines_dropped = 0

    def match(self, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
        """Match here and move behind the match; None where the text cannot match."""
        while True:
            found = pattern.match(self._buffer, self._position)
            # A match that touches the end of the buffer might go on in the next block.
            if found and found.end() < len(self._buffer):
                break
            if len(self._buffer) - self._position > MAX_TOKEN_BYTES or not self._read():
                break
        if found:
            self._position = found.end()
        return found

    def skip_gap(self) -> bool:
        """Skip blanks and comments; False at the end of the file."""
        self.match(GAP)
        # What begins like a comment may end in a later block.
        while self._buffer[self._position : self._position + 1] in (b"-", b"#", b"/"):
            if not self._read():
                break
            self.match(GAP)
        return self._position < len(self._buffer)

    def statement(self, *, keep: bool) -> bytes:
        """Move behind the statement here and return it, or nothing unless it is to be kept."""
        kept = []
        while piece := self.match(PIECE):
            if keep:
                kept.append(piece[0])
            if piece[0] == b";":
                return b"".join(kept)
        raise self.malformed("statement must end with a semicolon")

    def malformed(self, rule: str, got: str | None = None) -> DataError:
        """The error for the place the scanner stands at."""
        rest = self._buffer[self._position : self._position + 100]
        if got is None:
            got = preview(rest) if rest else "the end of the file"
        line = 1 + self._num_lines_dropped + self._buffer.count(b"\n", 0, self._position)
        return DataError(
            f"SQL dump: {rule}, got {got} in {self._path}, line {line}, "
            f"byte {self._num_bytes_dropped + self._position}. "
            "The file is damaged or was cut off: download it again."
        )

    def _read(self) -> bool:
        """Drop what is behind the position and append a block; False at the end of the file."""
        block = next(self._blocks, None)
        if block is None:
            return False
        self._num_bytes_dropped += self._position
        self._num_lines_dropped += self._buffer.count(b"\n", 0, self._position)
        self._buffer = self._buffer[self._position :] + block
        self._position = 0
        return True
