"""`tools/check_nodes.py` as one process starts it."""

import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[2] / "tools" / "check_nodes.py"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(TOOL), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_gpus_that_are_not_there_are_10_and_a_line(tmp_path: Path) -> None:
    unhealthy = tmp_path / "unhealthy"
    result = run("--run-dir", tmp_path, "--expect-devices", "h100:500", "--unhealthy", unhealthy)
    assert result.returncode == 10, result.stderr
    (first, *_) = unhealthy.read_text(encoding="utf-8").splitlines()
    assert first.endswith(" of 500 GPUs are visible")
    assert f"unhealthy: {first}" in result.stdout


def test_a_full_disk_is_an_error_of_nobody(tmp_path: Path) -> None:
    unhealthy = tmp_path / "unhealthy"
    result = run("--run-dir", tmp_path, "--min-free-disk-gib", "1e9", "--unhealthy", unhealthy)
    assert result.returncode == 3
    assert "error: run_dir must have room and be writable on the nodes" in result.stderr
    assert not unhealthy.exists()
