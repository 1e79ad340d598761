"""A job that is checked and submitted by slurm/submit.py, its nodes checked, its status read."""

import sys
from pathlib import Path

from slurm_jobs import PROJECT, SITE, Slurm, text
from tiny_runs import tiny_config

from megatron_crossic.inspection.runs.status import read_status
from megatron_crossic.inspection.runs.status_text import advice
from megatron_crossic.train.options import to_yaml


def submit(slurm: Slurm, folder: Path, *arguments: str, **variables: str) -> str:
    """What slurm/submit.py says, in the project's folder, on two nodes without GPUs."""
    site = {**SITE, "CROSSIC_GPUS_PER_NODE": "0", "CROSSIC_HEALTH_CHECK": "on", **variables}
    command = [sys.executable, "slurm/submit.py", "--nodes", "2", f"--sbatch=--output={folder}/%j"]
    return slurm.cluster.run(*command, *arguments, variables=site, check=False)


def test_a_checked_job_on_checked_nodes(slurm: Slurm, inputs: Path, tmp_path: Path) -> None:
    assert Path.cwd() == PROJECT, "the tests are started in the project's folder"
    run_dir, config = tmp_path / "run", tmp_path / "run.yaml"
    config.write_text(to_yaml(tiny_config(inputs, run_dir=run_dir)), encoding="utf-8")
    options = ("--time", "20", "--", "--config", str(config))
    refused = submit(slurm, tmp_path, "--set", "CROSSIC_PARTITION=none", *options)
    assert refused.splitlines()[-1].startswith("cluster"), "no job was queued"
    told = submit(slurm, tmp_path, "--set", "CROSSIC_LAUNCH=srun", *options)
    rows = dict(line.split(maxsplit=1) for line in told.splitlines())
    assert rows["layout"].endswith("= 2 processes on cpu")
    job = int(rows["job"])
    again = submit(slurm, tmp_path, *options)
    assert "job " not in again.replace("jobs", ""), "one job a run directory"
    assert slurm.end_of(job) == "COMPLETED", text(Path(rows["log"]))
    log = text(Path(rows["log"]))
    assert "all-reduce over all ranks:" in log
    assert "all nodes are healthy" in log
    status = read_status(run_dir)
    assert (status.state, status.step, len(status.attempts)) == ("done", 6, 1)
    assert advice(status) == "nothing: it is done"
