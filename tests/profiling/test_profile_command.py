"""What the command line does with its folder, without its processes."""

from dataclasses import replace
from pathlib import Path

import pytest
from tiny_runs import tiny_config

from megatron_crossic.errors import ConfigError, CrossicError
from megatron_crossic.profiling.command import Request, profile
from megatron_crossic.profiling.document import read_profile
from megatron_crossic.profiling.planning import MeasureOptions
from megatron_crossic.train.options import to_yaml


def request(inputs: Path, tmp_path: Path) -> Request:
    config = tmp_path / "run.yaml"
    config.write_text(to_yaml(tiny_config(inputs, run_dir=tmp_path / "run")), encoding="utf-8")
    return Request(
        script=Path("unused"),
        folder=tmp_path / "out",
        options=("--config", str(config)),
        own_options=(),
        measure=MeasureOptions(steps=2, warmup=0),
    )


def test_results_are_three_files_that_stay(inputs: Path, tmp_path: Path) -> None:
    asked = request(inputs, tmp_path)
    table = profile(asked)
    assert table == (asked.folder / "profile.md").read_text(encoding="utf-8")
    assert [one["name"] for one in read_profile(asked.folder)] == ["one rank, 2 x 4"]
    assert {path.name for path in asked.folder.iterdir()} == {
        "profile.json", "profile.md", "profile.png",
    }  # fmt: skip
    with pytest.raises(ConfigError, match="output path must not exist, got .*profile.json"):
        profile(asked)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("raise ValueError('no')", "got seed=1: crashed, .* ValueError: no"),
        ("", "got seed=1: crashed, exit code 0: nothing was said"),
    ],
)
def test_a_profile_of_nothing_is_an_error(
    inputs: Path, tmp_path: Path, code: str, message: str
) -> None:
    script = tmp_path / "script.py"
    script.write_text(code, encoding="utf-8")
    asked = replace(
        request(inputs, tmp_path), script=script, sweep=("seed=1,-1",), launcher="{python}"
    )
    with pytest.raises(CrossicError, match=message) as found:
        profile(asked)
    assert found.value.exit_code == 1
    assert [one["status"] for one in read_profile(asked.folder)] == ["crashed", "refused"]


def test_where_every_point_is_refused_trying_again_does_not_help(
    inputs: Path, tmp_path: Path
) -> None:
    asked = replace(request(inputs, tmp_path), sweep=("seed=-1,-2",))
    with pytest.raises(ConfigError, match="got seed=-1: refused, data.seed and seed must not be"):
        profile(asked)
    with pytest.raises(ConfigError, match="--name must go with one point, got mine with --sweep"):
        profile(replace(asked, name="mine"))


def test_one_point_in_processes_of_its_own_can_be_made_anew(inputs: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("raise ValueError('first')", encoding="utf-8")
    asked = replace(request(inputs, tmp_path), script=script, launcher="{python}", name="mine")
    with pytest.raises(CrossicError, match="ValueError: first"):
        profile(asked)
    script.write_text("raise ValueError('second')", encoding="utf-8")
    with pytest.raises(CrossicError, match="ValueError: first"):
        profile(asked)
    again = replace(asked, options=(*asked.options, "--seed", "5"))
    with pytest.raises(ConfigError, match=r"with other options, config\.seed\. Give another"):
        profile(again)
    with pytest.raises(CrossicError, match="ValueError: second"):
        profile(replace(again, overwrite=True))
    sweep = replace(asked, folder=tmp_path / "sweep", name=None, sweep=("seed=-1",))
    with pytest.raises(ConfigError, match="seed=-1: refused"):
        profile(sweep)
    with pytest.raises(ConfigError, match="--overwrite must be of one point, got a sweep in"):
        profile(replace(asked, folder=sweep.folder, overwrite=True))


def test_a_job_of_several_nodes_starts_ranks_unless_it_is_one(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = request(inputs, tmp_path)
    assert not asked.starts_processes
    monkeypatch.setenv("SLURM_NNODES", "2")
    assert asked.starts_processes
    monkeypatch.setenv("RANK", "0")
    assert not asked.starts_processes
