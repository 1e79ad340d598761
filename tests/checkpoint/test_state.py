"""Saving and loading in one process; other layouts are in tests/train/test_resume.py."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from megatron.core import dist_checkpointing
from tiny_architecture import TINY
from tiny_runs import SEQ_LENGTH

from megatron_crossic.backend import select_backend
from megatron_crossic.checkpoint.folder import CheckpointInfo, read_info
from megatron_crossic.checkpoint.saving import Surroundings, begin
from megatron_crossic.checkpoint.sound import check_sound
from megatron_crossic.checkpoint.state import (
    TrainingState,
    load_state,
    load_weights,
)
from megatron_crossic.config import OptimizerConfig, ParallelConfig, PrecisionConfig
from megatron_crossic.errors import CheckpointError
from megatron_crossic.model.architecture import ModelArchitecture
from megatron_crossic.model.attention import SdpaAttention
from megatron_crossic.model.build import build_model
from megatron_crossic.parallel import parallel_groups, seed_everything
from megatron_crossic.train.optimizer import build_optimizer, set_rate, wrap_for_training

INFO = CheckpointInfo(step=2, num_tokens=64, architecture=TINY, details={"resume": {"a": 1}})


@contextmanager
def alone() -> Iterator[None]:
    with parallel_groups(ParallelConfig(), select_backend("cpu"), seed=1):
        yield


def new_state(
    *,
    architecture: ModelArchitecture = TINY,
    seed: int = 1,
    distributed: bool = False,
    compute: str = "fp32",
) -> TrainingState:
    seed_everything(seed)
    parallel = ParallelConfig(distributed_optimizer=distributed)
    precision = PrecisionConfig(compute=compute)  # type: ignore[arg-type]
    stage = build_model(
        architecture,
        parallel=parallel,
        precision=precision,
        backend=select_backend("cpu"),
        max_sequence_length=SEQ_LENGTH,
    )
    chunks = wrap_for_training([stage], parallel, precision)
    optimizer = build_optimizer(chunks, OptimizerConfig(), parallel=parallel, precision=precision)
    return TrainingState(chunks=chunks, optimizer=optimizer)


def update(state: TrainingState, *, times: int) -> None:
    """Optimizer steps on gradients that are the same for every state."""
    for number in range(times):
        state.chunks[0].zero_grad_buffer()
        for size, parameter in enumerate(state.chunks[0].parameters()):
            parameter.main_grad.fill_(0.01 * (size % 7 - 3) + number)
        set_rate(state.optimizer, OptimizerConfig(), rate=1e-2)
        state.optimizer.step()


def weights(state: TrainingState) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in state.chunks[0].named_parameters()}


def save(root: Path, state: TrainingState, *, keep_last: int = 2) -> Path:
    surroundings = Surroundings(
        root=root, info=INFO, config_yaml="run_dir: x\n", hf_source=root, keep_last=keep_last
    )
    return begin(state, surroundings, background=False).finish()


@pytest.mark.parametrize("saved_distributed", [False, True])
@pytest.mark.parametrize("loaded_distributed", [False, True])
@pytest.mark.parametrize("compute", ["fp32", "bf16"])
def test_a_loaded_state_updates_like_the_saved_one(
    tmp_path: Path, saved_distributed: bool, loaded_distributed: bool, compute: str
) -> None:
    with alone():
        state = new_state(distributed=saved_distributed, compute=compute)
        update(state, times=2)
        folder = save(tmp_path, state)
        other = new_state(seed=2, distributed=loaded_distributed, compute=compute)
        load_state(folder, other, step=2, with_rng=True)
        update(state, times=2)
        update(other, times=2)
        expected, found = weights(state), weights(other)
    assert expected.keys() == found.keys()
    same = saved_distributed == loaded_distributed
    for name, value in expected.items():  # the two optimizers round differently in the last bit
        torch.testing.assert_close(found[name], value, rtol=0, atol=0 if same else 1e-8)


def test_the_folder_is_complete_and_says_what_it_is(tmp_path: Path) -> None:
    with alone():
        state = new_state()
        update(state, times=1)
        folder = save(tmp_path, state)
        tensors = dist_checkpointing.load_plain_tensors(str(folder))
    assert folder == tmp_path / "step_0000002"
    check_sound(folder)
    assert read_info(folder) == INFO
    assert (folder / "config.yaml").read_text(encoding="utf-8") == "run_dir: x\n"
    assert (tmp_path / "latest").read_text(encoding="utf-8") == "step_0000002\n"
    embedding = "model.embedding.word_embeddings.weight"
    assert torch.equal(
        tensors[embedding], weights(state)["module.embedding.word_embeddings.weight"]
    )
    assert {f"optimizer.state.{m}.{embedding}" for m in ("exp_avg", "exp_avg_sq")} <= set(tensors)


def test_random_generators_go_on_where_they_were(tmp_path: Path) -> None:
    with alone():
        state = new_state()
        update(state, times=1)
        folder = save(tmp_path, state)
        drawn = [(random.random(), np.random.rand(), torch.rand(1).item())]
        seed_everything(99)
        load_state(folder, state, step=2, with_rng=False)
        drawn.append((random.random(), np.random.rand(), torch.rand(1).item()))
        load_state(folder, state, step=2, with_rng=True)
        drawn.append((random.random(), np.random.rand(), torch.rand(1).item()))
    assert drawn[0] == drawn[2]
    assert drawn[0] != drawn[1]


def test_weights_alone_leave_the_optimizer_new(tmp_path: Path) -> None:
    with alone():
        state = new_state()
        update(state, times=2)
        folder = save(tmp_path, state)
        other = new_state(seed=2)
        load_weights(folder, other.models[0])
        (inner,) = other.optimizer.chained_optimizers
        assert not inner.optimizer.state
        expected, found = weights(state), weights(other)
    assert all(torch.equal(found[name], value) for name, value in expected.items())


@pytest.mark.parametrize("changes", [{"hidden_size": 48}, {"num_layers": 4}, {"vocab_size": 300}])
def test_another_model_is_refused(tmp_path: Path, changes: dict[str, int]) -> None:
    with alone():
        state = new_state()
        update(state, times=1)
        folder = save(tmp_path, state)
        other = new_state(architecture=replace(TINY, **changes))  # type: ignore[arg-type]
        with pytest.raises(CheckpointError, match=r"possible to load, got .* same model"):
            load_weights(folder, other.models[0])


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with alone():
        state = new_state()
        update(state, times=1)
        with pytest.raises(CheckpointError, match=r"possible to save, got .*file/step_0000002"):
            save(tmp_path / "file", state)


def test_a_flipped_byte_is_refused(tmp_path: Path) -> None:
    with alone():
        state = new_state()
        update(state, times=1)
        folder = save(tmp_path, state)
        (file,) = folder.glob("*.distcp")
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
        with pytest.raises(CheckpointError, match="must hold the bytes that were written"):
            load_state(folder, state, step=2, with_rng=True)


@pytest.mark.parametrize("saved", [False, True])
def test_extra_states_may_be_absent_and_are_never_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, saved: bool
) -> None:
    """Transformer Engine's attention has one; a checkpoint trained on the CPU does not."""
    given: list[object] = []
    with alone():
        if saved:
            monkeypatch.setattr(SdpaAttention, "get_extra_state", lambda _: torch.ones(3))
        state = new_state()
        update(state, times=1)
        folder = save(tmp_path, state)
        monkeypatch.setattr(SdpaAttention, "get_extra_state", lambda _: torch.ones(3))
        monkeypatch.setattr(SdpaAttention, "set_extra_state", lambda _, state: given.append(state))
        other = new_state(seed=2)
        load_weights(folder, other.models[0])
        expected, found = weights(state), weights(other)
    assert given == [None, None]  # one for each layer
    assert all(torch.equal(found[name], value) for name, value in expected.items())


