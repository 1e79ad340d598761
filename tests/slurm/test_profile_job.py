"""A sweep of profiles, led from the first node of a job, each point on both nodes."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from slurm_jobs import PROJECT, SITE, Slurm, text

CONFIG = """
backend: cpu
num_steps: 6
global_batch_size: 8
micro_batch_size: 2
precision: {{compute: fp32}}
schedule: {{peak: 1.0e-3}}
run_dir: {folder}/run
data: {{train: [{inputs}/train]}}
checkpoint: {{initial: {inputs}/initial}}
"""


@pytest.fixture
def config(inputs: Path, tmp_path: Path) -> Path:
    path = tmp_path / "run.yaml"
    path.write_text(CONFIG.format(folder=tmp_path, inputs=inputs), encoding="utf-8")
    return path


def test_a_point_of_a_sweep_runs_on_all_nodes(slurm: Slurm, config: Path, tmp_path: Path) -> None:
    folder = tmp_path / "profiles of two"
    arguments = [
        *("--config", str(config), "--output-folder", str(folder)),
        *("--steps", "2", "--warmup", "1", "--sweep", "micro_batch_size=1,0"),
        *("--processes", "1"),  # wins over the site's
    ]
    script = PROJECT / "slurm" / "profile.sbatch"
    job = slurm.sbatch(tmp_path, "--nodes=2", script, *arguments, CROSSIC_LAUNCH="srun",
                       CROSSIC_PROCESSES_PER_NODE="2")  # fmt: skip
    assert slurm.end_of(job) == "COMPLETED", text(tmp_path / f"{job}.log")
    one, other = json.loads(text(folder / "profile.json"))["points"]
    assert one["step_seconds"]["median"] > 0
    assert one["layout"]["world_size"] == 2
    assert other["reason"].startswith("micro_batch_size must be at least 1, got 0.")
    logs = sorted(path.name for path in folder.rglob("node0*.log"))
    assert {"node00.log", "node01.log"} == set(logs)


def test_a_launch_becomes_srun(tmp_path: Path) -> None:
    # Stands in for srun: a signal to the launcher must reach it.
    for name, does in (("srun", 'echo "$$ $CROSSIC_PROCESSES"'), ("scontrol", "echo node00")):
        (tmp_path / name).write_text(f"#!/bin/bash\n{does}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    command = ["bash", "slurm/launch.sh", "--processes-per-node", "3", "tool.py", "--output-folder"]
    job = {"SLURM_JOB_ID": "7", "SLURM_JOB_NUM_NODES": "1", "SLURM_CPUS_ON_NODE": "2",
           "SLURM_JOB_NODELIST": "node00"}  # fmt: skip
    environment = {**os.environ, **SITE, **job, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    with subprocess.Popen(
        [*command, str(tmp_path)], cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        said, _ = process.communicate(timeout=60)
    assert said.split() == [str(process.pid), "3"]


def test_a_folder_must_be_named_and_what_is_there_is_passed_over(
    slurm: Slurm, tmp_path: Path
) -> None:
    script = PROJECT / "slurm" / "profile.sbatch"
    (tmp_path / "profile.json").touch()
    first = slurm.sbatch(tmp_path, script, "--config", "run.yaml")
    second = slurm.sbatch(tmp_path, script, "--output-folder", tmp_path)
    assert slurm.end_of(first) == "FAILED"
    assert "--output-folder must be given, got none." in text(tmp_path / f"{first}.log")
    assert slurm.end_of(second) == "COMPLETED"
    assert "is there already; nothing to do" in text(tmp_path / f"{second}.log")
