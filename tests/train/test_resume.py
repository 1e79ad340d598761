"""Killed runs go on as if nothing had happened."""

import os
import resource
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from tiny_runs import losses, run_ranks, run_training, start_ranks, tiny_config

from megatron_crossic.checkpoint import saving
from megatron_crossic.config import CheckpointConfig, ParallelConfig, PrecisionConfig, RunConfig
from megatron_crossic.errors import CheckpointError

NUM_STEPS = 20


def run_config(inputs: Path, run_dir: Path, parallel: ParallelConfig) -> RunConfig:
    """Tensor ranks talk in every pass: they make two a step, the others four or two each."""
    micro_batch_size = 4 if parallel.tensor > 1 else 2
    return tiny_config(
        inputs,
        run_dir=run_dir,
        parallel=parallel,
        num_steps=NUM_STEPS,
        micro_batch_size=micro_batch_size,
    )


def wait_for(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < deadline, "the run did not get that far"
        time.sleep(0.001)


def kill(ranks: list[BaseProcess]) -> None:
    for process in ranks:
        process.kill()
    for process in ranks:
        process.join()
    assert [process.exitcode for process in ranks] == [-signal.SIGKILL] * len(ranks)


def steps_done(run_dir: Path) -> int:
    path = run_dir / "metrics.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def run_slowly(config: RunConfig) -> None:
    """So slowly that it can be killed before it ends."""
    os.nice(15)
    run_training(config)


def train_and_kill(config: RunConfig, num_ranks: int, *, at_step: int) -> None:
    ranks = start_ranks(num_ranks, config.run_dir.with_suffix(".log"), run_slowly, config)
    wait_for(lambda: steps_done(config.run_dir) >= at_step)
    kill(ranks)
    assert at_step <= steps_done(config.run_dir) < NUM_STEPS


def go_on(config: RunConfig, num_ranks: int) -> str:
    return run_ranks(num_ranks, config.run_dir.with_suffix(".log"), run_training, config)


@pytest.fixture(scope="module")
def alone(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    """A run on one process that nothing happens to."""
    config = run_config(inputs, tmp_path_factory.mktemp("alone") / "run", ParallelConfig())
    run_training(config)
    return config


@pytest.mark.parametrize(
    ("num_ranks", "parallel", "at_step"),
    [
        (1, ParallelConfig(), 7),
        (2, ParallelConfig(tensor=2, sequence=True), 5),
        (2, ParallelConfig(distributed_optimizer=True), 4),
    ],
)
def test_the_same_layout_goes_on_bit_for_bit(
    inputs: Path,
    alone: RunConfig,
    tmp_path: Path,
    num_ranks: int,
    parallel: ParallelConfig,
    at_step: int,
) -> None:
    whole = alone
    if num_ranks > 1:
        whole = run_config(inputs, tmp_path / "whole", parallel)
        go_on(whole, num_ranks)
    killed = run_config(inputs, tmp_path / "killed", parallel)
    train_and_kill(killed, num_ranks, at_step=at_step)
    said = go_on(killed, num_ranks)
    assert "resuming after step" in said
    assert losses(killed.run_dir) == losses(whole.run_dir)
    assert len(losses(whole.run_dir)) == NUM_STEPS
    validations = (run / "validation.jsonl" for run in (killed.run_dir, whole.run_dir))
    assert len({path.read_bytes() for path in validations}) == 1


@pytest.mark.parametrize(
    ("before", "after", "num_ranks"),
    [
        (ParallelConfig(tensor=2), ParallelConfig(pipeline=2), 2),
        (ParallelConfig(distributed_optimizer=True), ParallelConfig(tensor=2), 2),
        (ParallelConfig(tensor=2), ParallelConfig(distributed_optimizer=True), 1),
        (ParallelConfig(), ParallelConfig(tensor=2, distributed_optimizer=True), 4),
    ],
)
def test_another_layout_goes_on_within_rounding(
    inputs: Path,
    alone: RunConfig,
    tmp_path: Path,
    before: ParallelConfig,
    after: ParallelConfig,
    num_ranks: int,
) -> None:
    killed = run_config(inputs, tmp_path / "killed", before)
    train_and_kill(killed, 2, at_step=5)
    go_on(replace(killed, parallel=after), num_ranks)
    assert losses(killed.run_dir) == pytest.approx(losses(alone.run_dir), rel=1e-4)


def test_bf16_goes_on_bit_for_bit_with_its_main_weights(inputs: Path, tmp_path: Path) -> None:
    bf16 = PrecisionConfig(compute="bf16")
    whole = tiny_config(inputs, run_dir=tmp_path / "whole", precision=bf16)
    run_training(whole)
    halves = replace(whole, run_dir=tmp_path / "halves")
    run_training(replace(halves, stop_after_step=3))
    run_training(replace(halves, parallel=ParallelConfig(distributed_optimizer=True)))
    assert losses(halves.run_dir) == losses(whole.run_dir)


def run_killed_in_save(config: RunConfig) -> None:
    """Dies in the checkpoint after step 6, when all tensors are written and the rest is not."""
    write_info = saving.write_info

    def write_or_die(folder: Path, info: saving.CheckpointInfo) -> None:
        if info.step == 6:
            os.kill(os.getpid(), signal.SIGKILL)
        write_info(folder, info)

    saving.write_info = write_or_die
    run_training(config)


def test_killed_while_saving_goes_on_from_the_last_complete_one(
    inputs: Path, alone: RunConfig, tmp_path: Path
) -> None:
    killed = run_config(inputs, tmp_path / "killed", ParallelConfig())
    (process,) = start_ranks(1, tmp_path / "log", run_killed_in_save, killed)
    process.join(timeout=60)
    root = killed.run_dir / "checkpoints"
    assert process.exitcode == -signal.SIGKILL
    assert (root / "step_0000006.partial" / ".metadata").is_file()
    assert (root / "latest").read_text(encoding="utf-8") == "step_0000003\n"
    assert "resuming after step 3" in go_on(killed, 1)
    assert losses(killed.run_dir) == losses(alone.run_dir)
    assert not list(root.glob("*.partial"))


def run_on_full_disk(config: RunConfig) -> None:
    """No file may grow beyond 20,000 bytes: the system refuses the write as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    with pytest.raises(CheckpointError, match=r"possible to save, got .* previous checkpoint is"):
        run_training(config)


@pytest.mark.parametrize("num_ranks", [1, 2])
def test_a_full_disk_leaves_the_previous_checkpoint(
    inputs: Path, tmp_path: Path, num_ranks: int
) -> None:
    config = tiny_config(inputs, run_dir=tmp_path / "run", stop_after_step=3)
    run_training(config)
    root = config.run_dir / "checkpoints"
    rest = replace(config, stop_after_step=None, checkpoint=CheckpointConfig(interval=2))
    run_ranks(num_ranks, tmp_path / "log", run_on_full_disk, rest)
    assert [path.name for path in root.glob("step_*")] == ["step_0000003"]
    assert "resuming after step 3" in go_on(rest, 1)
    assert len(losses(config.run_dir)) == 6


def test_a_finished_run_has_nothing_to_do(
    inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny_config(inputs, run_dir=tmp_path / "run", stop_after_step=2)
    run_training(config)
    before = (tmp_path / "run" / "metrics.jsonl").read_bytes()
    capsys.readouterr()
    run_training(config)
    assert "nothing to do" in capsys.readouterr().err
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == before


def test_only_the_newest_checkpoints_stay(inputs: Path, tmp_path: Path) -> None:
    checkpoint = CheckpointConfig(initial=inputs / "initial", interval=1, keep_last=2)
    config = tiny_config(inputs, run_dir=tmp_path, checkpoint=checkpoint)
    run_training(config)
    folders = sorted((tmp_path / "checkpoints").glob("step_*"))
    assert [folder.name for folder in folders] == ["step_0000005", "step_0000006"]
    for folder in folders:
        assert (folder / "hf" / "config.json").is_file()
        assert (folder / "config.yaml").read_text() == (tmp_path / "config.yaml").read_text()
