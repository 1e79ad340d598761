"""A job is looked at from every side before it is queued, and all problems are told at once."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from small_site import CPU_NODES, make_site
from tiny_runs import tiny_config

from megatron_crossic.backend.elsewhere import gpu_elsewhere
from megatron_crossic.cluster.submission import Request, Submission, examine
from megatron_crossic.config import MemoryConfig, ParallelConfig, PrecisionConfig
from megatron_crossic.train.options import to_yaml

TOOL = Path(__file__).parents[2] / "slurm" / "submit.py"
NO_SLURM = "sbatch must be on the PATH, got none. Log in to the cluster."


@pytest.fixture
def folder(inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with run.yaml, on a machine without Slurm and without settings."""
    make_site(tmp_path)
    config = tiny_config(inputs, run_dir=Path("runs/a"))
    (tmp_path / "run.yaml").write_text(to_yaml(config), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    for name in [name for name in os.environ if name.startswith("CROSSIC_")]:
        monkeypatch.delenv(name)
    return tmp_path


def request(*arguments: str, nodes: int = 2, **changes: object) -> Request:
    made = Request(
        num_nodes=nodes, arguments=("--config", "run.yaml", *arguments), changes=CPU_NODES
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def told(submission: Submission) -> list[str]:
    """Problems but for the missing Slurm, which some machines have."""
    return [problem for problem in submission.problems if problem != NO_SLURM]


def test_a_sound_job(folder: Path) -> None:
    submission = examine(request(time="20:00", nodes=2, tokens_per_second=100.0))
    assert told(submission) == []
    rows = dict(submission.rows)
    assert "data 4 = 4 processes on cpu" in rows["layout"]
    assert rows["run"].startswith("6 steps = 768 tokens")
    assert rows["disk"].startswith("3 checkpoints of ")
    assert rows["time"].startswith("768 tokens left at 100 tokens/s (--tokens-per-second)")
    assert submission.command == (
        "sbatch",
        "--parsable",
        "--nodes=2",
        "--time=20:00",
        "--gpus-per-node=0",
        "--export=ALL",
        f"--comment=run_dir={folder.resolve()}/runs/a",
        "slurm/pretrain.sbatch",
        "--config",
        "run.yaml",
    )
    assert not (folder / "runs").exists(), "looking changes nothing"


def test_settings_and_options_reach_sbatch_as_words(folder: Path) -> None:
    changes = {**CPU_NODES, "CROSSIC_ACCOUNT": "a b; c", "CROSSIC_QOS": "long"}
    submission = examine(
        request("--seed", "3", changes=changes, sbatch_options=("--exclude=node03",))
    )
    assert submission.command[4:] == (
        "--account=a b; c",
        "--qos=long",
        "--export=ALL",
        f"--comment=run_dir={folder.resolve()}/runs/a",
        "--exclude=node03",
        "slurm/pretrain.sbatch",
        "--config",
        "run.yaml",
        "--seed",
        "3",
    )


def test_all_problems_are_told_at_once(folder: Path) -> None:
    changes = {**CPU_NODES, "CROSSIC_LAUNCH": "mpi"}
    submission = examine(
        request("--parallel.tensor", "3", "--run_dir", "run.yaml/x", time="5", changes=changes)
    )
    assert [problem.split(" must")[0] for problem in told(submission)] == [
        "CROSSIC_LAUNCH",
        "parallel.tensor * pipeline * context",
        "run_dir",
        "--time",
    ]
    assert folder.exists()


def test_paths_that_are_not_there(folder: Path) -> None:
    (missing,) = told(examine(request("--config", "none.yaml")))
    assert "none.yaml" in missing
    (data,) = told(examine(request("--data.train", "[no/such/windows]")))
    assert "no/such/windows" in data
    assert folder.exists()


def test_a_warning_can_be_set_for_one_job(folder: Path) -> None:
    short = request(time="5", sbatch_options=("--signal=B:USR1@120",))
    assert told(examine(short)) == []
    assert len(told(examine(replace(short, sbatch_options=())))) == 1
    assert folder.exists()


def test_gpus_are_planned_for_where_there_are_none(folder: Path) -> None:
    changes = {"CROSSIC_GPUS_PER_NODE": "4", "CROSSIC_PYTHON": sys.executable}
    submission = examine(request("--backend", "auto", "--micro_batch_size", "1", changes=changes))
    assert told(submission) == []
    assert "data 8 = 8 processes on cuda" in dict(submission.rows)["layout"]
    (refused,) = told(examine(request("--backend", "cuda")))
    assert refused.startswith("backend must be one the nodes have, got cuda")
    assert folder.exists()


def test_of_a_container_everything_is_assumed() -> None:
    fp8 = PrecisionConfig(compute="fp8", recipe="blockwise")
    options = (ParallelConfig(context=2), fp8, MemoryConfig())
    assert gpu_elsewhere(same_software=False).problems(*options) == []


def test_paths_are_looked_for_where_a_container_has_them_from(folder: Path, inputs: Path) -> None:
    image = {**CPU_NODES, "CROSSIC_CONTAINER_IMAGE": "registry/image:1"}
    unseen = told(examine(request(changes=image)))
    names = {problem.split(" must lie in what the container sees")[0] for problem in unseen}
    assert {"data.train", "checkpoint.initial"} <= names
    config = (folder / "run.yaml").read_text(encoding="utf-8")
    (folder / "run.yaml").write_text(config.replace(str(inputs), "/in"), encoding="utf-8")
    mounted = {**image, "CROSSIC_CONTAINER_MOUNTS": f"{inputs}:/in"}
    assert told(examine(request(changes=mounted))) == []


def test_a_dry_run_prints_the_script_and_another_submits_it(folder: Path) -> None:
    environment = {**os.environ, **CPU_NODES}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(TOOL), *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)

    program(folder, "sbatch", "echo called >>calls; env >environment; echo 17")
    # An installed Slurm would look for its configuration for a minute each.
    program(folder, "squeue", "exit 1")
    program(folder, "scontrol", "exit 1")
    environment |= {"PATH": f"{folder}/bin:/usr/bin:/bin", "SLURM_CONF": "/etc/slurm.conf"}
    environment |= {"SLURM_NTASKS": "4", "SRUN_DEBUG": "3", "SALLOC_ACCOUNT": "x"}
    dry = run("--dry-run", "--set", "CROSSIC_QOS=a b", "--", "--config", "run.yaml")
    assert dry.returncode == 0, dry.stderr
    assert "unset SALLOC_ACCOUNT SLURM_NTASKS SRUN_DEBUG\n" in dry.stdout
    assert "CROSSIC_QOS='a b' sbatch --parsable --nodes=1" in dry.stdout
    assert "# Partition of the jobs that train.\nCROSSIC_PARTITION=''" in dry.stdout
    assert dry.stdout.endswith((folder / "slurm" / "pretrain.sbatch").read_text(encoding="utf-8"))
    assert not (folder / "calls").exists()
    queued = run("--", "--config", "run.yaml", "--run_dir", "runs/b")
    assert queued.returncode == 0, queued.stderr
    assert "job      17\nlog      pretrain-17.log\n" in queued.stdout
    assert "python tools/status.py runs/b" in queued.stdout
    assert (folder / "calls").read_text(encoding="utf-8") == "called\n"
    handed_on = (folder / "environment").read_text(encoding="utf-8").splitlines()
    slurms = [line for line in handed_on if line.startswith(("SLURM_", "SRUN_", "SALLOC_"))]
    assert slurms == ["SLURM_CONF=/etc/slurm.conf"]


def program(folder: Path, name: str, body: str) -> None:
    """Stands in for one of Slurm's programs, where folder/bin is on the PATH."""
    script = folder / "bin" / name
    script.parent.mkdir(exist_ok=True)
    script.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    script.chmod(0o755)


def test_a_run_with_a_job_in_the_queue_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also before its first attempt, of which the run's folder could tell."""
    monkeypatch.setenv("PATH", f"{folder}/bin:/usr/bin:/bin")
    program(folder, "sbatch", "exit 1")
    program(folder, "scontrol", "exit 1")
    queue = f"16|RUNNING|(null)\n17|PENDING|run_dir={folder.resolve()}/runs/a\n"
    (folder / "queue").write_text(queue, encoding="utf-8")
    program(folder, "squeue", f"cat {folder}/queue")
    (problem,) = examine(request()).problems
    assert problem.startswith(
        "run_dir must not be that of a job in the queue, got runs/a with job 17 (pending)."
    )
    assert examine(request("--run_dir", "runs/../runs/b")).problems == ()
    (written_otherwise,) = examine(request("--run_dir", f"{folder}/runs/b/../a")).problems
    assert "with job 17 (pending)" in written_otherwise
