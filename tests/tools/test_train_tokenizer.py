"""The command line as a user sees it."""

import subprocess
import sys
from pathlib import Path

import pytest
from small_pairs import make_pair, write_pairs

from megatron_crossic.data.tokenizer import load_tokenizer

ENGLISH = "Bees fly from flower to flower; bees make honey and wax, and honey keeps for years."
SPANISH = "Las abejas vuelan de flor en flor; las abejas hacen miel y cera, y la miel dura años."
PROJECT = Path(__file__).parents[2]


@pytest.mark.parametrize("kind", ["bpe", "sentencepiece"])
def test_what_is_printed_is_what_was_made(tmp_path: Path, kind: str) -> None:
    pairs = write_pairs(tmp_path / "p.jsonl", [make_pair("Bees", ENGLISH, SPANISH)])
    command = [sys.executable, "tools/train_tokenizer.py", "--pairs", str(pairs)]
    options = ["--vocab-size", "300", "--type", kind, "--output", str(tmp_path / "out")]
    done = subprocess.run([*command, *options], cwd=PROJECT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    tokenizer = load_tokenizer(tmp_path / "out")
    assert f"300 tokens, fingerprint {tokenizer.fingerprint[:12]}" in done.stdout
    again = subprocess.run([*command, *options], cwd=PROJECT, capture_output=True, text=True)
    assert again.returncode == 2
    assert again.stderr.startswith("error: output path must not exist")
