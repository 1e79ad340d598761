"""A project folder with a small slurm/env.sh of its own, and a batch script."""

import sys
from pathlib import Path

ENV = """\
# The settings of a test.
if [[ -e "${CROSSIC_SITE:=slurm/site.sh}" ]]; then source "$CROSSIC_SITE"; fi
# ------------------------------------------------------- who and where
# Account that is charged; empty where
# the cluster does not ask for one.
: "${CROSSIC_ACCOUNT:=}"
# Partition of the jobs that train.
: "${CROSSIC_PARTITION:=}"
# The same without GPUs.
: "${CROSSIC_CPU_PARTITION:=$CROSSIC_PARTITION}"
: "${CROSSIC_QOS:=}"
: "${CROSSIC_GPUS_PER_NODE:=8}"
: "${CROSSIC_PROCESSES_PER_NODE:=}"
: "${CROSSIC_VENV:=.venv}"
: "${CROSSIC_CONTAINER_IMAGE:=}"
: "${CROSSIC_CONTAINER_MOUNTS:=}"
if [[ -n "$CROSSIC_CONTAINER_IMAGE" ]]; then : "${CROSSIC_PYTHON:=python}"; fi
: "${CROSSIC_PYTHON:=$CROSSIC_VENV/bin/python}"
: "${CROSSIC_LAUNCH:=torchrun}"
: "${CROSSIC_HEALTH_CHECK:=on}"
: "${CROSSIC_MAX_CRASHES:=3}"
echo "modules are loaded"
"""

SCRIPT = """\
#!/bin/bash
#SBATCH --job-name=pretrain
#SBATCH --time=24:00:00
#SBATCH --signal=B:USR1@600
#SBATCH --output=%x-%j.log
echo "$CROSSIC_OUTCOME"
"""

CPU_NODES = {
    "CROSSIC_GPUS_PER_NODE": "0",
    "CROSSIC_PROCESSES_PER_NODE": "2",
    "CROSSIC_PYTHON": sys.executable,
}


def make_site(folder: Path, *, site: str = "") -> Path:
    """A folder from which jobs can be submitted; `site` is the user's slurm/site.sh."""
    slurm = folder / "slurm"
    slurm.mkdir(parents=True)
    (slurm / "env.sh").write_text(ENV, encoding="utf-8")
    (slurm / "pretrain.sbatch").write_text(SCRIPT, encoding="utf-8")
    if site:
        (slurm / "site.sh").write_text(site, encoding="utf-8")
    return folder
