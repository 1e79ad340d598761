"""The command line, run as a user runs it."""

import json
import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[2] / "tools" / "join_documents.py"


def test_documents_with_a_common_key_become_pairs(tmp_path: Path) -> None:
    for language, key in (("en", "qid"), ("th", "item")):
        records = [{key: f"Q{n}", "text": f"{language} {n}"} for n in range(3)]
        lines = "".join(json.dumps(record) + "\n" for record in records[language == "th" :])
        (tmp_path / f"{language}.jsonl").write_text(lines)
    command = [
        *("--source", str(tmp_path / "en.*"), "--source-lang", "en", "--key", "qid"),
        *("--target", str(tmp_path / "th.jsonl"), "--target-lang", "th", "--target-key", "item"),
        *("--output", str(tmp_path / "pairs.jsonl")),
    ]
    result = subprocess.run(
        [sys.executable, str(TOOL), *command], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("2 pairs in ")
    assert "dropped: source.no_partner 1" in result.stdout
    records = [json.loads(line) for line in (tmp_path / "pairs.jsonl").read_text().splitlines()]
    assert [record["id"] for record in records] == ["en:Q1-th:Q1", "en:Q2-th:Q2"]
