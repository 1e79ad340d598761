"""How long a run takes, as far as anybody can know."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from megatron_crossic.cluster.disk import Room, num_kept, room_problems
from megatron_crossic.cluster.duration import (
    Speed,
    known_speed,
    last_save_seconds,
    limit_problems,
    positive,
    read_profile,
    time_row,
)
from megatron_crossic.config import CheckpointConfig, DataConfig, RunConfig
from megatron_crossic.errors import ConfigError, DataError
from megatron_crossic.inspection.runs.status import read_status

GIB = 1 << 30


def profile(folder: Path, content: object) -> Path:
    path = folder / "profile.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_30_hours_take_three_limits_of_12_that_end_10_minutes_early() -> None:
    speed = Speed(tokens_per_second=100_000, source="x")
    row = time_row(tokens=30 * 3600 * 100_000, speed=speed, limit=timedelta(hours=12), warning=600)
    assert row == (
        "10,800,000,000 tokens left at 100,000 tokens/s (x) = 30.0 h: 3 time limits of 12:00:00"
    )
    assert time_row(tokens=5, speed=speed, limit=None, warning=600).endswith("= 0.0 h")
    assert "not known" in time_row(tokens=5, speed=None, limit=None, warning=0)


def test_a_speed_that_is_said_counts_before_a_profile_before_the_run(tmp_path: Path) -> None:
    measured = {"tokens_per_second": 800.0, "tokens_per_second_per_device": 100.0, "seconds": 1.0}
    (tmp_path / "metrics.jsonl").write_text(json.dumps({"step": 1, **measured}) + "\n")
    earlier = read_status(tmp_path)
    path = profile(tmp_path, {"points": [{"error": "out of memory"}, measured]})
    said = known_speed(given=5.0, profile=path, earlier=earlier, num_devices=8)
    assert said == Speed(tokens_per_second=5.0, source="--tokens-per-second")
    profiled = known_speed(given=None, profile=path, earlier=earlier, num_devices=8)
    assert profiled == Speed(tokens_per_second=800.0, source=str(path))
    so_far = known_speed(given=None, profile=None, earlier=earlier, num_devices=16)
    assert so_far == Speed(
        tokens_per_second=1600.0, source="the run so far, 8 devices, in proportion"
    )
    assert known_speed(given=None, profile=None, earlier=None, num_devices=16) is None


def test_profiles_that_say_nothing_are_refused(tmp_path: Path) -> None:
    assert read_profile(profile(tmp_path, {"tokens_per_second": 3})) == (3, None)
    for content in ([], {"points": []}, {"points": [{"tokens_per_second": None}]}):
        with pytest.raises(DataError, match="--profile must have tokens_per_second, got none"):
            read_profile(profile(tmp_path, content))
    (tmp_path / "profile.json").write_text("{")
    with pytest.raises(DataError, match="--profile must be a JSON file"):
        read_profile(tmp_path / "profile.json")
    with pytest.raises(DataError, match="input file must be readable"):
        read_profile(tmp_path / "none.json")


def test_limits_that_leave_no_time() -> None:
    hour = timedelta(hours=1)
    assert limit_problems(limit=hour, warning=600, save_seconds=60.0) == []
    assert limit_problems(limit=None, warning=600, save_seconds=None) == []
    (short,) = limit_problems(limit=timedelta(minutes=10), warning=600, save_seconds=None)
    assert "got 0:10:00 with 600 s" in short
    (late,) = limit_problems(limit=hour, warning=60, save_seconds=90.0)
    assert late.endswith("Add --sbatch=--signal=B:USR1@180.")


def test_the_time_of_the_last_save_is_in_the_output_of_a_node(tmp_path: Path) -> None:
    assert last_save_seconds(tmp_path) is None
    folder = tmp_path / "slurm" / "17.0"
    folder.mkdir(parents=True)
    (folder / "node01.log").write_text("nothing\n")
    (folder / "node00.log").write_text(
        "saved runs/a/checkpoints/step_0000003 in 70.1 s\nstep 4\n"
        "saved runs/a/checkpoints/step_0000006 in 80.2 s, beside 2 steps\n"
    )
    assert last_save_seconds(tmp_path) == 80.2


@pytest.mark.parametrize("text", ["0", "-1", "nan", "fast", "inf"])
def test_a_speed_must_be_a_number_above_0(text: str) -> None:
    with pytest.raises(ConfigError, match="--tokens-per-second must be above 0"):
        positive(text)


def test_checkpoints_that_are_there_at_once() -> None:
    def kept(**checkpoint: int) -> int:
        config = RunConfig(
            run_dir=Path("run"),
            data=DataConfig(train=(Path("x"),)),
            checkpoint=CheckpointConfig(**checkpoint),  # type: ignore[arg-type]
            global_batch_size=1,
            num_steps=100,
        )
        return num_kept(config)

    assert kept(interval=10, keep_last=2) == 3
    assert kept(interval=10, keep_last=2, keep_every=25) == 5


def test_room_of_checkpoints_that_are_there_is_not_needed_again() -> None:
    found = Room(each=20 * GIB, number=3, there=0, free=50 * GIB)
    (problem,) = room_problems(found, Path("run"))
    assert "got 50.00 GiB free in run for 3 of 20.00 GiB" in problem
    assert room_problems(Room(each=20 * GIB, number=3, there=1, free=50 * GIB), Path("run")) == []
    assert Room(each=20, number=3, there=7, free=0).needed == 0
