"""How an attempt ended decides what is next. A script stands in for Python and the trainer."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from slurm_jobs import PROJECT, Slurm, text

SCRIPT = PROJECT / "slurm" / "pretrain.sbatch"
WAIT = """\
until [ -e "$leave" ]; do sleep 0.1; done
tell "0 left" "after step 5: recovery.stop_file" 0
"""


class Site:
    """A folder to submit from, and a stand-in that does what it is told."""

    def __init__(self, slurm: Slurm, folder: Path) -> None:
        self.slurm, self.folder = slurm, folder
        self.run_dir = folder / "run"
        self.python = folder / "python"

    def submit(self, deeds: str, *options: str, health: str = "off", **site: str) -> int:
        """`deeds` is what a start does, in bash; $1 is the program, $restart counts from 0."""
        self.python.write_text(
            "#!/bin/bash\n"
            'leave="${!#}" restart=${SLURM_RESTART_COUNT:-0}\n'
            'tell() { printf "%s\\n%s\\n" "$1" "$2" >"$CROSSIC_OUTCOME"; exit "$3"; }\n'
            'save() { mkdir -p "$run/checkpoints"; echo "step_$1" >"$run/checkpoints/latest"; }\n'
            f'run="{self.run_dir}"\n{deeds}'
        )
        self.python.chmod(0o755)
        return self.slurm.sbatch(
            self.folder,
            "--time=30",
            *(option for option in options if option.startswith("--nodes")),
            SCRIPT,
            *(option for option in options if not option.startswith("--nodes")),
            f"--run_dir={self.run_dir}",
            CROSSIC_PYTHON=str(self.python),
            CROSSIC_LAUNCH="srun",
            CROSSIC_HEALTH_CHECK=health,
            **site,
        )

    def log(self, job: int) -> str:
        return text(self.folder / f"{job}.log")

    def attempts(self, event: str) -> list[dict[str, Any]]:
        lines = text(self.run_dir / "slurm" / "attempts.jsonl").splitlines()
        return [found for line in lines if (found := orjson.loads(line))["event"] == event]

    def await_start(self, number: int) -> None:
        self.slurm.until(lambda: len(self.attempts("start")) == number, f"start {number}")


@pytest.fixture
def site(slurm: Slurm, tmp_path: Path) -> Site:
    return Site(slurm, tmp_path)


def test_an_error_ends_the_job_at_once_with_its_exit_code(site: Site) -> None:
    job = site.submit('tell "3 error" "data set must be whole, got half. Make it again." 3\n')
    assert site.slurm.end_of(job) == "FAILED"
    assert site.slurm.field(job, "ExitCode") == "3:0"
    assert "error: data set must be whole, got half. Make it again.\n" in site.log(job)
    (end,) = site.attempts("end")
    assert (end["exit_code"], end["outcome"], end["next"]) == (3, "error", "stop")


def test_crashes_without_a_newer_checkpoint_end_a_job(site: Site) -> None:
    job = site.submit("kill -9 $$\n", CROSSIC_MAX_CRASHES="2")
    assert site.slurm.end_of(job) == "FAILED"
    assert "2 crashes in a row without a newer checkpoint" in site.log(job)
    assert [end["next"] for end in site.attempts("end")] == ["requeue", "stop"]


def test_crashes_that_saved_something_do_not(site: Site) -> None:
    deeds = '((restart < 2)) || tell "0 done" "step 9 is made" 0\nsave $((restart + 7))\nkill $$\n'
    job = site.submit(deeds, CROSSIC_MAX_CRASHES="2")
    assert site.slurm.end_of(job) == "COMPLETED", site.log(job)
    assert [end["step"] for end in site.attempts("end")] == [7, 8, 8]
    assert [end["outcome"] for end in site.attempts("end")] == ["crash", "crash", "done"]


def test_a_cancelled_job_stays_cancelled(site: Site) -> None:
    job = site.submit(WAIT)
    site.await_start(1)
    site.slurm.cluster.run("scancel", str(job))
    assert site.slurm.end_of(job) == "CANCELLED"
    site.slurm.until(lambda: bool(site.attempts("end")), "the script's end")
    assert site.attempts("end")[0]["next"] == "slurm"
    assert site.slurm.field(job, "JobState") == "CANCELLED"


def test_a_job_that_makes_way_for_another_comes_back(site: Site, tmp_path: Path) -> None:
    deeds = f'((restart == 0)) || tell "0 done" "step 9 is made" 0\n{WAIT}'
    job = site.submit(deeds, "--nodes=2", SBATCH_PARTITION="preempt")
    site.await_start(1)
    other = site.slurm.sbatch(
        tmp_path, "--partition=high", "--nodes=2", "--exclusive", "--wrap=sleep 1"
    )
    assert site.slurm.end_of(other) == "COMPLETED"
    assert site.slurm.end_of(job) == "COMPLETED", site.log(job)
    assert [end["outcome"] for end in site.attempts("end")] == ["left", "done"]


def test_a_node_that_fails_the_check_is_left_out_next_time(site: Site) -> None:
    deeds = (
        'if [[ "$1" == tools/check_nodes.py && "$restart" == 0 ]]; then\n'
        '    until [[ "$1" == --unhealthy ]]; do shift; done\n'
        '    echo "$SLURMD_NODENAME its GPU 3 is slow" >"$2"\n'
        "    exit 10\n"
        "fi\n"
        '[[ "$1" == tools/check_nodes.py ]] || tell "0 done" "step 9 is made" 0\n'
    )
    job = site.submit(deeds, health="on")
    assert site.slurm.end_of(job) == "COMPLETED", site.log(job)
    assert [end["outcome"] for end in site.attempts("end")] == ["unhealthy", "done"]
    first, second = (start["nodes"] for start in site.attempts("start"))
    assert {first, second} == {"node00", "node01"}
    assert f"unhealthy: {first} its GPU 3 is slow" in site.log(job)


def test_a_job_whose_run_is_to_stop_does_not_start(site: Site) -> None:
    site.run_dir.mkdir()
    (site.run_dir / "STOP").touch()
    job = site.submit("kill -9 $$\n")
    assert site.slurm.end_of(job) == "COMPLETED"
    assert "not starting" in site.log(job)
    assert not (site.run_dir / "STOP").exists()
    assert site.attempts("start") == []
    (end,) = site.attempts("end")
    assert (end["outcome"], end["next"]) == ("left", "stop")


def test_a_run_has_one_job_at_a_time(site: Site) -> None:
    first = site.submit(WAIT)
    site.await_start(1)
    second = site.submit(WAIT)
    assert site.slurm.end_of(second) == "FAILED"
    assert f"got job {first} running in {site.run_dir}" in site.log(second)
    site.slurm.cluster.run("scancel", str(first))
    assert site.slurm.end_of(first) == "CANCELLED"


def test_the_environment_is_kept_without_secrets_for_the_user_alone(site: Site) -> None:
    secrets = {"HF_TOKEN": "one", "WANDB_API_KEY": "two", "PROXY": "https://me:three@proxy:80"}
    job = site.submit('tell "0 done" "step 9 is made" 0\n', CROSSIC_NOTE="four\nfive", **secrets)
    assert site.slurm.end_of(job) == "COMPLETED", site.log(job)
    kept = site.run_dir / "slurm" / f"{job}.0" / "environment"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert [word for word in ("one", "two", "three") if f"={word}" in text(kept)] == []
    assert "me:three" not in text(kept)
    assert "PROXY=https://...@proxy:80" in text(kept)


@pytest.mark.parametrize(
    ("options", "settings", "message"),
    [
        (["--recovery.stop_file", "/there"], {}, "error: recovery.stop_file must be left to"),
        ([], {"CROSSIC_PROCESSES_PER_NODE": "0"}, "error: processes on a node must be at least 1"),
        ([], {"CROSSIC_LAUNCH": "mpirun"}, "error: CROSSIC_LAUNCH must be torchrun or srun"),
        ([], {"CROSSIC_PYTHON": "/nowhere"}, "error: CROSSIC_PYTHON must be a Python, got /nowh"),
        ([], {"CROSSIC_ROOT": "/"}, "error: jobs must be submitted from the project's folder"),
        (
            ["--config", "/no.yaml", "--run_dir="],
            {},
            "error: --config must be a file, got /no.yaml",
        ),
        (["--run_dir="], {}, "error: run_dir must be given, got none"),
    ],
)
def test_what_can_never_work_is_one_line(
    site: Site, options: list[str], settings: dict[str, str], message: str
) -> None:
    run_dir = [] if "--run_dir=" in options else [f"--run_dir={site.run_dir}"]
    job = site.slurm.sbatch(site.folder, SCRIPT, *run_dir, *options, **settings)
    assert site.slurm.end_of(job) == "FAILED"
    assert site.slurm.field(job, "ExitCode") == "2:0"
    assert next(line for line in site.log(job).splitlines() if "error" in line).startswith(message)
