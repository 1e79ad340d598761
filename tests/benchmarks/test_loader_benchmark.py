"""The loader benchmark runs, and refuses to compare loaders that read different tokens."""

import json
from pathlib import Path

import loader
import pytest


@pytest.mark.filterwarnings("ignore:The pad token id")
def test_it_reports_a_rate_for_each_loader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = tmp_path / "loader.json"
    options = "--windows 8 --seq-length 64 --chunks 3 --rounds 1 --output".split()
    monkeypatch.setattr("sys.argv", ["loader.py", *options, str(output)])
    loader.main()
    report = json.loads(output.read_text(encoding="utf-8"))
    assert set(report["ratio"]) == {"ours", "ours_scope_chunk", "ours_blend_of_3"}
    assert min(report["samples_per_cpu_second"].values()) > 0
