"""The cluster itself: what the other tests rely on."""

from pathlib import Path

from slurm_jobs import Slurm


def test_a_job_runs_on_two_hosts_with_networks_of_their_own(slurm: Slurm, tmp_path: Path) -> None:
    script = tmp_path / "job.sh"
    script.write_text("#!/bin/bash\nsrun --label sh -c 'hostname; ip -o -4 addr show eth0'\n")
    job = slurm.sbatch(tmp_path, "--nodes=2", "--ntasks-per-node=1", script)
    assert slurm.end_of(job) == "COMPLETED"
    lines = (tmp_path / f"{job}.log").read_text().splitlines()
    assert sorted(line for line in lines if "node" in line) == ["0: node00", "1: node01"]
    addresses = sorted(line.split()[4] for line in lines if "inet" in line)
    assert addresses == ["10.231.77.10/24", "10.231.77.11/24"]
