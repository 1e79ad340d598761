"""Points that fail cost themselves only; a killed sweep goes on."""

from dataclasses import replace
from pathlib import Path

import pytest
from small_profiles import point
from tiny_runs import tiny_config

from megatron_crossic.config import ParallelConfig
from megatron_crossic.errors import ConfigError
from megatron_crossic.profiling.document import read_profile, write_profile
from megatron_crossic.profiling.failure import StoppedError
from megatron_crossic.profiling.points import sweep_points
from megatron_crossic.profiling.sweep import Sweep, appears, default_processes, run_sweep
from megatron_crossic.train.options import to_yaml

# Stands in for profile_throughput.py: the seed says what becomes of a point.
SCRIPT = """
import json, os, signal, sys, time
from pathlib import Path

words = sys.argv[1:]
name, folder, seed = (words[words.index(word) + 1] for word in ("--name", "--output-folder",
                      "--seed"))
with (Path({folder!r}) / "started").open("a") as file:
    file.write(seed + "\\n")
if seed == "7":
    raise RuntimeError("CUDA error: an illegal instruction")
if seed == "8":
    Path(os.environ["CROSSIC_PROFILE_FAILURE"]).write_text(
        json.dumps({{"status": "out of memory", "reason": "80 GiB are too few"}}))
    sys.exit(1)
if seed == "9" and not (Path({folder!r}) / "second").exists():
    os.kill(os.getppid(), signal.SIGTERM)
    time.sleep(60)
if seed == "6" and not (Path({folder!r}) / "second").exists():
    Path(os.environ["CROSSIC_PROFILE_FAILURE"]).write_text(
        json.dumps({{"status": "stopped", "reason": "SIGTERM."}}))
    sys.exit(1)
document = json.loads((Path({folder!r}) / "document").read_text())
document["points"][0]["name"] = name
(Path(folder) / "profile.json").write_text(json.dumps(document))
"""


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    config = tmp_path / "run.yaml"
    config.write_text(to_yaml(tiny_config(tmp_path)), encoding="utf-8")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(folder=str(tmp_path)), encoding="utf-8")
    write_profile(tmp_path, [point("any")]).rename(tmp_path / "document")
    return Sweep(
        folder=tmp_path / "sweep",
        script=script,
        options=("--config", str(config)),
        own_options=("--steps", "3"),
        launcher="{python}",
        processes=None,
        retry=False,
    )


def started(tmp_path: Path) -> list[str]:
    return (tmp_path / "started").read_text(encoding="utf-8").split()


def test_what_fails_stays_in_the_table_with_its_reason(
    sweep: Sweep, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    points = run_sweep(sweep, sweep_points(["seed=1,7,8,-1,2"]))
    assert [point["status"] for point in points] == [
        "measured", "crashed", "out of memory", "refused", "measured",
    ]  # fmt: skip
    assert "RuntimeError: CUDA error: an illegal instruction; see " in points[1]["reason"]
    assert points[2]["reason"] == "80 GiB are too few"
    assert "seed must not be negative" in points[3]["reason"]
    assert points[4]["settings"] == {"seed": "2"}
    assert started(tmp_path) == ["1", "7", "8", "2"]
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith("1 of 5: seed=1: 1,000.0 ms a step, 800 tokens/s; about ")
    assert told[0].endswith(" s to go")
    assert [point["name"] for point in read_profile(sweep.folder)] == [
        point["name"] for point in points
    ]


def test_a_second_start_measures_what_is_missing(sweep: Sweep, tmp_path: Path) -> None:
    run_sweep(sweep, sweep_points(["seed=1,7"]))
    points = run_sweep(sweep, sweep_points(["seed=1,7,2"]))
    assert [point["status"] for point in points] == ["measured", "crashed", "measured"]
    assert started(tmp_path) == ["1", "7", "2"]
    run_sweep(replace(sweep, retry=True), sweep_points(["seed=1,7,2"]))
    assert started(tmp_path) == ["1", "7", "2", "7"]


def test_a_killed_sweep_goes_on_where_it_was(sweep: Sweep, tmp_path: Path) -> None:
    points = sweep_points(["seed=1,9,2"])
    with pytest.raises(KeyboardInterrupt):
        run_sweep(sweep, points)
    assert [point["name"] for point in read_profile(sweep.folder)] == ["seed=1"]
    (tmp_path / "second").touch()
    found = run_sweep(sweep, points)
    assert [point["status"] for point in found] == ["measured"] * 3
    assert started(tmp_path) == ["1", "9", "9", "2"]


def test_a_request_to_stop_is_no_failure_of_its_point(sweep: Sweep, tmp_path: Path) -> None:
    points = sweep_points(["seed=1,6,2"])
    with pytest.raises(StoppedError, match="got a stop in seed=6: SIGTERM. Start the same command"):
        run_sweep(sweep, points)
    assert list(sweep.folder.rglob("failure.json*")) == []
    (tmp_path / "second").touch()
    assert [point["status"] for point in run_sweep(sweep, points)] == ["measured"] * 3
    assert started(tmp_path) == ["1", "6", "6", "2"]


def test_a_configuration_that_has_changed_is_refused_by_name(sweep: Sweep, tmp_path: Path) -> None:
    points = sweep_points(["seed=1"])
    run_sweep(sweep, points)
    changed = tiny_config(tmp_path, parallel=ParallelConfig(tensor=2))
    (tmp_path / "run.yaml").write_text(to_yaml(changed), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"with other config\.parallel\.tensor\. Give another"):
        run_sweep(sweep, points)


def test_a_file_may_be_seen_late(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert not appears(path, patience=0.01)
    path.touch()
    assert appears(path, patience=0)


def test_a_folder_of_something_else_is_refused(sweep: Sweep) -> None:
    points = sweep_points(["seed=1"])
    run_sweep(sweep, points)
    with pytest.raises(ConfigError, match="that of the same sweep, got .* with other own_options"):
        run_sweep(replace(sweep, own_options=("--steps", "4")), points)
    other = sweep.folder.with_name("other")
    write_profile(other, [])
    with pytest.raises(ConfigError, match="got .* with another profile.json"):
        run_sweep(replace(sweep, folder=other), points)


def test_as_few_processes_as_a_layout_needs() -> None:
    assert default_processes(4, nodes=1) == 4
    assert default_processes(3, nodes=2) == 2
