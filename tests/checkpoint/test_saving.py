"""A checkpoint in the background, in one process; tests/train/test_asynchronous.py has the runs."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from test_state import INFO, alone, new_state, update, weights
from tiny_architecture import TINY

from megatron_crossic.checkpoint.folder import find_checkpoint
from megatron_crossic.checkpoint.saving import Progress, Surroundings, begin
from megatron_crossic.checkpoint.state import load_state
from megatron_crossic.checkpoint.writer import PlannedShards
from megatron_crossic.errors import CheckpointError

LARGER = replace(TINY, vocab_size=65_536)


def surroundings(root: Path, *, step: int = 2) -> Surroundings:
    return Surroundings(
        root=root,
        info=replace(INFO, step=step),
        config_yaml="",
        hf_source=root,
        keep_last=1,
    )


@pytest.mark.parametrize("compute", ["fp32", "bf16"])
@pytest.mark.parametrize("distributed", [False, True])
def test_what_is_begun_is_saved_whatever_training_does_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compute: str, distributed: bool
) -> None:
    go_on = threading.Event()
    write = PlannedShards.write

    def write_late(shards: PlannedShards) -> Any:
        assert go_on.wait(60)
        return write(shards)

    monkeypatch.setattr(PlannedShards, "write", write_late)
    with alone():
        state = new_state(compute=compute, distributed=distributed)
        update(state, times=2)
        expected = weights(state)
        pending = begin(state, surroundings(tmp_path), background=True)
        update(state, times=3)
        assert pending.progress == Progress.WRITING
        assert not (tmp_path / "latest").exists()
        go_on.set()
        folder = pending.finish()
        other = new_state(seed=2, compute=compute, distributed=distributed)
        load_state(folder, other, step=2, with_rng=True)
    found = weights(other)
    assert [name for name in found if not torch.equal(found[name], expected[name])] == []
    assert not torch.equal(next(iter(expected.values())), next(iter(weights(state).values())))


def fail(shards: PlannedShards) -> None:  # noqa: ARG001
    raise OSError("no space left")


@pytest.mark.parametrize("part", ["copy", "write"])
def test_a_failure_shows_when_it_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    with alone():
        state = new_state()
        update(state, times=1)
        begin(state, surroundings(tmp_path, step=1), background=True).finish()
        monkeypatch.setattr(PlannedShards, part, fail)
        pending = begin(state, surroundings(tmp_path), background=True)
        with pytest.raises(CheckpointError, match="possible to save, got OSError: no space left"):
            pending.finish()
        assert pending.progress == Progress.FAILED
    assert find_checkpoint(tmp_path).name == "step_0000001"
    assert not list(tmp_path.glob("*.partial"))


def test_a_salvage_completes_what_is_written_and_says_why_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with alone():
        state = new_state()
        update(state, times=1)
        said = begin(state, surroundings(tmp_path, step=1), background=True).salvage()
        assert said == f"saved {tmp_path / 'step_0000001'}"
        monkeypatch.setattr(PlannedShards, "write", fail)
        said = begin(state, surroundings(tmp_path), background=True).salvage()
    assert said == "left out the checkpoint of step 2: no space left"
    assert [path.name for path in tmp_path.glob("step_*")] == ["step_0000001"]


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return 4096 * pages


def test_thirty_saves_take_the_memory_of_one(tmp_path: Path) -> None:
    with alone():
        state = new_state(architecture=LARGER)
        update(state, times=1)
        num_bytes = 3 * sum(value.nbytes for value in weights(state).values())
        sizes = []
        for step in range(1, 41):
            begin(state, surroundings(tmp_path, step=step), background=True).finish()
            sizes.append(resident_bytes())
    assert num_bytes > 10_000_000
    assert sizes[-1] - sizes[9] < num_bytes  # 30 saves; copies that stay would be 30 times as much
