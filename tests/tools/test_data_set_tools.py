"""Sharding, merging, verifying and comparing as a user does them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from small_pairs import make_pair, write_byte_tokenizer, write_pairs

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def inputs(tmp_path: Path) -> list[str]:
    pairs = [make_pair(f"pair {i}", "Text. " * 5, "Texto." * 4) for i in range(12)]
    return [
        *("--pairs", str(write_pairs(tmp_path / "pairs.jsonl", pairs))),
        *("--tokenizer", str(write_byte_tokenizer(tmp_path / "tokenizer"))),
        *("--seq-length", "128"),
    ]


def call(tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, f"tools/{tool}.py", *arguments]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)


def test_shards_are_made_merged_and_verified(inputs: list[str], tmp_path: Path) -> None:
    prefix = str(tmp_path / "x")
    for shard in ("0/2", "1/2"):
        done = call(
            *("preprocess_data", *inputs, "--output-prefix", prefix),
            *("--shard", shard, "--validation-fraction", "0.3"),
        )
        assert (done.returncode, done.stderr) == (0, "")
    merge = ("merge_datasets", "--output-prefix", prefix, "--shards", "2")
    done = call(*merge)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("windows of 2 shards") == 2
    # Killed between the two: there are held-out windows only, which are merged again.
    for file in tmp_path.glob("x.*"):
        file.unlink()
    done = call(*merge)
    assert (done.returncode, done.stderr) == (0, "")
    assert call(*merge).returncode == 2  # nothing is replaced that is whole
    done = call("verify_dataset", prefix, f"{prefix}-validation")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("all laws hold") == 2
    (tmp_path / "x.bin").write_bytes(b"")
    done = call("verify_dataset", prefix)
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert "error: bin file must have" in done.stderr


@pytest.mark.parametrize("shard", ["2", "2/2", "-1/2", "a/b"])
def test_a_shard_must_be_one(inputs: list[str], tmp_path: Path, shard: str) -> None:
    arguments = [*inputs, "--output-prefix", str(tmp_path / "x"), f"--shard={shard}"]
    done = call("preprocess_data", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("error: shard must be")


def test_an_ablation_is_one_command(inputs: list[str], tmp_path: Path) -> None:
    done = call("make_ablation", *inputs, "--output-folder", str(tmp_path / "made"))
    assert done.returncode == 0, done.stderr
    assert "all texts agree" in done.stdout
    assert max(map(len, done.stdout.splitlines()[:-1])) <= 80  # the last names a path
    rows = [line.split() for line in done.stdout.splitlines() if line.strip()]
    values = json.loads((tmp_path / "made" / "ablation.json").read_text(encoding="utf-8"))
    for value in values:
        row = next(row for row in rows if row[0] == value["mode"])
        assert row[1:4] == [f"{value[name]:,}" for name in ("windows", "chunks", "tokens")]
    assert "| target_only |" in (tmp_path / "made" / "ablation.md").read_text(encoding="utf-8")


def test_stages_are_timed(inputs: list[str], tmp_path: Path) -> None:
    timings = tmp_path / "timings.json"
    arguments = [*inputs, "--output-prefix", str(tmp_path / "x"), "--timings", str(timings)]
    assert call("preprocess_data", *arguments).returncode == 0
    assert '"tokenize"' in timings.read_text(encoding="utf-8")
