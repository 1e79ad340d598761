"""Manifests come back as written, and files that disagree with them are refused."""

from pathlib import Path

import pytest

from megatron_crossic.errors import DataError
from megatron_crossic.files import fingerprint_file
from megatron_crossic.manifest import (
    Manifest,
    check_file,
    completing,
    is_incomplete,
    manifest_path,
    read_manifest,
    write_manifest,
)


def test_manifest_round_trip(tmp_path: Path) -> None:
    data = tmp_path / "pairs.jsonl"
    data.write_text("{}\n")
    manifest = Manifest(
        kind="pairs",
        options={"source_lang": "en", "título": "日本語"},
        counts={"pairs": 1},
        drops={"too_short": 3},
        files={"pairs": fingerprint_file(data)},
        inputs=[fingerprint_file(data)],
        parents=["0" * 64],
        details={"languages": ["en", "es"]},
    )
    path = manifest_path(data)
    write_manifest(path, manifest)
    assert path.name == "pairs.jsonl.manifest.json"
    assert read_manifest(path, kind="pairs") == manifest


def test_a_manifest_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    write_manifest(path, Manifest(kind="pairs", options={}, counts={}))
    with pytest.raises(DataError, match="manifest must be of kind windows, format 1, got pairs"):
        read_manifest(path, kind="windows")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"kind": "pairs"}', '{"files": 3}'])
def test_a_damaged_manifest_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "m.json"
    path.write_text(text)
    with pytest.raises(DataError, match="pairs manifest must be a JSON object written by"):
        read_manifest(path, kind="pairs")


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="pairs manifest must exist, got nothing at"):
        read_manifest(tmp_path / "m.json", kind="pairs")


def test_files_are_compared_with_the_manifest(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"12345")
    expected = fingerprint_file(path)
    check_file(tmp_path, "bin", expected, deep=True)
    path.write_bytes(b"1234")
    with pytest.raises(DataError, match="bin file must have 5 bytes .* got 4 bytes"):
        check_file(tmp_path, "bin", expected)
    path.write_bytes(b"54321")
    check_file(tmp_path, "bin", expected)
    with pytest.raises(DataError, match="bin file must have the content its manifest says"):
        check_file(tmp_path, "bin", expected, deep=True)
    path.unlink()
    with pytest.raises(DataError, match="got no file at"):
        check_file(tmp_path, "bin", expected)


def test_files_without_their_manifest_are_marked_until_it_is_written(tmp_path: Path) -> None:
    path, data = tmp_path / "x.manifest.json", tmp_path / "x"
    write_manifest(path, Manifest(kind="pairs", options={"old": True}, counts={}))
    assert not is_incomplete(path)
    with completing(path, data):
        assert is_incomplete(path)
        data.write_text("new")
        write_manifest(path, Manifest(kind="pairs", options={}, counts={}))
        assert not is_incomplete(path)
    assert sorted(tmp_path.iterdir()) == [data, path]


def test_an_error_while_completing_removes_the_files(tmp_path: Path) -> None:
    path, data = tmp_path / "x.manifest.json", tmp_path / "x"
    with (
        pytest.raises(OSError, match="disk gone"),
        completing(path, data, tmp_path / "absent"),
    ):
        data.write_text("new")
        raise OSError("disk gone")
    assert list(tmp_path.iterdir()) == []
