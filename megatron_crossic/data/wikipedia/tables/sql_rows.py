"""One row of an INSERT as a pattern, careful or fast, and SQL literals as values.

The careful pattern knows every way to write a value. The fast one knows what `mysqldump` writes and
takes thousands of rows in one call; where it stops, the careful one goes on. Whatever it takes,
the careful one would have taken with the same values.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from typing import Any, Literal

STRING = rb"'(?:[^'\\]++|\\.|'')*+'"
VALUE = rb"(?:_binary\s+)?" + STRING + rb"|0[xX][0-9a-fA-F]+|-?[0-9][-+.0-9eE]*|NULL|null"

# A string in which `''` does not occur: a quote behind it, and the row is left to the careful one.
FAST_STRING = rb"'(?:[^'\\]++|\\.)*+'"
FAST_VALUE = rb"(?:" + FAST_STRING + rb"|-?[0-9][-+.0-9eE]*+|NULL)"

ESCAPE = re.compile(rb"\\(.)|''", re.DOTALL)
ESCAPED = {b"0": b"\0", b"b": b"\b", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"Z": b"\x1a"}
QUOTE, BACKSLASH = b"'\\"

Row = tuple[bytes | None, ...]


@cache
def careful_row(num_columns: int) -> re.Pattern[bytes]:
    """A row with the comma or semicolon behind it: a group for each value and one for that mark."""
    value = rb"\s*(" + VALUE + rb")\s*"
    return re.compile(rb"\s*\(" + rb",".join([value] * num_columns) + rb"\)\s*([,;])\s*", re.DOTALL)


Kind = Literal["number", "string", "any"]
GROUP: dict[Kind, bytes] = {
    "number": rb"([0-9]++)",
    "string": rb"'((?:[^'\\]++|\\.)*+)'",
    "any": rb"(" + FAST_VALUE + rb")",
}


def literal_kind(literal: bytes) -> Kind:
    """What the values of a column probably are, told from one of them."""
    if literal.isdigit():
        return "number"
    return "string" if literal[0] == QUOTE and b"''" not in literal[1:-1] else "any"


@dataclass(frozen=True, kw_only=True, slots=True)
class FastRows:
    """How to take some columns out of the rows of one statement."""

    pattern: re.Pattern[bytes]
    """For `findall`: a group for each column that is taken, and one for all that is left."""
    groups: tuple[int | None, ...]
    """Which group has each value of a row; None where it is always NULL."""
    kinds: tuple[Kind | None, ...]
    """Of each value of a row."""

    def values(self, found: Sequence[tuple[bytes, ...]]) -> list[Row]:
        """The rows that `pattern` found, without the last group."""
        rows = self._picked(found)
        for column, kind in enumerate(self.kinds):
            if kind == "string":
                for index, row in enumerate(rows):
                    if BACKSLASH in row[column]:  # type: ignore[operator]
                        value = _unescaped(row[column])  # type: ignore[arg-type]
                        rows[index] = (*row[:column], value, *row[column + 1 :])
            elif kind == "any":
                columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
                columns[column] = [
                    # A plain string, as most are; all else is for the function.
                    v[1:-1] if v[0] == QUOTE and BACKSLASH not in v else literal_value(v)
                    for v in columns[column]
                ]
                rows = list(zip(*columns, strict=True))
        return rows

    def _picked(self, found: Sequence[tuple[bytes, ...]]) -> list[Row]:
        if len(self.groups) > 1 and None not in self.groups:
            return list(map(itemgetter(*self.groups), found))
        return [tuple(None if g is None else row[g] for g in self.groups) for row in found]


@cache
def fast_rows(
    num_columns: int, picks: tuple[int | None, ...], kinds: tuple[Kind | None, ...]
) -> FastRows:
    """How to take the columns `picks` where their values are of `kinds`, None where pick is None.

    A search would skip what is no row; the last group takes everything from there on instead, so
    that rows are found one right behind the other or not at all.
    """
    kind_of = {
        pick: kind for pick, kind in zip(picks, kinds, strict=True) if pick is not None and kind
    }
    taken = sorted(kind_of)
    values = [GROUP[kind_of[i]] if i in kind_of else FAST_VALUE for i in range(num_columns)]
    row = rb"\(" + rb",".join(values) + rb"\),\s*+"
    return FastRows(
        pattern=re.compile(row + rb"|(.++)", re.DOTALL),
        groups=tuple(None if pick is None else taken.index(pick) for pick in picks),
        kinds=kinds,
    )


def literal_value(literal: bytes) -> bytes | None:
    """The bytes a literal stands for; None for NULL, digits for a number."""
    if literal[:1] == b"'":
        text = literal[1:-1]
        return _unescaped(text) if b"\\" in text or b"''" in text else text
    if literal[:1] == b"_":
        return literal_value(literal[literal.index(b"'") :])
    if literal[:2] in (b"0x", b"0X"):
        digits = literal[2:].decode("ascii")
        return bytes.fromhex("0" * (len(digits) % 2) + digits)
    return None if literal in (b"NULL", b"null") else literal


def _unescaped(text: bytes) -> bytes:
    return ESCAPE.sub(_unescape, text)


def _unescape(escape: re.Match[bytes]) -> bytes:
    character: bytes | None = escape[1]
    return b"'" if character is None else ESCAPED.get(character, character)
