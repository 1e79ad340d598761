"""Training as jobs on two nodes: to the end, through warnings, a lost node and preemption."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from slurm_jobs import PROJECT, Slurm, text
from tiny_runs import every_step, losses, tiny_config

from megatron_crossic.config import CheckpointConfig
from megatron_crossic.train.options import to_yaml

NUM_STEPS = 100
SCRIPT = PROJECT / "slurm" / "pretrain.sbatch"


@pytest.fixture(scope="module")
def config_file(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on two data ranks that saves only when it is asked to, or once in twenty steps."""
    path = tmp_path_factory.mktemp("a site") / "run.yaml"
    checkpoint = CheckpointConfig(initial=inputs / "initial", interval=20)
    config = tiny_config(
        inputs, num_steps=NUM_STEPS, checkpoint=checkpoint, validation_interval=NUM_STEPS
    )
    path.write_text(to_yaml(config), encoding="utf-8")
    return path


def submit(slurm: Slurm, config_file: Path, run_dir: Path, *options: str, **site: str) -> int:
    """Two nodes, one process each."""
    run = ("--config", config_file, "--run_dir", run_dir, "--log_interval=50")
    script = ("--nodes=2", "--time=30", SCRIPT)
    return slurm.sbatch(config_file.parent, *script, *run, *options, **site)


def attempts(run_dir: Path, event: str) -> list[dict[str, Any]]:
    """What the batch script has noted."""
    lines = text(run_dir / "slurm" / "attempts.jsonl").splitlines()
    return [found for line in lines if (found := orjson.loads(line))["event"] == event]


def await_step(slurm: Slurm, run_dir: Path, step: int) -> None:
    """Until the run has made it."""
    metrics = run_dir / "metrics.jsonl"
    slurm.until(lambda: len(text(metrics).splitlines()) >= step, f"step {step} of {run_dir}")


def await_ends(slurm: Slurm, run_dir: Path, number: int) -> dict[str, Any]:
    """Until so many attempts have ended; the last of them."""
    slurm.until(lambda: len(attempts(run_dir, "end")) == number, f"end {number} of {run_dir}")
    return attempts(run_dir, "end")[-1]


@pytest.fixture(scope="module")
def unlimited(slurm: Slurm, config_file: Path) -> tuple[int, Path]:
    """A run that nothing happens to, after a look at the nodes."""
    run_dir = config_file.parent / "un limited"
    job = submit(slurm, config_file, run_dir)
    assert slurm.end_of(job) == "COMPLETED", text(config_file.parent / f"{job}.log")
    return job, run_dir


def test_two_nodes_train_to_the_end(slurm: Slurm, unlimited: tuple[int, Path]) -> None:
    job, run_dir = unlimited
    assert len(losses(run_dir)) == NUM_STEPS
    assert attempts(run_dir, "start")[0]["nodes"] == "node[00-01]"
    (end,) = attempts(run_dir, "end")
    told = {name: end[name] for name in ("step", "exit_code", "outcome", "next")}
    assert told == {"step": NUM_STEPS, "exit_code": 0, "outcome": "done", "next": "stop"}
    folder = run_dir / "slurm" / f"{job}.0"
    assert f"step {NUM_STEPS}" in text(folder / "node00.log") + text(folder / "node01.log")
    assert (folder / "job.sh").read_bytes() == SCRIPT.read_bytes()
    assert f"SLURM_JOB_ID={job}" in text(folder / "environment")
    assert slurm.field(job, "Restarts") == "0"


def test_three_warnings_change_no_loss(
    slurm: Slurm, config_file: Path, unlimited: tuple[int, Path]
) -> None:
    """A warning is what --signal sends before the time limit."""
    run_dir = config_file.parent / "warned"
    job = submit(slurm, config_file, run_dir, CROSSIC_LAUNCH="srun")
    step = 0
    for warning in range(1, 4):
        await_step(slurm, run_dir, step + 5)
        slurm.cluster.run("scancel", "--batch", "--signal=USR1", str(job))
        end = await_ends(slurm, run_dir, warning)
        assert (end["outcome"], end["next"]) == ("left", "requeue")
        assert step < end["step"] < NUM_STEPS
        step = end["step"]
    assert slurm.end_of(job) == "COMPLETED"
    assert slurm.field(job, "Restarts") == "3"
    assert [start["step"] for start in attempts(run_dir, "start")][1:] == [
        end["step"] for end in attempts(run_dir, "end")[:-1]
    ]
    assert losses(run_dir) == losses(unlimited[1])


@pytest.mark.parametrize("what", ["a node", "the daemon of the batch host"])
def test_what_is_lost_ends_the_attempt_and_the_next_goes_on(
    slurm: Slurm, config_file: Path, unlimited: tuple[int, Path], what: str
) -> None:
    """One Slurm task a process here; torchrun above."""
    run_dir = config_file.parent / what
    job = submit(slurm, config_file, run_dir, CROSSIC_LAUNCH="srun")
    await_step(slurm, run_dir, 30)
    if what == "a node":
        slurm.cluster.kill_node("node01")
    else:  # the ranks would be done before Slurm notices
        slurm.cluster.freeze_jobs("node01")
        slurm.cluster.kill_daemon("node00")
    slurm.state(job, {"PENDING"}, seconds=60)
    if what == "a node":
        slurm.cluster.start_node("node01")
    else:
        slurm.cluster.start_daemon("node00")
    assert slurm.end_of(job) == "COMPLETED", text(config_file.parent / f"{job}.log")
    assert slurm.field(job, "Restarts") == "1"
    assert attempts(run_dir, "start")[1]["step"] >= 20
    assert losses(run_dir) == losses(unlimited[1])


def test_the_time_limit_itself_and_then_a_stop_file(slurm: Slurm, config_file: Path) -> None:
    """Slurm looks at its clocks every 30 seconds and warns where ten minutes or less are left."""
    run_dir = config_file.parent / "limited"
    steps = ("--num_steps=1000000", "--checkpoint.interval=1000000")
    job = submit(slurm, config_file, run_dir, *steps, CROSSIC_LAUNCH="srun")
    slurm.cluster.run("scontrol", "update", f"JobId={job}", "TimeLimit=2")
    first = await_ends(slurm, run_dir, 1)
    assert (first["outcome"], first["next"]) == ("left", "requeue")
    # A second warning could come before the file does.
    slurm.cluster.run("scontrol", "update", f"JobId={job}", "TimeLimit=30")
    await_step(slurm, run_dir, first["step"] + 1)
    (run_dir / "STOP").touch()
    assert slurm.end_of(job) == "COMPLETED"
    last = await_ends(slurm, run_dir, 2)
    assert (last["outcome"], last["next"]) == ("left", "stop")
    log = text(config_file.parent / f"{job}.log")
    assert f"left: after step {last['step']}: the file STOP" in log
    assert len(every_step(run_dir, "step")) == last["step"]
