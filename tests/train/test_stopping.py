"""What asks a run to leave or to save is followed by all ranks after the same step."""

import os
import signal
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_runs import losses, run_ranks, run_training, tiny_config

from megatron_crossic.backend import select_backend
from megatron_crossic.checkpoint.saving import Progress
from megatron_crossic.config import CheckpointConfig, ParallelConfig, RecoveryConfig, RunConfig
from megatron_crossic.errors import ConfigError, CrossicError
from megatron_crossic.parallel import parallel_groups
from megatron_crossic.train import run as run_module
from megatron_crossic.train.stopping import listening


def config_of(inputs: Path, run_dir: Path, **changes: Any) -> RunConfig:
    checkpoint = CheckpointConfig(initial=inputs / "initial", interval=100, keep_last=9)
    return tiny_config(inputs, run_dir=run_dir, checkpoint=checkpoint, **changes)


def saved(config: RunConfig) -> list[int]:
    root = config.run_dir / "checkpoints"
    assert not list(root.glob("*.partial"))
    return sorted(int(path.name.removeprefix("step_")) for path in root.glob("step_*"))


def ask(config: RunConfig, how: str) -> None:
    """Ask as a user would, from inside one rank."""
    if how.startswith("SIG"):
        os.kill(os.getpid(), signal.Signals[how])
    else:
        (config.run_dir / how).touch()


def run_and_ask(config: RunConfig, how: str, rank: str) -> None:
    """One rank is asked while it is in step 3."""
    step = run_module.Run.step

    def step_and_ask(run: run_module.Run, number: int, metrics: Any) -> Any:
        if number == 3 and os.environ.get("RANK", "0") == rank:
            ask(config, how)
        return step(run, number, metrics)

    run_module.Run.step = step_and_ask  # type: ignore[method-assign]
    try:
        run_training(config)
    finally:
        run_module.Run.step = step  # type: ignore[method-assign]


@pytest.mark.parametrize("how", ["SIGTERM", "SIGUSR1", "STOP"])
def test_a_run_that_is_asked_saves_and_leaves(
    inputs: Path, tmp_path: Path, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = config_of(inputs, tmp_path)
    before = signal.getsignal(signal.SIGTERM)
    run_and_ask(config, how, "0")
    assert "leaving after step 3: " in (said := capsys.readouterr().err)
    assert how in said
    assert (len(losses(tmp_path)), saved(config)) == (3, [3])
    assert not (tmp_path / "STOP").exists()
    assert signal.getsignal(signal.SIGTERM) is before
    run_training(config)
    assert (len(losses(tmp_path)), saved(config)) == (6, [3, 6])


def test_a_signal_to_one_rank_stops_all_after_the_same_step(inputs: Path, tmp_path: Path) -> None:
    config = config_of(inputs, tmp_path)
    said = run_ranks(2, tmp_path / "log", run_and_ask, config, "SIGUSR1", "1")
    assert "leaving after step 3: SIGUSR1" in said
    assert (len(losses(tmp_path)), saved(config)) == (3, [3])


def test_a_stop_file_of_somebody_else_stays(inputs: Path, tmp_path: Path) -> None:
    file = tmp_path / "maintenance"
    config = config_of(inputs, tmp_path / "run", recovery=RecoveryConfig(stop_file=file))
    file.touch()
    run_training(config)
    assert (saved(config), file.exists()) == ([1], True)


def test_save_saves_and_goes_on(inputs: Path, tmp_path: Path) -> None:
    config = config_of(inputs, tmp_path)
    run_and_ask(config, "SAVE", "0")
    assert saved(config) == [3, 6]
    assert not (tmp_path / "SAVE").exists()
    assert len(losses(tmp_path)) == 6


def test_minutes_save_and_end(inputs: Path, tmp_path: Path) -> None:
    often = CheckpointConfig(initial=inputs / "initial", interval_minutes=1e-9, keep_last=9)
    config = tiny_config(inputs, run_dir=tmp_path, checkpoint=often)
    run_training(config)
    assert saved(config) == [1, 2, 3, 4, 5, 6]
    short = config_of(inputs, tmp_path / "short", recovery=RecoveryConfig(exit_after_minutes=1e-9))
    run_training(short)
    run_training(replace(short, num_steps=6))
    assert saved(short) == [1, 2]


def test_checkpoints_of_every_nth_step_stay(inputs: Path, tmp_path: Path) -> None:
    checkpoint = CheckpointConfig(initial=inputs / "initial", interval=1, keep_last=1, keep_every=2)
    config = tiny_config(inputs, run_dir=tmp_path, checkpoint=checkpoint, num_steps=5)
    run_training(config)
    assert saved(config) == [2, 4, 5]


def test_leftovers_of_killed_runs_go(inputs: Path, tmp_path: Path) -> None:
    config = replace(config_of(inputs, tmp_path), stop_after_step=1)
    for name in ("step_0000007.partial", "step_0000009"):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
    run_training(config)
    assert saved(config) == [1]


def test_signals_need_the_main_thread(inputs: Path, tmp_path: Path) -> None:
    refusals = []

    def listen() -> None:
        try:
            with listening(config_of(inputs, tmp_path), is_main=True):
                pass
        except ConfigError as error:
            refusals.append(str(error))

    thread = threading.Thread(target=listen, name="other")
    thread.start()
    thread.join()
    assert refusals == [
        "training must run in the main thread of its process, got other. "
        "Only there can it receive signals."
    ]


def test_a_file_made_during_a_save_asks_for_another(inputs: Path, tmp_path: Path) -> None:
    config = config_of(inputs, tmp_path)
    file = tmp_path / "SAVE"
    device = torch.device("cpu")
    with (
        parallel_groups(ParallelConfig(), select_backend("cpu"), seed=1),
        listening(config, is_main=True) as requests,
    ):
        file.touch()
        assert requests.decide(device, Progress.NONE).save
        requests.saving()
        decision = requests.decide(device, Progress.WRITING)
        assert (decision.save, decision.finish_save) == (False, False)
        os.utime(file, (1, 1))  # touched again
        assert requests.decide(device, Progress.WRITTEN).save
        requests.saved()
        assert file.exists()
        requests.saving()
        requests.saved()
        assert not file.exists()


def test_a_stop_file_that_comes_during_the_last_save_asks_the_next_start(
    inputs: Path, tmp_path: Path
) -> None:
    config = config_of(inputs, tmp_path)
    stop = tmp_path / "STOP"
    with listening(config, is_main=True) as requests:
        stop.touch()
        requests.leaving("SIGTERM")
        assert stop.exists()
        requests.leaving("the file STOP")
        assert not stop.exists()


def test_an_attempt_that_lost_the_run_to_another_leaves_without_saving(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(inputs, tmp_path)
    (tmp_path / "slurm").mkdir()
    (tmp_path / "slurm" / "owner").write_text("7.0\n")
    monkeypatch.setenv("CROSSIC_ATTEMPT", "7.0")
    run_training(replace(config, stop_after_step=2))
    (tmp_path / "slurm" / "owner").write_text("7.1\n")
    with pytest.raises(CrossicError, match="one attempt at a time, got another one"):
        run_training(config)
    assert saved(config) == [2]
