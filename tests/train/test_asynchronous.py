"""Checkpoints written beside the next steps are those of their step, whole or not there."""

import json
import os
import re
import resource
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tiny_lora import lora_config, lora_inputs
from tiny_runs import losses, run_ranks, run_training, start_ranks, tiny_config

from megatron_crossic.checkpoint import saving
from megatron_crossic.checkpoint.folder import read_info
from megatron_crossic.checkpoint.sound import check_sound
from megatron_crossic.checkpoint.untrusted import read_index
from megatron_crossic.checkpoint.writer import PlannedShards
from megatron_crossic.config import CheckpointConfig, ParallelConfig, RunConfig
from megatron_crossic.errors import CheckpointError
from megatron_crossic.train.run import Run

NUM_STEPS = 14
BESIDE = 3
"""Steps during a write."""
LAZY = ParallelConfig(
    distributed_optimizer=True, overlap_grad_reduce=True, overlap_param_gather=True
)


def in_background(config: RunConfig, **changes: Any) -> RunConfig:
    return replace(config, checkpoint=replace(config.checkpoint, asynchronous=True, **changes))


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def run_with_slow_writer(config: RunConfig) -> None:
    """Each background write lasts until training has gone on by three steps."""
    step, write = Run.step, PlannedShards.write
    done = 0
    went_on = threading.Condition()

    def step_and_tell(run: Run, number: int, metrics: Any) -> Any:
        nonlocal done
        found = step(run, number, metrics)
        with went_on:
            done = number
            went_on.notify_all()
        return found

    def write_late(shards: PlannedShards) -> Any:
        if threading.current_thread().name == saving.WRITER:
            begun = done
            with went_on:
                assert went_on.wait_for(lambda: done >= begun + BESIDE, timeout=60)
        return write(shards)

    with replaced(Run, "step", step_and_tell), replaced(PlannedShards, "write", write_late):
        run_training(config)


def records(folder: Path) -> dict[tuple[Any, ...], bytes]:
    """The bytes of every tensor and object of a checkpoint, by name and place in the whole."""
    check_sound(folder)
    found = {}
    for position, place in read_index(folder).storage_data.items():
        with (folder / place.relative_path).open("rb") as file:
            file.seek(place.offset)
            offset = None if position.offset is None else tuple(position.offset)
            found[position.fqn, offset] = file.read(place.length)
    return found


def checkpoints(config: RunConfig) -> list[Path]:
    root = config.run_dir / "checkpoints"
    assert not list(root.glob("*.partial"))
    return sorted(root.glob("step_*"))


def assert_saved_alike(one: RunConfig, other: RunConfig) -> None:
    """The same checkpoints, each the same in every bit of every tensor and object."""
    folders, others = checkpoints(one), checkpoints(other)
    assert [folder.name for folder in folders] == [folder.name for folder in others]
    assert len(folders) == 3
    different = []
    for folder, twin in zip(folders, others, strict=True):
        found, expected = records(folder), records(twin)
        assert found.keys() == expected.keys()
        assert any("optimizer" in key[0] for key in found)
        assert any("rng" in key[0] for key in found)
        different += [(folder.name, key) for key in found if found[key] != expected[key]]
        assert read_info(folder) == read_info(twin)
    assert different == []
    assert records(folders[0]) != records(folders[1]), "training changes what is saved"


@pytest.fixture(scope="module")
def lora_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lora_inputs(tmp_path_factory.mktemp("lora"))


@pytest.mark.parametrize(
    ("parallel", "lora"),
    [
        pytest.param(ParallelConfig(distributed_optimizer=True), False, id="DP2+DO"),
        pytest.param(LAZY, False, id="DP2+DO overlapped"),
        pytest.param(ParallelConfig(pipeline=2), False, id="PP2"),
        pytest.param(ParallelConfig(tensor=2), True, id="LoRA TP2"),
    ],
)
def test_a_checkpoint_is_of_its_step_while_training_goes_on(
    inputs: Path, lora_folder: Path, tmp_path: Path, parallel: ParallelConfig, lora: bool
) -> None:
    folder = lora_folder if lora else inputs
    config = (lora_config if lora else tiny_config)(
        folder,
        run_dir=tmp_path / "waits",
        num_steps=NUM_STEPS,
        micro_batch_size=4 if lora else 2,  # tensor ranks talk in every pass
        parallel=parallel,
        checkpoint=CheckpointConfig(initial=folder / "initial", interval=5, keep_last=9),
    )
    beside = replace(in_background(config), run_dir=tmp_path / "beside")
    run_ranks(2, tmp_path / "log", run_training, config)
    said = run_ranks(2, tmp_path / "log", run_with_slow_writer, beside)
    num_steps = [int(n) for n in re.findall(r"saved .* s, beside (\d+) steps", said)]
    assert len(num_steps) == 2, said
    assert min(num_steps) >= BESIDE
    assert losses(beside.run_dir) == losses(config.run_dir)
    assert_saved_alike(beside, config)
    shutil.rmtree(checkpoints(beside)[-1])
    assert "resuming after step 10" in run_ranks(2, tmp_path / "log", run_training, beside)
    assert losses(beside.run_dir) == losses(config.run_dir)
    assert_saved_alike(beside, config)


