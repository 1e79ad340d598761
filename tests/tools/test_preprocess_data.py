"""The command line as a user sees it."""

import subprocess
import sys
from pathlib import Path

import pytest
from small_pairs import make_pair, write_byte_tokenizer, write_pairs

from megatron_crossic.data.store import open_windows

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    pairs = [make_pair(f"pair {i}", "Text. " * 5, "Texto." * 4) for i in range(12)]
    return [
        *("--pairs", str(write_pairs(tmp_path / "pairs.jsonl", [*pairs, make_pair("e", "", "x")]))),
        *("--tokenizer", str(write_byte_tokenizer(tmp_path / "tokenizer"))),
        *("--seq-length", "128", "--output-prefix", str(tmp_path / "x")),
    ]


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "tools/preprocess_data.py", *arguments]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)


def test_a_summary_is_printed(arguments: list[str], tmp_path: Path) -> None:
    done = call(*arguments, "--assembly", "best_fit", "--validation-fraction", "0.3")
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.rsplit(maxsplit=1) for line in done.stdout.splitlines()]
    assert rows[0] == [str(tmp_path / "x")]
    table = {row[0].strip(): row[1] for row in rows[1:] if len(row) == 2}
    store = open_windows(tmp_path / "x")
    validation = open_windows(tmp_path / "x-validation")
    assert int(table["windows"]) == len(validation)
    assert store.manifest.options["assembly"] == "best_fit"
    assert f"{validation.manifest.details['fill_rate']:.2%}" == table["fill rate"]
    assert "empty_source" in done.stdout


def test_errors_are_one_line_with_an_exit_code(arguments: list[str], tmp_path: Path) -> None:
    done = call(*arguments, "--split-token", "<none>")
    assert done.returncode == 2
    assert done.stderr.startswith("error: split-token must be a token of the tokenizer")
    assert done.stderr.count("\n") == 1
    done = call(*arguments, "--sequence-length", "9")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "got: unrecognized arguments: --sequence-length 9" in done.stderr
    with (tmp_path / "pairs.jsonl").open("a", encoding="utf-8") as file:
        file.write("{\n")
    done = call(*arguments)
    assert done.returncode == 3
    assert "pairs.jsonl, line 14 must be one JSON object" in done.stderr
    assert not list(tmp_path.glob("x*"))
