"""The command line as a user sees it."""

import subprocess
import sys
from pathlib import Path

import pytest
from small_pairs import make_pair, write_pairs

from megatron_crossic.data.pairs import read_pairs

pytest.importorskip("rensa", reason="near-duplicate removal needs the extra `dedup`")

PROJECT = Path(__file__).parents[2]


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "tools/deduplicate_pairs.py", *arguments]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)


def test_what_is_printed_is_what_was_done(tmp_path: Path) -> None:
    pairs = [make_pair(str(i), f"Text {i // 2} of bees.", f"Texto {i // 2}.") for i in range(6)]
    given, output = write_pairs(tmp_path / "pairs.jsonl", pairs), tmp_path / "out.jsonl"
    arguments = ["--pairs", str(given), "--output", str(output), "--pairs-threshold", "0.9"]
    done = call(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.rsplit(maxsplit=1) for line in done.stdout.splitlines()]
    table = {row[0].strip(): row[1] for row in rows if len(row) == 2}
    assert (table["pairs read"], table["pairs written"]) == ("6", "3")
    assert table["dropped: exact_duplicate_pair"] == "3"
    assert [pair.id for pair in read_pairs(output)] == ["0", "2", "4"]
    again = call(*arguments)
    assert again.returncode == 2
    assert again.stderr.startswith("error: output path must not exist")
    nothing = call(*arguments[:4], "--overwrite")
    assert nothing.stderr.startswith("error: pairs-threshold or paragraphs-threshold must be given")
    assert (nothing.returncode, nothing.stderr.count("\n")) == (2, 1)
