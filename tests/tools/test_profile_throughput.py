"""`tools/profile_throughput.py` and `tools/scaling_report.py` as a user starts them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from forked_tools import TOOLS, run_tool
from small_profiles import point
from tiny_runs import tiny_config

from megatron_crossic.profiling.document import read_profile, write_profile
from megatron_crossic.train.options import to_yaml


def run(tool: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(TOOLS / tool), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=200)


@pytest.fixture
def config_file(inputs: Path, tmp_path: Path) -> Path:
    path = tmp_path / "run.yaml"
    path.write_text(to_yaml(tiny_config(inputs, run_dir=tmp_path / "run")), encoding="utf-8")
    return path


def test_a_sweep_in_fresh_process_groups(config_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "sweep"
    command = ("profile_throughput.py", "--config", config_file, "--steps", "3", "--warmup", "1")
    sweep = ("--output-folder", folder, "--sweep", "parallel.tensor=2,3")
    result = run(*command, *sweep)
    assert result.returncode == 0, result.stderr
    points = read_profile(folder)
    assert [one["status"] for one in points] == ["measured", "refused"]
    assert [one["rank"] for one in points[0]["ranks"]] == [0, 1]
    assert points[0]["config"]["parallel"]["tensor"] == 2
    assert "must divide" in points[1]["reason"]
    assert "| parallel.tensor=2 | 2 |" in result.stdout
    assert "parallel.tensor=3 | refused |" in result.stdout
    assert {path.name for path in folder.iterdir()} == {
        "points", "profile.json", "profile.md", "profile.png", "sweep.json",
    }  # fmt: skip
    assert not (tmp_path / "run").exists()


def test_one_process_measures_itself(config_file: Path, tmp_path: Path) -> None:
    options = ("--config", config_file, "--output-folder", tmp_path / "one", "--steps", "2")
    rest = ("--warmup", "0", "--name", "mine")
    result = run_tool(tmp_path, "profile_throughput.py", *options, *rest)
    assert result.returncode == 0, result.stderr
    assert "| mine | 1 |" in result.stdout


def test_two_results_are_compared(tmp_path: Path) -> None:
    for name, seconds in (("before", [1.0, 1.1]), ("after", [2.0, 2.1])):
        write_profile(tmp_path / name, [point("a", seconds)])
    both = (tmp_path / "before", tmp_path / "after")
    result = run_tool(tmp_path, "profile_throughput.py", "--compare", *both)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1].endswith("| slower |")


def test_a_scaling_report(tmp_path: Path) -> None:
    for devices in (1, 2):
        write_profile(tmp_path / str(devices), [point(f"on {devices}", devices=devices)])
    folder = tmp_path / "report"
    results = (tmp_path / "1", tmp_path / "2")
    result = run("scaling_report.py", *results, "--output-folder", folder)
    assert result.returncode == 0, result.stderr
    assert "Strong scaling, 8 windows a step:" in result.stdout
    assert result.stdout.endswith(f"written to {folder}\n")


@pytest.mark.parametrize(
    ("arguments", "variables", "message"),
    [
        (("--compare", "a", "b", "--seed", "2"), {}, "--compare must stand alone, got --seed 2"),
        (("--sweep", "seed=1"), {"RANK": "0"}, "must be given outside of torchrun"),
        (("--stesp", "3"), {}, "options must be those of the configuration"),
    ],
)
def test_wrong_command_lines_are_one_line(
    tmp_path: Path, arguments: tuple[str, ...], variables: dict[str, str], message: str
) -> None:
    folder = ("--output-folder", str(tmp_path / "out"))
    result = run_tool(tmp_path, "profile_throughput.py", *folder, *arguments, **variables)
    assert result.returncode == 2
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()
