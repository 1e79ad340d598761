"""A real Slurm for the tests of the batch scripts."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import simulated_cluster
from slurm_jobs import Slurm


@pytest.fixture(scope="session")
def slurm() -> Iterator[Slurm]:
    """Two nodes; skips, with the reason, where Slurm is not installed."""
    if reason := simulated_cluster.missing():
        pytest.skip(reason)
    cluster = simulated_cluster.SimulatedCluster(Path(tempfile.mkdtemp(prefix="slurm-")))
    try:
        cluster.start()
        yield Slurm(cluster)
    finally:
        cluster.stop()
