"""`tools/pretrain.py` as a user starts it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from forked_tools import run_tool
from tiny_runs import losses, tiny_config

from megatron_crossic.train.options import to_yaml

TOOL = Path(__file__).parents[2] / "tools" / "pretrain.py"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(TOOL), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)


@pytest.fixture
def config_file(inputs: Path, tmp_path: Path) -> Path:
    path = tmp_path / "run.yaml"
    path.write_text(to_yaml(tiny_config(inputs, run_dir=tmp_path / "run")), encoding="utf-8")
    return path


def test_trains_in_one_process_and_says_only_what_matters(config_file: Path) -> None:
    result = run("--config", config_file, "--num_steps", "2", "--schedule.warmup_steps", "1")
    assert result.returncode == 0, result.stderr
    assert result.stdout == ""
    starts = [line.split()[0] for line in result.stderr.splitlines()]
    expected = [
        "built",
        "starting",
        "counting",
        "validation",
        "step",
        "step",
        "validation",
        "saved",
    ]
    assert starts == expected
    run_dir = config_file.with_name("run")
    assert len(losses(run_dir)) == 2
    resolved = yaml.safe_load((run_dir / "config.yaml").read_text(encoding="utf-8"))
    assert (resolved["num_steps"], resolved["optimizer"]["beta2"]) == (2, 0.95)


def test_a_dry_run_prints_and_starts_nothing(config_file: Path, tmp_path: Path) -> None:
    options = ("--config", config_file, "--parallel.tensor", "2", "--dry-run")
    result = run_tool(tmp_path, "pretrain.py", *options)
    assert result.returncode == 0, result.stderr
    assert "tensor: 2" in result.stdout
    assert "= 2 processes on cpu" in result.stdout
    assert not config_file.with_name("run").exists()


def test_an_unknown_key_is_one_line_and_exit_code_2(config_file: Path, tmp_path: Path) -> None:
    options = ("--config", config_file, "--paralel.tensor", "2")
    result = run_tool(tmp_path, "pretrain.py", *options)
    assert result.returncode == 2
    assert result.stderr.startswith("error: options must be those of the configuration")
    assert "--paralel.tensor" in result.stderr
    assert result.stderr.count("\n") == 1
