"""Set-up that cannot work says what to install, in one line."""

import subprocess
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def install(python: str, venv: Path) -> subprocess.CompletedProcess[str]:
    """Run the set-up script with `python`."""
    command = ["sh", str(PROJECT / "tools" / "install.sh"), python, str(venv)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT)


def fake_python(folder: Path, body: str) -> str:
    """An executable that answers as a Python of another kind would."""
    path = folder / "python3"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def test_no_python(tmp_path: Path) -> None:
    result = install("no-such-python", tmp_path / "venv")
    assert result.returncode == 1
    assert "Python 3.11 or 3.12 must be installed, got no 'no-such-python'" in result.stderr


def test_too_old_a_python(tmp_path: Path) -> None:
    result = install(fake_python(tmp_path, "echo 3.9"), tmp_path / "venv")
    assert result.returncode == 1
    assert "Python must be 3.11 or 3.12, got 3.9" in result.stderr
    assert "make install PYTHON=" in result.stderr


def test_no_venv_module(tmp_path: Path) -> None:
    python = fake_python(tmp_path, 'case "$2" in *ensurepip*) exit 1;; *) echo 3.11;; esac')
    result = install(python, tmp_path / "venv")
    assert result.returncode == 1
    assert "apt-get install python3.11-venv" in result.stderr


def test_no_network(tmp_path: Path) -> None:
    """The environment is there, but pip cannot fetch anything."""
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    inner = fake_python(venv / "bin", 'case "$1" in -m) echo "no route" >&2; exit 1;; esac')
    Path(inner).rename(venv / "bin" / "python")
    result = install(fake_python(tmp_path, "echo 3.12"), venv)
    assert result.returncode == 1
    assert "no route" in result.stderr
    assert "Check the network and proxy settings" in result.stderr
    assert not (venv / ".installed").exists()
