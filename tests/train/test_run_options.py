"""YAML and dotted options: later ones win, unknown ones are named."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from tiny_runs import tiny_config

from megatron_crossic.errors import ConfigError
from megatron_crossic.train.dataset import open_data
from megatron_crossic.train.options import parse, to_yaml

SMALLEST = {
    "run_dir": "runs/x",
    "num_steps": 20,
    "global_batch_size": 8,
    "data": {"train": ["windows/a", "windows/b"]},
    "checkpoint": {"initial": "model"},
}


def write(tmp_path: Path, **changes: object) -> str:
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump({**SMALLEST, **changes}), encoding="utf-8")
    return str(path)


def test_options_override_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, parallel={"tensor": 2, "sequence": True})
    request = parse(["--config", file, "--parallel.tensor", "4", "--data.train", "[c]"])
    assert not request.dry_run
    assert request.config.parallel.tensor == 4
    assert request.config.parallel.sequence
    assert request.config.data.train == (Path("c"),)
    assert parse(["--config", file, "--dry-run"]).dry_run


def test_data_sets_have_weights_and_a_run_its_length_in_epochs(tmp_path: Path) -> None:
    data = {"train": ["windows/a", "windows/b"], "weights": [0.7, 0.3], "loss_on": "target"}
    file = write(tmp_path, data=data, num_steps=0, num_epochs=2)
    config = parse(["--config", file, "--data.attention_scope", "pair"]).config
    assert (config.data.weights, config.data.attention_scope) == ((0.7, 0.3), "pair")
    assert (config.num_steps, config.num_epochs) == (0, 2.0)
    config = parse(["--config", file, "--data.weights", "[3, 1]"]).config
    assert config.data.weights == (3.0, 1.0)
    resolved = tmp_path / "resolved.yaml"
    resolved.write_text(to_yaml(config), encoding="utf-8")
    assert parse(["--config", str(resolved)]).config == config
    parse(["--config", write(tmp_path, num_steps=None, num_epochs=2)])
    with pytest.raises(ConfigError, match="num_steps must be at least 1, got 0"):
        parse(["--config", write(tmp_path, num_steps=0)])


def test_the_resolved_configuration_reads_back_to_itself(tmp_path: Path) -> None:
    memory = {"recompute": "selective", "recompute_modules": ["core_attn", "mlp"]}
    schedule = {"kind": "wsd", "decay_steps": 3}
    file = write(tmp_path, schedule=schedule, memory=memory, stop_after_step=5)
    config = parse(["--config", file]).config
    resolved = tmp_path / "resolved.yaml"
    resolved.write_text(to_yaml(config), encoding="utf-8")
    assert parse(["--config", str(resolved)]).config == config
    assert config.memory.recompute_modules == ("core_attn", "mlp")
    assert yaml.safe_load(to_yaml(config))["data"]["train"] == ["windows/a", "windows/b"]


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"optimizer": {"beta3": 1}}, [], "options must be .*'optimizer' .*'beta3'"),
        ({"paralel": {"tensor": 2}}, [], "options must be .*paralel"),
        ({}, ["--parallel.tensr", "2"], "unrecognized arguments: --parallel.tensr 2"),
        ({}, ["--parallel.tensor", "two"], r"parallel\.tensor.* Expected a <class 'int'>.*two"),
        ({"schedule": {"kind": "linear"}}, [], r"schedule.*kind.*linear"),
        ({"num_steps": None}, [], "num_steps"),
        ({}, ["--num_steps", "0"], "num_steps must be at least 1, got 0"),
    ],
)
def test_bad_options_are_named_on_one_line(
    tmp_path: Path, changes: dict[str, object], options: list[str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as refusal:
        parse(["--config", write(tmp_path, **changes), *options])
    assert "\n" not in str(refusal.value)


def test_a_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"File does not exist: .*nothing\.yaml"):
        parse(["--config", str(tmp_path / "nothing.yaml")])
    broken = tmp_path / "broken.yaml"
    broken.write_text("data: [", encoding="utf-8")
    with pytest.raises(ConfigError, match="Problems parsing config"):
        parse(["--config", str(broken)])
    with pytest.raises(ConfigError, match="required: run_dir"):
        parse([])


def test_help_explains_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        parse(["--help"])
    entries = re.split(r"\n  (?=--)", capsys.readouterr().out.split("One training run:")[1])[1:]
    options = [entry for entry in entries if " CONFIG " not in entry]
    assert len(options) > 25
    for entry in options:
        explained = re.sub(r"\((required, )?type: .*", "", entry, flags=re.S).split(maxsplit=2)
        assert len(explained) == 3, f"no help: {entry}"


def test_a_wrong_option_of_an_optional_group_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"got: Option 'alpah' is not accepted \(group lora\)"):
        parse(["--config", write(tmp_path), "--lora.alpah", "3"])
    with pytest.raises(ConfigError, match=r'got: Parser key "rank": .* value: abc \(group lora\)'):
        parse(["--config", write(tmp_path), "--lora.rank", "abc"])


@pytest.mark.parametrize("name", ["train", "validation", "retention"])
def test_a_data_set_that_is_not_there_is_told_by_its_option(
    inputs: Path, tmp_path: Path, name: str
) -> None:
    config = tiny_config(inputs, run_dir=tmp_path)
    missing = replace(config.data, **{name: (tmp_path / "nowhere",)})
    with pytest.raises(ConfigError, match=rf"data.{name} must name .* no nowhere.manifest.json"):
        open_data(missing)
