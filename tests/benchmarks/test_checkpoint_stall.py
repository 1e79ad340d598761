"""The benchmark of saves runs, also alone, and reports both kinds."""

import json
from pathlib import Path

import checkpoint_stall
import pytest


@pytest.mark.parametrize("layout", checkpoint_stall.LAYOUTS)
def test_it_reports_both_kinds_of_save(tmp_path: Path, layout: str) -> None:
    output = tmp_path / "report.json"
    options = "--saves 2 --quiet-steps 2 --layers 2 --hidden-size 64 --vocab-size 100".split()
    options += ["--seq-length", "8", "--layout", layout, "--folder", str(tmp_path)]
    checkpoint_stall.main([*options, "--output", str(output)])
    (report,) = json.loads(output.read_text(encoding="utf-8")).values()
    assert report["waiting"]["steps_beside"] == 0
    assert report["beside"]["stall_seconds"] > 0
    assert list(tmp_path.iterdir()) == [output]
