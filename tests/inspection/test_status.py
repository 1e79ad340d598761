"""Where a run stands, read from what it and the batch script left: whole, torn, or nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tiny_architecture import TINY

from megatron_crossic.checkpoint.folder import CheckpointInfo, new_checkpoint, write_info
from megatron_crossic.errors import DataError
from megatron_crossic.inspection.runs.status import RunStatus, read_status
from megatron_crossic.inspection.runs.status_text import advice, screen, table
from megatron_crossic.inspection.runs.tail import last_records

TOOL = Path(__file__).parents[2] / "tools" / "status.py"
NOW = 1_764_000_000.0


def write_run(folder: Path, *, steps: int = 6, planned: int = 20, saved: int | None = 4) -> Path:
    """100 tokens and 2 s a step on four devices; silent for a minute."""
    folder.mkdir(parents=True, exist_ok=True)
    config = f"num_steps: {planned}\nstop_after_step: null\nrecovery:\n  timeout_minutes: 10.0\n"
    (folder / "config.yaml").write_text(config, encoding="utf-8")
    records = [
        {
            "step": step,
            "loss": 3 - step / 10,
            "num_tokens_total": 90 * step,
            "seconds": 2.0,
            "tokens_per_second": 50.0,
            "tokens_per_second_per_device": 12.5,
        }
        for step in range(1, steps + 1)
    ]
    write_lines(folder / "metrics.jsonl", records)
    write_lines(folder / "validation.jsonl", [{"step": 0, "loss": 3.5}, {"step": 4, "loss": 2.75}])
    if saved is not None:
        info = CheckpointInfo(step=saved, num_tokens=90 * saved, architecture=TINY)
        with new_checkpoint(folder / "checkpoints", saved) as checkpoint:
            write_info(checkpoint, info)
    silent_for(folder, 60)
    return folder


def silent_for(folder: Path, seconds: float) -> None:
    os.utime(folder / "metrics.jsonl", (NOW - seconds, NOW - seconds))


def write_lines(path: Path, records: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")


def start(job: int, *, restart: int = 0, step: int = 0, ago: float = 3600) -> dict[str, Any]:
    where = {"job": job, "restart": restart, "nodes": "node[00-01]", "step": step}
    return {"event": "start", **where, "time": NOW - ago}


def end(job: int, outcome: str, following: str, *, restart: int = 0, **more: Any) -> dict[str, Any]:
    values = {"event": "end", "job": job, "restart": restart, "step": 4, "exit_code": 0}
    return {**values, "outcome": outcome, "next": following, "time": NOW - 100, **more}


def attempts(folder: Path, *records: dict[str, Any]) -> Path:
    write_lines(folder / "slurm" / "attempts.jsonl", list(records))
    return folder


def note(folder: Path, attempt: str, name: str, text: str) -> None:
    path = folder / "slurm" / attempt / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def read(folder: Path) -> RunStatus:
    return read_status(folder, now=NOW)


def to_do(folder: Path) -> str:
    return advice(read(folder))


def test_the_figures_of_a_run_without_slurm(tmp_path: Path) -> None:
    status = read(write_run(tmp_path / "run"))
    assert (status.state, status.step, status.last_step) == ("running", 6, 20)
    assert (status.num_tokens, status.token_budget, status.num_tokens_with_loss) == (600, 2000, 540)
    assert (status.loss, status.validation_loss, status.validation_step) == (2.4, 2.75, 4)
    assert (status.tokens_per_second, status.remaining_seconds) == (50.0, 28.0)
    assert status.num_devices == 4
    assert status.checkpoint is not None
    assert status.checkpoint.name == "step_0000004"
    assert (status.lost_steps, status.lost_seconds) == (2, 4.0)
    shown = screen(status, now=NOW)
    assert "600 of 2,000; 540 had loss" in shown
    assert "a crash now would lose 2 steps, 0.1 minutes" in shown
    assert shown.splitlines()[-1] == "to do      nothing: it is running"


def test_speed_is_tokens_by_seconds_and_no_mean_of_speeds(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    rates = [{"step": 1, "seconds": 1.0, "tokens_per_second": 100.0}]
    rates += [{"step": 2, "seconds": 3.0, "tokens_per_second": 100 / 3}]
    write_lines(folder / "metrics.jsonl", rates)
    assert read(folder).tokens_per_second == pytest.approx(50.0)


def test_a_silent_run_without_slurm_is_to_be_started_again(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    silent_for(folder, 14 * 60)
    assert read(folder).state == "running", "a checkpoint may be on its way"
    silent_for(folder, 16 * 60)
    assert read(folder).state == "idle"
    assert to_do(folder).startswith("run the same command again")
    assert to_do(folder).endswith("it goes on from step 4")


def test_a_run_whose_last_step_is_saved_is_done(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", steps=20, saved=20)
    assert (read(folder).state, to_do(folder)) == ("done", "nothing: it is done")
    unsaved = write_run(tmp_path / "unsaved", steps=20, saved=15)
    silent_for(unsaved, 3600)
    assert read(unsaved).state == "idle"


def test_an_empty_folder_and_none(tmp_path: Path) -> None:
    status = read(tmp_path)
    assert (status.state, status.step, status.checkpoint) == ("idle", 0, None)
    assert "nothing has happened here yet" in to_do(tmp_path)
    with pytest.raises(DataError, match="RUN_DIR must be the folder of a run"):
        read(tmp_path / "none")


def test_torn_and_foreign_lines_are_left_out(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    with (folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write('not json\n[1]\n{"step": 7, "lo')
    attempts(folder, start(17))
    with (folder / "slurm" / "attempts.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"event": "end", "job": 17')
    status = read(folder)
    assert (status.step, len(status.attempts)) == (6, 1)


def test_the_end_of_a_large_file_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    write_lines(path, [{"step": step, "filler": "x" * 1000} for step in range(2000)])
    assert [one["step"] for one in last_records(path, 300)] == list(range(1700, 2000))
    assert [one["step"] for one in last_records(path, 5000)] == list(range(2000))


def test_an_attempt_without_end_runs_or_was_killed(tmp_path: Path) -> None:
    folder = attempts(write_run(tmp_path / "run"), start(17))
    assert read(folder).state == "running"
    silent_for(folder, 3600)
    assert read(folder).state == "killed"
    assert to_do(folder).startswith(
        "look at `squeue --job 17`: attempt 17.0 was ended from outside"
    )
    attempts(folder, start(17), start(17, restart=1, ago=30))
    assert read(folder).state == "running", "the next attempt has just started"
    lines = [
        line for line in screen(read(folder), now=NOW).splitlines() if line.startswith("attempt")
    ]
    assert [line.rpartition(": ")[2] for line in lines] == ["killed from outside", "running"]


def test_the_output_of_a_node_is_a_sign_of_life_before_the_first_step(tmp_path: Path) -> None:
    folder = attempts(tmp_path / "run", start(17, ago=7200))
    assert read(folder).state == "killed"
    note(folder, "17.0", "node00.log", "loading\n")
    os.utime(folder / "slurm" / "17.0" / "node00.log", (NOW - 5, NOW - 5))
    assert read(folder).state == "running"


def test_what_follows_an_end(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    attempts(folder, start(17), end(17, "left", "requeue"))
    assert read(folder).state == "waiting"
    assert to_do(folder).startswith("nothing, while `squeue --job 17` shows it")
    attempts(folder, start(17), end(17, "left", "stop"))
    assert read(folder).state == "stopped"
    told = "sbatch again to go on, for it was asked to leave, unless `squeue --job 17` shows it: "
    assert to_do(folder).startswith(told), "Slurm may have taken it back: it was preempted"


def test_what_slurm_decides_is_asked_of_slurm(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    for outcome in ("left", "crash"):
        attempts(folder, start(17), end(17, outcome, "slurm"))
        assert read(folder).state == "killed"
        assert to_do(folder).startswith("look at `squeue --job 17`: attempt 17.0 was ended from")
    assert ": crash (exit code 0), then what Slurm decides" in screen(read(folder), now=NOW)


def test_a_stop_that_a_waiting_job_found(tmp_path: Path) -> None:
    """It ends an attempt that never started; a job submitted later is the one that counts."""
    folder = write_run(tmp_path / "run")
    stopped = end(17, "left", "stop", restart=1)
    attempts(folder, start(17), end(17, "left", "requeue"), stopped)
    status = read(folder)
    assert (status.state, status.attempts[-1].name) == ("stopped", "17.1")
    assert "attempt    17.1 on ?: step 4 to 4" in screen(status, now=NOW)
    attempts(folder, stopped, start(18, ago=30))
    assert read(folder).attempts[-1].name == "18.0"
    assert read(folder).state == "running"


def test_a_run_that_failed_for_good_says_why(tmp_path: Path) -> None:
    folder = attempts(write_run(tmp_path / "run"), start(17), end(17, "error", "stop", exit_code=2))
    note(folder, "17.0", "outcome", "2 error\nparallel.tensor must divide 4, got 3. \x1b[3mUse.\n")
    assert read(folder).state == "failed"
    assert to_do(folder).startswith(
        "it has stopped for good: 17.0 error: parallel.tensor must divide 4, got 3. ⟨U+001B⟩[3mUse."
    )
    assert "\x1b" not in screen(read(folder), now=NOW)


def test_a_late_end_of_a_lost_node_is_not_the_last_word(tmp_path: Path) -> None:
    lost, after = start(17), start(17, restart=1, ago=60)
    folder = attempts(write_run(tmp_path / "run"), lost, after, end(17, "crash", "stop"))
    status = read(folder)
    assert [(one.name, one.outcome) for one in status.attempts] == [
        ("17.0", "crash"),
        ("17.1", None),
    ]
    assert status.state == "running"
    attempts(folder, lost, end(17, "crash", "stop"))
    told = "it has stopped for good, unless `squeue --job 17` shows it: 17.0 crash: no message"
    assert to_do(folder).startswith(told)


def test_unhealthy_nodes_are_named(tmp_path: Path) -> None:
    folder = attempts(write_run(tmp_path / "run"), start(9), end(9, "unhealthy", "requeue"))
    note(folder, "9.0", "unhealthy", "node01 2 uncorrected memory errors\n")
    assert "error      9.0 unhealthy: node01 2 uncorrected" in screen(read(folder), now=NOW)
    assert "look at ExcNodeList in `scontrol show job 9`" in to_do(folder)
    attempts(folder, start(9), end(9, "unhealthy", "stop"), start(10), end(10, "left", "requeue"))
    assert "ExcNodeList" not in to_do(folder), "another job has another list"


def test_only_the_last_attempts_are_shown(tmp_path: Path) -> None:
    records = [
        record
        for job in range(14)
        for record in (start(job), end(job, "crash", "requeue", exit_code=1))
    ]
    shown = screen(read(attempts(write_run(tmp_path / "run"), *records)), now=NOW)
    assert "attempts   4 earlier ones" in shown
    assert shown.count("attempt    ") == 10
    assert shown.count("error      ") == 3


def test_several_runs_are_a_table(tmp_path: Path) -> None:
    runs = [read(write_run(tmp_path / name)) for name in ("a", "much-longer")]
    lines = table(runs, now=NOW).splitlines()
    assert [line.split()[1:3] for line in lines[1:]] == [["running", "6/20"]] * 2
    assert len({line.index("running") for line in lines[1:]}) == 1


def test_the_command_line_needs_no_torch(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", steps=20, saved=20)

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-X", "importtime", str(TOOL), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    machine = run(folder, folder, "--json")
    assert machine.returncode == 0
    first, second = (json.loads(line) for line in machine.stdout.splitlines())
    assert first == {**second, "to_do": "nothing: it is done"}
    assert "| torch" not in machine.stderr
    assert "megatron_crossic" in machine.stderr, "imports are listed"
    missing = run(tmp_path / "none")
    assert missing.returncode == 3
    assert "Traceback" not in missing.stderr
