"""JSON lines: one object a line, UTF-8, errors that name the line."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from megatron_crossic.errors import DataError
from megatron_crossic.files import unreadable


def read_json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number from 1, object) for every line that is not blank.

    Raises `DataError` with the number of the first line that is not a JSON object.
    """
    try:
        with path.open("rb") as file:
            yield from _parse_lines(path, file)
    except OSError as error:
        raise unreadable(path, error) from error


def _parse_lines(path: Path, file: BinaryIO) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(file, start=1):
        if line.isspace():
            continue
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise DataError(
                f"{path}, line {number} must be one JSON object, got {preview(line)}: {error}. "
                "Mend or remove that line."
            ) from error
        if not isinstance(value, dict):
            raise DataError(
                f"{path}, line {number} must be a JSON object, got {preview(line)}. "
                "Mend or remove that line."
            )
        yield number, value


def to_json_line(value: dict[str, Any]) -> bytes:
    """One object as UTF-8 JSON with its newline."""
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)


def preview(line: bytes, limit: int = 60) -> str:
    """The beginning of a damaged line, safe to print on a terminal."""
    return ascii(line[:limit].decode("utf-8", "replace")) + ("…" if len(line) > limit else "")
