"""What is refused before anything starts."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from small_pairs import write_byte_tokenizer
from tiny_architecture import TINY
from tiny_runs import tiny_config, write_initial, write_windows

from megatron_crossic.backend import select_backend
from megatron_crossic.checkpoint.folder import CheckpointInfo, read_info, write_info
from megatron_crossic.config import (
    CheckpointConfig,
    DataConfig,
    MemoryConfig,
    ParallelConfig,
    PrecisionConfig,
    RunConfig,
)
from megatron_crossic.data.spans import Role
from megatron_crossic.data.tokenizer import load_tokenizer
from megatron_crossic.errors import CheckpointError, ConfigError, CrossicError
from megatron_crossic.train.describe import describe
from megatron_crossic.train.plan import RunPlan, layout_details, make_plan, resume_details


def plan(config: RunConfig, *, world_size: int = 1) -> RunPlan:
    return make_plan(config, select_backend("cpu"), world_size=world_size)


def test_a_new_run_starts_from_the_initial_weights(inputs: Path, tmp_path: Path) -> None:
    made = plan(tiny_config(inputs, run_dir=tmp_path), world_size=2)
    assert made.source == inputs / "initial" / "step_0000000"
    assert (made.resumes, made.first_step, made.num_tokens) == (False, 1, 0)
    assert (made.data_size, made.num_microbatches) == (2, 2)
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_tells_the_arithmetic(inputs: Path, tmp_path: Path) -> None:
    config = tiny_config(inputs, run_dir=tmp_path, parallel=ParallelConfig(tensor=2))
    told = describe(plan(config, world_size=4))
    assert "global_batch_size: 8" in told
    assert "8 windows = 2 microbatches * 2 windows * 2 data ranks = 128 tokens a step" in told
    assert "6 steps = 768 tokens = 1.20 epochs, starting with step 1" in told
    assert "tensor 2 * pipeline 1 * context 1 * data 2 = 4 processes on cpu" in told
    assert "memory  0.00 GiB a rank = parameters 0.00 GiB + gradients 0.00 GiB + opti" in told
    assert "interleaved chunks" not in told


def test_a_dry_run_tells_of_chunks_and_starts_nothing(inputs: Path, tmp_path: Path) -> None:
    initial = write_initial(tmp_path / "deep", architecture=replace(TINY, num_layers=8))
    config = tiny_config(
        inputs,
        run_dir=tmp_path / "run",
        checkpoint=CheckpointConfig(initial=initial),
        parallel=ParallelConfig(pipeline=2, virtual_pipeline=2),
    )
    told = describe(plan(config, world_size=2))
    assert "processes on cpu, 2 interleaved chunks of 2 layers on each" in told
    assert not torch.distributed.is_initialized()
    assert not (tmp_path / "run").exists()


@pytest.fixture
def blended(inputs: Path, tmp_path: Path) -> RunConfig:
    """30 windows of one data set and 10 of another, in equal shares."""
    sets = [write_windows(tmp_path / n, num_windows=w) for n, w in (("wiki", 30), ("replay", 10))]
    data = DataConfig(train=tuple(sets), weights=(1.0, 1.0))
    return tiny_config(inputs, run_dir=tmp_path / "run", data=data)


def test_a_dry_run_tells_the_share_of_each_data_set(blended: RunConfig) -> None:
    told = describe(plan(blended))
    expected = "wiki 50.0% = 24 windows = 0.80 epochs; replay 50.0% = 24 windows = 2.40 epochs"
    assert expected in told
    together = replace(blended, data=replace(blended.data, weights=()))
    told = describe(plan(together))
    assert "wiki 75.0% = 36 windows = 1.20 epochs; replay 25.0% = 12 windows = 1.20 epochs" in told


@pytest.mark.parametrize(
    ("budget", "steps", "told"),
    [
        ({"num_epochs": 2.0}, 10, "10 steps = 1,280 tokens = 2.00 epochs"),
        ({"num_epochs": 0.3}, 2, "(num_epochs 0.3)"),  # 12 windows, in steps of 8
        ({"num_tokens": 1280}, 10, "(num_tokens 1,280)"),
        ({"num_tokens": 1281}, 11, "11 steps"),
        ({"num_tokens": 1}, 1, "1 steps"),
    ],
)
def test_epochs_and_tokens_become_steps(
    blended: RunConfig, budget: dict[str, Any], steps: int, told: str
) -> None:
    schedule = replace(blended.schedule, warmup_steps=0)
    made = plan(replace(blended, num_steps=0, schedule=schedule, **budget))
    assert made.config.num_steps == made.config.last_step == steps
    assert (made.config.num_epochs, made.config.num_tokens) == (None, None)
    made.config.check()  # what is written beside the run can be read again
    assert told in describe(made)


def test_a_schedule_longer_than_the_budget_is_refused(blended: RunConfig) -> None:
    config = replace(blended, num_steps=0, num_tokens=1)
    with pytest.raises(ConfigError, match="warmup_steps must be from 0 to num_steps, got 2 with 1"):
        plan(config)


def test_loss_on_targets_needs_targets(blended: RunConfig) -> None:
    targets_only = replace(blended, data=replace(blended.data, loss_on="target"))
    plan(targets_only)
    sources = (Role.SOURCE, Role.SOURCE)
    replay = write_windows(blended.run_dir.with_name("english"), num_windows=2, roles=sources)
    data = replace(targets_only.data, train=(*blended.data.train, replay), weights=())
    with pytest.raises(ConfigError, match="data.loss_on must be all where .* with .*english. Use"):
        plan(replace(targets_only, data=data))


def test_attention_scopes_and_context_parallelism_exclude_each_other(blended: RunConfig) -> None:
    config = replace(
        blended,
        data=replace(blended.data, attention_scope="pair"),
        parallel=ParallelConfig(context=2),
    )
    with pytest.raises(ConfigError, match=r"attention_scope must be window .* got pair with 2"):
        plan(config, world_size=2)


@pytest.mark.parametrize(
    ("changes", "world_size", "message"),
    [
        ({"parallel": ParallelConfig(tensor=2)}, 3, r"must divide the number of processes, got 2"),
        ({"parallel": ParallelConfig(tensor=4)}, 4, "must divide the model's key/value heads"),
        ({"parallel": ParallelConfig(pipeline=4)}, 4, "must divide the model's layers, got 4"),
        ({"parallel": ParallelConfig(context=2)}, 2, "parallel.context must be 1 on the cpu"),
        ({"precision": PrecisionConfig(compute="fp8")}, 1, "precision.compute must be fp32 or bf1"),
        (
            {"parallel": ParallelConfig(pipeline=2, virtual_pipeline=2)},
            2,
            r"pipeline \* virtual_pipeline must divide the model's layers, got 2 \* 2 = 4 with 2",
        ),
        (
            {"parallel": ParallelConfig(pipeline=2, virtual_pipeline=2), "global_batch_size": 6},
            2,
            "number of microbatches must be a multiple of parallel.pipeline .* got 3 with 2",
        ),
        (
            {"memory": MemoryConfig(recompute="full", recompute_num_layers=3)},
            1,
            "recompute_num_layers must be at most the layers of a pipeline chunk, got 3 with 2",
        ),
        (
            {"parallel": ParallelConfig(tensor=2, sequence=True, tp_comm_overlap=True)},
            2,
            "parallel.tp_comm_overlap must be false on the cpu backend",
        ),
        ({"memory": MemoryConfig(offload_optimizer=True)}, 1, "memory.offload_optimizer must be"),
        ({"precision": PrecisionConfig(compute="fp8"), "micro_batch_size": 8}, 1, "got fp8"),
        (
            {"precision": PrecisionConfig(compute="fp8", recipe="blockwise")},
            1,
            "hidden_size must be a multiple of 128 .* got 32",
        ),
        ({"global_batch_size": 9}, 1, r"got 9 with 2 \* 1 = 2. Use 8 or 10"),
        ({"checkpoint": CheckpointConfig()}, 1, "checkpoint.initial must name a checkpoint"),
        (
            {"checkpoint": CheckpointConfig(initial=Path("nowhere"))},
            1,
            "checkpoint.initial must be a folder with a complete checkpoint, got nowhere",
        ),
    ],
)
def test_layouts_and_options_that_cannot_work_are_refused(
    inputs: Path, tmp_path: Path, changes: dict[str, Any], world_size: int, message: str
) -> None:
    with pytest.raises(CrossicError, match=message):
        plan(tiny_config(inputs, run_dir=tmp_path, **changes), world_size=world_size)


@pytest.mark.parametrize(
    ("windows", "message"),
    [
        ({"vocab_size": 101}, "vocab_size of the data sets must be .* got 101 with 100"),
        ({"seq_length": 65}, "seq_length of the data sets must be .* got 65 with 64"),
    ],
)
def test_data_of_another_model_is_refused(
    inputs: Path, tmp_path: Path, windows: dict[str, Any], message: str
) -> None:
    prefix = write_windows(tmp_path / "other", num_windows=2, **windows)
    with pytest.raises(ConfigError, match=message):
        plan(tiny_config(inputs, run_dir=tmp_path / "run", data=DataConfig(train=(prefix,))))


def with_tokenizer(inputs: Path, root: Path) -> Path:
    """The initial checkpoint as an import leaves it, with a tokenizer; returns its `hf/`."""
    shutil.copytree(inputs / "initial", root)
    return write_byte_tokenizer(root / "step_0000000" / "hf")


def test_data_of_another_tokenizer_is_refused(inputs: Path, tmp_path: Path) -> None:
    hf = with_tokenizer(inputs, tmp_path / "initial")
    fingerprint = load_tokenizer(hf).fingerprint
    same = write_windows(tmp_path / "same", num_windows=2, fingerprint=fingerprint)
    config = tiny_config(
        inputs,
        run_dir=tmp_path / "run",
        data=DataConfig(train=(same,)),
        checkpoint=CheckpointConfig(initial=tmp_path / "initial"),
    )
    assert plan(config).warnings == ()
    message = f"tokenizer of the model, got tokenizer abc in .*train and {fingerprint[:12]} in .*hf"
    other = write_windows(tmp_path / "train", num_windows=2, fingerprint="abc")
    with pytest.raises(ConfigError, match=message):
        plan(replace(config, data=DataConfig(train=(other,))))


def test_a_tokenizer_that_cannot_be_compared_is_told(inputs: Path, tmp_path: Path) -> None:
    hf = with_tokenizer(inputs, tmp_path / "initial")
    (hf / "tokenizer.json").write_text("[]", encoding="utf-8")
    checkpoint = CheckpointConfig(initial=tmp_path / "initial")
    (warning,) = plan(tiny_config(inputs, run_dir=tmp_path, checkpoint=checkpoint)).warnings
    assert warning.startswith("could not compare the tokenizer of the data sets with")


def test_sequence_parallelism_must_divide_the_window(inputs: Path, tmp_path: Path) -> None:
    prefix = write_windows(tmp_path / "odd", num_windows=2, seq_length=17)
    config = tiny_config(
        inputs,
        run_dir=tmp_path / "run",
        data=DataConfig(train=(prefix,)),
        parallel=ParallelConfig(tensor=2, sequence=True),
    )
    with pytest.raises(ConfigError, match="must divide seq_length of the data sets, got 2 with 17"):
        plan(config, world_size=2)


@pytest.fixture
def resumable(inputs: Path, tmp_path: Path) -> RunConfig:
    """A run with a checkpoint of its own after step 3."""
    config = tiny_config(inputs, run_dir=tmp_path / "run")
    first = plan(config)
    folder = first.checkpoints / "step_0000003"
    shutil.copytree(first.source, folder)
    details = {"resume": resume_details(first), "layout": layout_details(first)}
    info = CheckpointInfo(step=3, num_tokens=30, architecture=TINY, details=details)
    write_info(folder, info)
    (first.checkpoints / "latest").write_text("step_0000003\n", encoding="utf-8")
    return config


def test_a_run_with_checkpoints_resumes(resumable: RunConfig) -> None:
    made = plan(resumable)
    assert (made.resumes, made.first_step, made.num_tokens) == (True, 4, 30)
    assert made.same_layout
    without_initial = replace(resumable, checkpoint=CheckpointConfig())
    assert plan(without_initial).resumes
    other = replace(resumable, parallel=ParallelConfig(tensor=2))
    assert not plan(other, world_size=2).same_layout
    assert not replace(made, device="cuda").same_layout  # its random state has another form


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"global_batch_size": 4}, "global_batch_size must be .* got 4 instead of 8 in"),
        ({"precision": PrecisionConfig(compute="bf16")}, "got bf16 instead of fp32"),
    ],
)
def test_a_run_does_not_resume_as_another(
    resumable: RunConfig, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        plan(replace(resumable, **changes))


def test_a_run_does_not_resume_on_other_data(resumable: RunConfig, tmp_path: Path) -> None:
    data = resumable.data
    reseeded = replace(resumable, data=replace(data, seed=5, split_loss=False))
    with pytest.raises(ConfigError, match=r"(?s)data\.seed .* 5 instead of 1234.*data\.split_loss"):
        plan(reseeded)
    for changes in ({"loss_on": "target"}, {"attention_scope": "chunk"}, {"weights": (2.0,)}):
        (name,) = changes
        with pytest.raises(ConfigError, match=rf"data\.{name} must be as in the checkpoint"):
            plan(replace(resumable, data=replace(data, **changes)))
    other = write_windows(tmp_path / "other", num_windows=40, seed=9)
    with pytest.raises(ConfigError, match=r"windows of data\.train must be as in the checkpoint"):
        plan(replace(resumable, data=replace(data, train=(other,))))


def test_a_run_does_not_resume_as_another_model(resumable: RunConfig, tmp_path: Path) -> None:
    other = write_initial(tmp_path / "other", architecture=replace(TINY, num_layers=4))
    checkpoint = replace(resumable.checkpoint, initial=other)
    with pytest.raises(ConfigError, match="got another architecture in .*other"):
        plan(replace(resumable, checkpoint=checkpoint))


def test_the_last_complete_checkpoint_is_used_loudly(resumable: RunConfig) -> None:
    root = resumable.run_dir / "checkpoints"
    newer = root / "step_0000006"
    shutil.copytree(root / "step_0000003", newer)
    write_info(newer, replace(read_info(newer), step=6))
    (root / "latest").write_text("step_0000006\n", encoding="utf-8")
    assert plan(resumable).first_step == 7
    shard = next(newer.glob("*.distcp"))
    shard.write_bytes(shard.read_bytes()[:-1])
    made = plan(resumable)
    assert made.first_step == 4
    assert "passed over" in made.warnings[0]
    assert shard.name in made.warnings[0]
    (newer / "checkpoint.json").unlink()
    assert plan(resumable).first_step == 4


def test_checkpoints_that_are_all_damaged_are_not_ignored(resumable: RunConfig) -> None:
    folder = resumable.run_dir / "checkpoints" / "step_0000003"
    (folder / ".metadata").write_bytes(b"")
    with pytest.raises(CheckpointError, match="checkpoints must include a complete one, got none"):
        plan(resumable)
