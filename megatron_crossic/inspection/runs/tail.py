"""The last lines of a file of JSON lines that a run may be writing, or was killed while writing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

_BLOCK = 1 << 18
"""100 lines of `metrics.jsonl` have about 150 kB."""


def last_records(path: Path, count: int) -> list[dict[str, Any]]:
    """The last `count` objects, oldest first; fewer where there are fewer, none without a file.

    Reads from the end, so a file of any size costs the same. What is no whole line or no object is
    left out: a look must work on what a killed run left.
    """
    return _records(_last_lines(path, count))[-count:]


def all_records(path: Path) -> list[dict[str, Any]]:
    """Every whole object of a small file."""
    try:
        return _records(path.read_bytes().splitlines(keepends=True))
    except OSError:
        return []


def number_of(record: Mapping[str, Any], name: str) -> float | None:
    """A field that is a number, or nothing."""
    value = record.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _last_lines(path: Path, count: int) -> list[bytes]:
    content = b""
    try:
        with path.open("rb") as file:
            position = file.seek(0, 2)
            while position and content.count(b"\n") <= count:
                size = min(_BLOCK, position)
                position -= size
                file.seek(position)
                content = file.read(size) + content
    except OSError:
        return []
    lines = content.splitlines(keepends=True)
    return lines[1:] if position else lines  # the first one may be cut in the middle


def _records(lines: list[bytes]) -> list[dict[str, Any]]:
    found = []
    for line in lines:
        if not line.endswith(b"\n"):
            continue
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if isinstance(value, dict):
            found.append(value)
    return found
