"""A checkpoint folder is complete or not there, and `latest` never lies."""

from dataclasses import replace
from pathlib import Path

import pytest
from tiny_architecture import TINY

from megatron_crossic.checkpoint.folder import (
    CheckpointInfo,
    candidates,
    complete_steps,
    find_checkpoint,
    new_checkpoint,
    partial_folder,
    read_info,
    remove_old,
    start,
    write_info,
)
from megatron_crossic.errors import CheckpointError
from megatron_crossic.model.architecture import RopeScaling

ARCHITECTURE = replace(TINY, family="llama", qkv_bias=False, rope_scaling=RopeScaling(factor=8.0))


def info(step: int) -> CheckpointInfo:
    return CheckpointInfo(
        step=step, num_tokens=step * 1000, architecture=ARCHITECTURE, details={"seed": 7}
    )


def save(root: Path, step: int) -> None:
    with new_checkpoint(root, step) as folder:
        write_info(folder, info(step))


def test_information_round_trip(tmp_path: Path) -> None:
    save(tmp_path, 20)
    assert read_info(find_checkpoint(tmp_path)) == info(20)
    assert read_info(find_checkpoint(tmp_path / "step_0000020")) == info(20)


def test_nothing_is_visible_before_the_end(tmp_path: Path) -> None:
    save(tmp_path, 1)
    with pytest.raises(ZeroDivisionError), new_checkpoint(tmp_path, 2) as folder:
        write_info(folder, info(2))
        assert find_checkpoint(tmp_path).name == "step_0000001"
        raise ZeroDivisionError
    assert [path.name for path in complete_steps(tmp_path)] == ["step_0000001"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["latest", "step_0000001"]


def test_a_killed_save_leaves_the_previous_checkpoint(tmp_path: Path) -> None:
    save(tmp_path, 1)
    write_info(start(tmp_path, 2), info(2))  # and the process is killed here
    assert find_checkpoint(tmp_path).name == "step_0000001"
    save(tmp_path, 2)
    assert find_checkpoint(tmp_path).name == "step_0000002"
    assert not partial_folder(tmp_path, 2).exists()


@pytest.mark.parametrize(
    "latest", [None, b"step_0000009\n", b"../elsewhere/step_0000001\n", b"", b"\xff\xfe", b"\0"]
)
def test_a_wrong_latest_falls_back_to_the_newest_complete(
    tmp_path: Path, latest: bytes | None
) -> None:
    save(tmp_path, 1)
    save(tmp_path, 3)
    (tmp_path / "latest").unlink()
    if latest is not None:
        (tmp_path / "latest").write_bytes(latest)
    assert find_checkpoint(tmp_path).name == "step_0000003"


def test_old_checkpoints_go_and_the_newest_stay(tmp_path: Path) -> None:
    for step in (1, 2, 10):
        save(tmp_path, step)
    newest = tmp_path / "step_0000010"
    remove_old(newest, keep_last=2)
    assert [path.name for path in complete_steps(tmp_path)] == ["step_0000002", "step_0000010"]
    remove_old(newest, keep_last=5)
    assert len(complete_steps(tmp_path)) == 2


def test_a_later_one_that_was_passed_over_does_not_push_the_newest_out(tmp_path: Path) -> None:
    for step in (1, 2, 20):  # 20 is damaged; the run went on from 1 and has just saved 2
        save(tmp_path, step)
    remove_old(tmp_path / "step_0000002", keep_last=1)
    assert [path.name for path in complete_steps(tmp_path)] == ["step_0000002", "step_0000020"]


def test_a_folder_without_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="must be a folder with a complete checkpoint, got"):
        find_checkpoint(tmp_path / "nothing")
    (tmp_path / "checkpoint.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"must have a readable checkpoint\.json, got"):
        read_info(tmp_path)


def test_latest_never_leads_out_of_the_root(tmp_path: Path) -> None:
    save(tmp_path / "elsewhere", 1)
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "latest").write_text("../elsewhere/step_0000001\n")
    assert candidates(tmp_path / "root") == []