@dataclass
class Evil:
    path: str

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.path,)


def test_an_object_that_runs_code_is_refused_and_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with alone():
        state = new_state()
        update(state, times=1)
        evil = Evil(str(tmp_path / "made"))
        with monkeypatch.context() as patched:
            patched.setattr("megatron_crossic.checkpoint.state._rng_state", lambda: evil)
            folder = save(tmp_path, state)
        with pytest.raises(CheckpointError, match="possible to load, got UnpicklingError"):
            load_state(folder, state, step=2, with_rng=True)
    assert not (tmp_path / "made").exists()


class GroupCountingAdam(torch.optim.Optimizer):
    """As Transformer Engine's FusedAdam: counts in the group, refuses other state of a tensor."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        kinds = {tuple(sorted(state)) for state in state_dict["state"].values()}
        assert kinds == {("exp_avg", "exp_avg_sq")}, f"it does not know {kinds}"
        super().load_state_dict(state_dict)


@pytest.mark.parametrize("compute", ["fp32", "bf16"])
def test_optimizers_that_count_in_the_group_resume(tmp_path: Path, compute: str) -> None:
    with alone():
        state = new_state(compute=compute)
        update(state, times=2)
        folder = save(tmp_path, state)
        other = new_state(seed=2, compute=compute)
        (inner,) = other.optimizer.chained_optimizers
        inner.optimizer = GroupCountingAdam(inner.optimizer.param_groups, {})
        load_state(folder, other, step=2, with_rng=True)
    groups = inner.optimizer.param_groups
    assert [group["step"] for group in groups] == [2] * len(groups)
    assert all(
        state.keys() == {"exp_avg", "exp_avg_sq"} for state in inner.optimizer.state.values()
    )
