"""Files appear whole or not at all."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from megatron_crossic.errors import ConfigError, DataError
from megatron_crossic.files import (
    HashingWriter,
    atomic_output,
    beside,
    fingerprint_file,
    refuse_existing,
    refuse_inputs,
    write_text_atomically,
)


def test_output_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "new" / "out.bin"
    with atomic_output(path) as file:
        file.write(b"abc")
        file.flush()
        assert not path.exists()
    assert path.read_bytes() == b"abc"
    assert list(path.parent.iterdir()) == [path]


def test_an_error_leaves_the_old_content_and_no_partial_file(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), atomic_output(path) as file:
        file.write(b"half of the new")
        raise ZeroDivisionError
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a tmpfs needs root")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_a_clear_error_and_leaves_nothing(small_disk: Path) -> None:
    with (
        pytest.raises(DataError, match="output must be writable, got .*No space left on device"),
        atomic_output(small_disk / "out.bin") as file,
    ):
        file.write(bytes(1 << 20))
    assert list(small_disk.iterdir()) == []


def test_existing_output_is_refused_unless_overwriting(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    refuse_existing(path)
    write_text_atomically(path, "x")
    refuse_existing(path, overwrite=True)
    with pytest.raises(ConfigError, match=r"output path must not exist, got .*out\.txt"):
        refuse_existing(tmp_path / "absent", path)


def test_hashing_writer_agrees_with_the_file_it_wrote(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    with path.open("wb") as file:
        writer = HashingWriter(file)
        writer.write(b"abc")
        writer.write(memoryview(b"defg"))
    assert writer.fingerprint("out.bin") == fingerprint_file(path)
    assert writer.num_bytes == 7


def test_a_missing_input_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"input file must be readable, got .*nothing\.xml"):
        fingerprint_file(tmp_path / "nothing.xml")


@pytest.mark.parametrize("name", ["file/out.bin", "x" * 300])
def test_a_place_that_cannot_be_written_is_a_clear_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DataError, match="output must be writable, got "):
        write_text_atomically(tmp_path / name, "x")


def test_a_name_too_long_is_no_existing_output(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="output must be writable, got .*File name too long"):
        refuse_existing(tmp_path / ("x" * 300))


def test_files_beside_each_other_need_a_name() -> None:
    assert beside(Path("data/en-es"), ".bin") == Path("data/en-es.bin")
    for path in (".", "..", "/", "data/.."):
        with pytest.raises(ConfigError, match="path must end in a file name, got"):
            beside(Path(path), ".bin")


def test_an_output_never_replaces_an_input(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("precious")
    refuse_inputs([tmp_path / "b"], inputs=[tmp_path / "a"])
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(ConfigError, match="output must not replace an input, got .*b for both"):
        refuse_inputs([tmp_path / "c", tmp_path / "b"], inputs=[tmp_path / "a"])