def run_with_writer(
    config: RunConfig, rank: str, write: Callable[[PlannedShards], Any], expected: str
) -> None:
    """Training with another writer on one rank; it ends with an error that matches `expected`."""
    mine = write if os.environ["RANK"] == rank else PlannedShards.write
    with (
        replaced(PlannedShards, "write", mine),
        replaced(saving, "PATIENCE", timedelta(seconds=1)),
        pytest.raises(Exception, match=expected) as caught,
    ):
        run_training(config)
    assert not expected or isinstance(caught.value, CheckpointError)


WRITE = PlannedShards.write


def die(shards: PlannedShards) -> Any:
    WRITE(shards)
    os.kill(os.getpid(), signal.SIGKILL)


def write_too_much(shards: PlannedShards) -> Any:
    """No file may grow beyond 20,000 bytes: the system refuses the write as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    return WRITE(shards)


@pytest.fixture(scope="module")
def whole(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    """A run of 20 steps with background writes that nothing happens to.

    Each of its two ranks has layers to write; of data ranks only the first has.
    """
    folder = tmp_path_factory.mktemp("whole")
    config = in_background(
        tiny_config(
            inputs, run_dir=folder / "run", num_steps=20, parallel=ParallelConfig(pipeline=2)
        ),
        interval=5,
    )
    run_ranks(2, folder / "log", run_training, config)
    return config


@pytest.fixture(scope="module")
def first_steps(whole: RunConfig) -> Path:
    """The run directory of the same run after 3 steps and a checkpoint that was waited for."""
    run_dir = whole.run_dir.with_name("begun")
    checkpoint = replace(whole.checkpoint, asynchronous=False, interval=3)
    config = replace(whole, run_dir=run_dir, checkpoint=checkpoint, stop_after_step=3)
    run_ranks(2, run_dir.with_suffix(".log"), run_training, config)
    return run_dir


@pytest.fixture
def begun(whole: RunConfig, first_steps: Path, tmp_path: Path) -> RunConfig:
    """The run of `first_steps`, that goes on with background writes."""
    shutil.copytree(first_steps, tmp_path / "run")
    return replace(whole, run_dir=tmp_path / "run")


def assert_goes_on(config: RunConfig, whole: RunConfig, log: Path) -> None:
    """From step 3, to the end of a run that nothing happened to."""
    assert "resuming after step 3" in run_ranks(2, log, run_training, config)
    assert losses(config.run_dir) == losses(whole.run_dir)


def test_a_rank_killed_in_a_background_write_leaves_the_previous(
    begun: RunConfig, whole: RunConfig, tmp_path: Path
) -> None:
    ranks = start_ranks(2, tmp_path / "log", run_with_writer, begun, "1", die, "")
    for process in ranks:
        process.join(timeout=60)
    log = (tmp_path / "log").read_text(encoding="utf-8")
    assert [process.exitcode for process in ranks] == [0, -signal.SIGKILL], log
    assert "left out the checkpoint of step 5" in log
    root = begun.run_dir / "checkpoints"
    assert (root / "latest").read_text(encoding="utf-8") == "step_0000003\n"
    assert [path.name for path in root.glob("step_*[0-9]")] == ["step_0000003"]
    assert_goes_on(begun, whole, tmp_path / "log")


def test_all_ranks_learn_of_a_full_disk_under_one(
    begun: RunConfig, whole: RunConfig, tmp_path: Path
) -> None:
    expected = r"possible to save, got OSError.*too large.* previous checkpoint is intact"
    run_ranks(2, tmp_path / "log", run_with_writer, begun, "1", write_too_much, expected)
    assert [path.name for path in checkpoints(begun)] == ["step_0000003"]
    assert 5 <= len(losses(begun.run_dir)) < 20
    assert_goes_on(begun, whole, tmp_path / "log")


def run_to_an_error(config: RunConfig) -> None:
    """Rank 1 fails in the step after a save, when its part is written."""
    step = Run.step

    def step_or_fail(run: Run, number: int, metrics: Any) -> Any:
        if number == 6 and os.environ["RANK"] == "1":
            raise ValueError("a bug")
        return step(run, number, metrics)

    expected = ValueError if os.environ["RANK"] == "1" else RuntimeError
    with replaced(Run, "step", step_or_fail), pytest.raises(expected):
        run_training(config)


def test_an_error_on_one_rank_keeps_what_all_have_written(
    begun: RunConfig, whole: RunConfig, tmp_path: Path
) -> None:
    said = run_ranks(2, tmp_path / "log", run_to_an_error, begun)
    assert f"saved {begun.run_dir / 'checkpoints' / 'step_0000005'}\n" in said
    assert "resuming after step 5" in run_ranks(2, tmp_path / "log", run_training, begun)
    assert losses(begun.run_dir) == losses(whole.run_dir)


def test_saves_that_last_longer_than_their_interval_queue_up(
    inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = in_background(tiny_config(inputs, run_dir=tmp_path), interval=1, keep_last=9)
    writing = threading.Lock()

    def write_alone(shards: PlannedShards) -> Any:
        assert writing.acquire(blocking=False), "two writes at a time"
        threading.Event().wait(0.1)
        found = WRITE(shards)
        writing.release()
        return found

    with replaced(PlannedShards, "write", write_alone):
        run_training(config)
    assert len(checkpoints(config)) == 6
    for folder in checkpoints(config):
        check_sound(folder)
    said = capsys.readouterr().err
    assert len(re.findall(r"saved .* s, beside 1 step\n", said)) == 5
    assert json.loads((tmp_path / "metrics.jsonl").read_bytes().splitlines()[-1])["step"] == 6
