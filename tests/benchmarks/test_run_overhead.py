"""The benchmark of what a run loses runs a real one and leaves it as it was."""

import json
from pathlib import Path

import run_overhead
from tiny_runs import tiny_config

from megatron_crossic.train import run as run_module
from megatron_crossic.train.options import to_yaml


def test_it_reports_time_and_memory_of_a_run(inputs: Path, tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(to_yaml(tiny_config(inputs, run_dir=tmp_path / "run")), encoding="utf-8")
    output = tmp_path / "report.json"
    whole_step = run_module.Run.step
    run_overhead.main(["--steps", "20", "--output", str(output), "--", "--config", str(config)])
    report = json.loads(output.read_text(encoding="utf-8"))
    assert report["num_steps"] == 19
    assert 0 < report["outside_share"] < 1
    assert 0 < report["median_outside_ms"] < report["median_step_ms"]
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes().count(b"\n") == 20
    assert run_module.Run.step is whole_step


def test_the_slope_is_that_of_the_later_steps() -> None:
    steps = [(0.9, 1.0, 5000)] * 2 + [(0.9, 1.0, 100 + 10 * i) for i in range(8)]
    report = run_overhead.summary(steps)
    assert report["rss_slope_bytes_per_step"] == 10
    assert report["outside_share"] == 0.1
