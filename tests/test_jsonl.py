"""JSON lines: what is read, and how a damaged line is named."""

from pathlib import Path

import pytest

from megatron_crossic.errors import DataError
from megatron_crossic.jsonl import preview, read_json_lines, to_json_line


def test_lines_are_numbered_and_blank_lines_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(to_json_line({"a": "日本"}) + b"\n  \n" + b'{"b": 2}')
    assert list(read_json_lines(path)) == [(1, {"a": "日本"}), (4, {"b": 2})]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"a": }', r"a\.jsonl, line 2 must be one JSON object, got"),
        (b"[1, 2]", r"a\.jsonl, line 2 must be a JSON object, got"),
        (b'{"a": "\xff"}', r"a\.jsonl, line 2 must be one JSON object, got"),
    ],
)
def test_a_damaged_line_is_named_by_its_number(tmp_path: Path, line: bytes, message: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"ok": 1}\n' + line + b"\n")
    with pytest.raises(DataError, match=message):
        list(read_json_lines(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"input file must be readable, got .*b\.jsonl"):
        list(read_json_lines(tmp_path / "b.jsonl"))


def test_a_preview_cannot_command_the_terminal() -> None:
    assert preview(b"\x1b[2Jgone") == r"'\x1b[2Jgone'"
    assert preview(b"x" * 100) == repr("x" * 60) + "…"
