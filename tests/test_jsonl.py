"""JSON lines: what is read, and how a damaged line is named."""

from pathlib import Path

import pytest

from megatron_crossic.errors import DataError
from megatron_crossic.jsonl import parse_json_lines, preview, to_json_line


def test_lines_are_numbered_and_blank_lines_passed_over() -> None:
    lines = [to_json_line({"a": "日本"}), b"\n", b"  \n", b'{"b": 2}']
    assert list(parse_json_lines(Path("a"), lines)) == [(1, {"a": "日本"}), (4, {"b": 2})]
    assert [number for number, _ in parse_json_lines(Path("a"), lines, first=7)] == [7, 10]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"a": }', r"a\.jsonl, line 2 must be one JSON object, got"),
        (b"[1, 2]", r"a\.jsonl, line 2 must be a JSON object, got"),
        (b'{"a": "\xff"}', r"a\.jsonl, line 2 must be one JSON object, got"),
    ],
)
def test_a_damaged_line_is_named_by_its_number(line: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        list(parse_json_lines(Path("a.jsonl"), [b'{"ok": 1}\n', line + b"\n"]))


def test_a_preview_cannot_command_the_terminal() -> None:
    assert preview(b"\x1b[2Jgone") == r"'\x1b[2Jgone'"
    assert preview(b"x" * 100) == repr("x" * 60) + "…"
