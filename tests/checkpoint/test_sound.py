"""Which checkpoint is the newest one that can be loaded."""

import shutil
from pathlib import Path

import pytest

from megatron_crossic.checkpoint.folder import find_checkpoint
from megatron_crossic.checkpoint.sound import check_content, check_sound, find_sound
from megatron_crossic.checkpoint.untrusted import read_index
from megatron_crossic.errors import CheckpointError


@pytest.fixture
def root(inputs: Path, tmp_path: Path) -> Path:
    """Two complete checkpoints, the second the latest."""
    for step in ("step_0000001", "step_0000002"):
        shutil.copytree(inputs / "initial" / "step_0000000", tmp_path / step)
    (tmp_path / "latest").write_text("step_0000002\n", encoding="utf-8")
    return tmp_path


def chosen(path: Path) -> str:
    found = find_sound(path)
    assert found is not None
    return found.folder.name


def test_latest_decides(root: Path) -> None:
    assert chosen(root) == find_checkpoint(root).name == "step_0000002"
    (root / "latest").write_text("step_0000001\n", encoding="utf-8")
    assert chosen(root) == "step_0000001"
    assert chosen(root / "step_0000002") == "step_0000002"


def test_without_latest_the_newest_complete_one_is_taken(root: Path) -> None:
    (root / "latest").unlink()
    assert chosen(root) == "step_0000002"
    shutil.move(root / "step_0000002", root / "step_0000002.partial")
    assert chosen(root) == "step_0000001"


def test_an_empty_or_missing_folder_has_none(tmp_path: Path) -> None:
    assert find_sound(tmp_path) is None
    assert find_sound(tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("__0_0.distcp", r"must have \d+ bytes or more, got 0 at .*__0_0.distcp"),
        ("common.pt", "must have 1 bytes or more, got 0 at .*common.pt"),
        ("metadata.json", "must have 1 bytes or more, got 0 at .*metadata.json"),
        (".metadata", "checkpoint must contain .metadata"),
        ("checkpoint.json", "must have 1 bytes or more, got 0 at .*checkpoint.json"),
    ],
)
def test_a_checkpoint_without_a_file_is_passed_over(root: Path, name: str, message: str) -> None:
    (root / "step_0000002" / name).unlink()
    with pytest.raises(CheckpointError, match=message):
        check_sound(root / "step_0000002")
    found = find_sound(root)
    assert found is not None
    assert found.folder.name == "step_0000001"
    assert f"passed over {root / 'step_0000002'}" in found.passed_over[0]


def test_latest_may_name_a_folder_that_is_gone(root: Path) -> None:
    shutil.rmtree(root / "step_0000002")
    found = find_sound(root)
    assert found is not None
    assert found.folder.name == "step_0000001"
    assert len(found.passed_over) == 1


def test_damaged_checkpoints_only_are_an_error(root: Path) -> None:
    for step in ("step_0000001", "step_0000002"):
        (root / step / ".metadata").unlink()
    with pytest.raises(CheckpointError, match="must include a complete one, got none in"):
        find_sound(root)


def flip(path: Path, position: int) -> None:
    """Damage one byte."""
    content = bytearray(path.read_bytes())
    content[position] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize("where", [0.0, 0.5])
def test_a_flipped_byte_is_found_by_the_rank_that_reads_it(root: Path, where: float) -> None:
    folder = root / "step_0000002"
    places = list(read_index(folder).storage_data.values())
    check_content(folder, kinds=("",), rank=0, world_size=1)
    position = places[4].offset + int(where * (places[4].length - 1))
    flip(folder / places[4].relative_path, position)
    check_sound(folder)  # every byte is there
    check_content(folder, kinds=("",), rank=0, world_size=3)
    check_content(folder, kinds=("optimizer",), rank=0, world_size=1)  # it has none
    with pytest.raises(CheckpointError, match=r"must hold the bytes .* got others in .*distcp"):
        check_content(folder, kinds=("",), rank=1, world_size=3)
