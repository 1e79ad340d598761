"""Checkpoint metadata that would run code is refused before it runs."""

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed.checkpoint as dcp

from megatron_crossic.checkpoint.untrusted import check_pickle, read_index
from megatron_crossic.errors import CheckpointError


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_an_index_of_tensors_passes(tmp_path: Path) -> None:
    dcp.save({"a": torch.ones(2, dtype=torch.bfloat16), "b": 3}, checkpoint_id=tmp_path)
    check_pickle(tmp_path / ".metadata")


def test_a_pickle_that_runs_code_is_refused_and_does_not_run(tmp_path: Path) -> None:
    (tmp_path / ".metadata").write_bytes(pickle.dumps(Evil(tmp_path / "made")))
    with pytest.raises(CheckpointError, match="and nothing else, got .*posix.mkdir.*not to be"):
        check_pickle(tmp_path / ".metadata")
    assert not (tmp_path / "made").exists()


def test_a_damaged_or_missing_index_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"checkpoint must contain \.metadata, got"):
        check_pickle(tmp_path / ".metadata")
    (tmp_path / ".metadata").write_bytes(b"\x80\x04garbage")
    with pytest.raises(CheckpointError, match="must be an index of tensors and nothing else"):
        check_pickle(tmp_path / ".metadata")


@pytest.mark.parametrize("name", ["../__0_0.distcp", "/etc/passwd", "a/b"])
def test_an_index_that_names_files_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    dcp.save({"a": torch.ones(2)}, checkpoint_id=tmp_path)
    index = read_index(tmp_path)
    for place in index.storage_data.values():
        place.relative_path = name
    (tmp_path / ".metadata").write_bytes(pickle.dumps(index))
    with pytest.raises(CheckpointError, match="must be an index of tensors in files beside it"):
        read_index(tmp_path)


def test_a_pickle_that_is_no_index_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".metadata").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(CheckpointError, match="must be an index of tensors in files beside it"):
        read_index(tmp_path)
