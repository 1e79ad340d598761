"""Jobs of the simulated cluster: submitted as a user does, and waited for."""

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

from simulated_cluster import SimulatedCluster

PROJECT = Path(__file__).parents[2]
ENDED = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "OUT_OF_MEMORY"}
SITE = {
    "CROSSIC_ROOT": str(PROJECT),
    "CROSSIC_PYTHON": sys.executable,
    "CROSSIC_SITE": "/dev/null",
    "CROSSIC_PROCESSES_PER_NODE": "1",
    "CROSSIC_HEALTH_CHECK": "off",
    "OMP_NUM_THREADS": "1",
    "PYTHONPATH": str(PROJECT),
}
"""Settings of a site without GPUs, one process a node."""


class Slurm:
    """The command line of a user."""

    def __init__(self, cluster: SimulatedCluster) -> None:
        self.cluster = cluster

    def sbatch(self, folder: Path, *arguments: str | Path, **variables: str) -> int:
        """The number of the job; its log is `folder/JOB.log`."""
        output = self.cluster.run(
            "sbatch",
            "--parsable",
            "--gpus-per-node=0",
            f"--output={folder}/%j.log",
            *map(str, arguments),
            variables={**SITE, **variables},
        )
        return int(output.split(";")[0])

    def field(self, job: int | str, name: str) -> str:
        """What `scontrol show job` says."""
        shown = self.cluster.run("scontrol", "show", "job", "-o", str(job))
        found = re.search(rf"(?:^|\s){name}=(\S+)", shown)
        assert found, shown
        return found[1]

    def end_of(self, job: int | str, *, seconds: float = 120) -> str:
        """The state the job ended in."""
        return self.state(job, ENDED, seconds=seconds)

    def state(self, job: int | str, states: set[str], *, seconds: float = 120) -> str:
        """The state, once it is one of these."""
        self.until(lambda: self.field(job, "JobState") in states, f"job {job} is {states}", seconds)
        return self.field(job, "JobState")

    def until(self, condition: Callable[[], bool], what: str, seconds: float = 120) -> None:
        """Wait for something; `what` names it."""
        end = time.monotonic() + seconds
        while not condition():
            queue = "" if time.monotonic() < end else self.cluster.run("squeue", "-l")
            assert time.monotonic() < end, f"not within {seconds:g} s: {what}\n{queue}"
            time.sleep(0.1)


def text(path: Path) -> str:
    """Of a file that may not be there yet."""
    return path.read_text(encoding="utf-8") if path.exists() else ""
