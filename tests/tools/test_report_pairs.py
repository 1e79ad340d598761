"""The command line as a user sees it."""

import subprocess
import sys
from pathlib import Path

import pytest
from small_pairs import make_pair, write_pairs

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = [make_pair(f"pair {i}", "Text. " * (i + 1), "Texto." * 4) for i in range(12)]
    return write_pairs(tmp_path_factory.mktemp("data") / "pairs.jsonl", made)


def call(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "tools/report_pairs.py", *map(str, arguments)]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)


def test_alone_it_shows_the_numbers(pairs: Path) -> None:
    done = call(pairs)
    assert (done.returncode, done.stderr) == (0, "")
    assert "12 pairs, 0 repeated" in done.stdout
    assert "en -> es: 12 pairs" in done.stdout
    assert "12 under 200 characters, 0 empty, 11 repeated" in done.stdout
    assert "0 under 5 characters" in call(pairs, "--short-characters", "5").stdout


def test_files_are_written_once(pairs: Path, tmp_path: Path) -> None:
    html, png = tmp_path / "r.html", tmp_path / "r.png"
    arguments = (pairs, "--html", html, "--png", png, "--sample", "3", "--seed", "5")
    done = call(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert html.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert html.read_text(encoding="utf-8").count("<article ") == 3
    assert png.read_bytes().startswith(b"\x89PNG")
    before = html.read_bytes()
    again = call(*arguments)
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr.startswith("error: output path must not exist")
    assert call(*arguments, "--overwrite").returncode == 0
    assert html.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--sample", "-1"], 2, "error: sample must be at least 0, got -1."),
        (["--detect-languages", "-1"], 2, "error: detect must be at least 0, got -1."),
        (["--html", "x", "--png", "x"], 2, "error: --html and --png must differ"),
    ],
)
def test_mistakes_are_one_line(pairs: Path, arguments: list[str], code: int, message: str) -> None:
    done = call(pairs, *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1)
    assert done.stderr.startswith(message)


def test_a_pair_file_that_is_not_there(tmp_path: Path) -> None:
    done = call(tmp_path / "none.jsonl")
    assert done.returncode == 3
    assert done.stderr.startswith("error: input file must be readable, got ")
