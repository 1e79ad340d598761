"""The command line as a user sees it."""

import subprocess
import sys
from pathlib import Path

import pytest
from small_pairs import make_pair, write_byte_tokenizer, write_pairs

from megatron_crossic.data.options import PreprocessOptions
from megatron_crossic.data.pipeline import preprocess

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    pairs = [make_pair(f"pair {i}", "Text. " * 5, "Texto." * 4) for i in range(12)]
    options = PreprocessOptions(
        pairs=(write_pairs(folder / "pairs.jsonl", pairs),),
        tokenizer=write_byte_tokenizer(folder / "tokenizer"),
        output_prefix=folder / "x",
        seq_length=128,
    )
    preprocess(options)
    return folder / "x"


def call(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "tools/inspect_windows.py", *map(str, arguments)]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)


def test_alone_it_shows_the_account_and_one_window(prefix: Path) -> None:
    done = call(prefix)
    assert (done.returncode, done.stderr) == (0, "")
    assert "pairs read" in done.stdout
    assert done.stdout.count("━━━ Window ") == 1
    assert "\x1b" not in done.stdout
    assert call(prefix).stdout == done.stdout


def test_windows_that_were_asked_for(prefix: Path) -> None:
    done = call(prefix, "--window", "2", "--no-split-loss")
    assert "━━━ Window 2 " in done.stdout
    assert "pairs read" not in done.stdout
    assert "[SPLIT] <|endoftext|> · no loss" in done.stdout
    assert call(prefix, "--sample", "3", "--seed", "5").stdout.count("━━━ Window ") == 3


def test_a_page_is_written_once(prefix: Path, tmp_path: Path) -> None:
    page = tmp_path / "new" / "out.html"
    done = call(prefix, "--html", page)
    assert (done.returncode, done.stderr) == (0, "")
    assert str(page) in done.stdout
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    again = call(prefix, "--html", page)
    assert again.returncode == 2
    assert "error: output path must not exist" in again.stderr
    assert call(prefix, "--html", page, "--overwrite").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--window", "999"], 2, "error: --window must be from 0 to "),
        (["--sample", "0"], 2, "error: --sample must be at least 1, got 0."),
        (["--sample", "1", "--window", "1"], 2, "error: command line must be valid, got: "),
        (["--tokenizer", "nowhere"], 2, "error: tokenizer must exist, got nothing at 'nowhere'"),
    ],
)
def test_mistakes_are_one_line(prefix: Path, arguments: list[str], code: int, message: str) -> None:
    done = call(prefix, *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1)
    assert done.stderr.startswith(message)


def test_a_data_set_that_is_not_there(tmp_path: Path) -> None:
    done = call(tmp_path / "none")
    assert done.returncode == 3
    assert done.stderr.startswith("error: windows manifest must exist, got nothing at ")
