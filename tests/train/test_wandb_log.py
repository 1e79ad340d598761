"""Weights & Biases: only where asked for, and one run there for all parts of a run."""

import importlib.util
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_runs import run_training, tiny_config

from megatron_crossic.backend import select_backend
from megatron_crossic.config import WandbConfig
from megatron_crossic.errors import ConfigError
from megatron_crossic.train.options import parse, to_yaml
from megatron_crossic.train.plan import make_plan
from megatron_crossic.train.wandb_log import run_id


def test_a_missing_package_is_named(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "wandb" else find(name)
    )
    config = tiny_config(inputs, run_dir=tmp_path, wandb=WandbConfig())
    with pytest.raises(ConfigError, match=r"pip install '.\[wandb\]'"):
        make_plan(config, select_backend("cpu"), world_size=1)
    make_plan(replace(config, wandb=None), select_backend("cpu"), world_size=1)


def test_empty_names_are_refused() -> None:
    (problem,) = WandbConfig(project=" ").problems()
    assert problem.startswith("wandb.project and name must not be empty, got ' ' and None.")
    assert WandbConfig(project="p", name="n").problems() == []


def test_an_option_switches_it_on(inputs: Path, tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(to_yaml(tiny_config(inputs)), encoding="utf-8")
    assert parse(["--config", str(file)]).config.wandb is None
    config = parse(["--config", str(file), "--wandb.mode", "offline"]).config
    assert config.wandb == WandbConfig(mode="offline")


def test_the_id_is_kept_by_those_that_resume(tmp_path: Path) -> None:
    run_dir = tmp_path / "my run/тест"
    run_dir.mkdir(parents=True)
    first = run_id(run_dir, resumed_step=0)
    assert re.fullmatch(r"[\w.-]{1,64}", first, re.ASCII)
    assert run_id(run_dir, resumed_step=7) == first
    assert run_id(run_dir, resumed_step=0) != first  # another run in the same folder


def test_nothing_is_imported_unless_asked(inputs: Path, tmp_path: Path) -> None:
    already = "wandb" in sys.modules  # by another test file
    run_training(tiny_config(inputs, run_dir=tmp_path, stop_after_step=1))
    assert ("wandb" in sys.modules) == already
    assert not (tmp_path / "wandb_id").exists()


def test_offline_and_resumed_it_is_one_run(inputs: Path, tmp_path: Path) -> None:
    pytest.importorskip("wandb")
    wandb = WandbConfig(mode="offline", name="tiny")
    config = tiny_config(inputs, run_dir=tmp_path / "run", num_steps=4, wandb=wandb)
    run_training(replace(config, stop_after_step=2))
    run_training(config)
    name = (config.run_dir / "wandb_id").read_text(encoding="utf-8").strip()
    files = sorted((config.run_dir / "wandb").glob(f"offline-run-*/run-{name}.wandb"))
    assert len(files) == 2
    for file in files:
        told = file.read_bytes()
        for key in (b"train/loss", b"train/grad_norm_by_group/mlp", b"train/tflops"):
            assert key in told
    assert b"validation/loss_by_language/es" in files[0].read_bytes()
