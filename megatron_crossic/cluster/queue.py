"""The user's jobs in the queue, and which run each of them works on.

A job says so in its comment, `run_dir=/absolute/folder`, which Slurm shows before it has started
and after it was requeued. slurm/pipeline.sh writes the same.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from megatron_crossic.cluster.partitions import ask

_LIST = ("squeue", "--me", "--noheader", "--format", "%A|%T|%k")
_OF_A_JOB = ("SLURM_", "SRUN_", "SALLOC_")
_OF_THE_USER = {
    "SLURM_CONF",
    "SLURM_CONF_SERVER",
    "SLURM_CLUSTERS",
    "SLURM_JWT",
}
"""How Slurm's programs find their controller."""


@dataclass(frozen=True, kw_only=True, slots=True)
class QueuedJob:
    """A job that waits or runs."""

    number: str
    state: str
    comment: str


def run_comment(run_dir: Path) -> str:
    """The same for every way to write the folder, from wherever."""
    return f"run_dir={run_dir.resolve()}"


def job_on(run_dir: Path) -> QueuedJob | None:
    """The user's job that works, or will work, in this folder; None also without Slurm."""
    wanted = run_comment(run_dir)
    return next((job for job in parse_queue(ask(_LIST) or "") if job.comment == wanted), None)


def parse_queue(shown: str) -> Iterator[QueuedJob]:
    """A job a line, `17|PENDING|comment`."""
    for line in shown.splitlines():
        number, _, rest = line.partition("|")
        state, bar, comment = rest.partition("|")
        if bar:
            yield QueuedJob(number=number, state=state, comment=comment.strip())


def outside_of_jobs(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without what it has from the job it is in, if any.

    A job that is submitted from another one would inherit its number of tasks, memory and nodes.
    """
    return {name: value for name, value in environment.items() if not is_of_a_job(name)}


def is_of_a_job(name: str) -> bool:
    """Whether a variable describes the job it is found in."""
    return name.startswith(_OF_A_JOB) and name not in _OF_THE_USER
