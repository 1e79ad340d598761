"""JSON lines: one object a line, UTF-8, errors that name the line."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from megatron_crossic.errors import DataError


def parse_json_lines(
    path: Path, lines: Iterable[bytes], *, first: int = 1
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number, object) for every line that is not blank; `first` is the first's number.

    Raises `DataError` with the number of the first line that is not a JSON object.
    """
    for number, line in enumerate(lines, start=first):
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
    """One object as UTF-8 JSON with its newline.

    What JSON has no word for (bytes, decimals and durations of Parquet columns) is written as text.
    """
    return orjson.dumps(value, default=str, option=orjson.OPT_APPEND_NEWLINE)


def preview(line: bytes, limit: int = 60) -> str:
    """The beginning of a damaged line, safe to print on a terminal."""
    return ascii(line[:limit].decode("utf-8", "replace")) + ("…" if len(line) > limit else "")
