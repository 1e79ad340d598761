"""The same steps in two number formats, and what is said about the gap."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_runs import losses, run_ranks, run_training, tiny_config

from megatron_crossic.backend import select_backend
from megatron_crossic.config import LoraConfig, ParallelConfig, PrecisionConfig, RunConfig
from megatron_crossic.errors import ConfigError, CrossicError
from megatron_crossic.train.plan import make_plan
from megatron_crossic.train.precision_check import (
    RESULT_FILE,
    PrecisionReport,
    check_precision,
)

BF16 = PrecisionConfig(compute="bf16", check="fp32", check_steps=4)


def check(config: RunConfig) -> str:
    backend = select_backend("cpu")
    world_size = config.parallel.model_size
    return check_precision(make_plan(config, backend, world_size=world_size), backend)


def test_both_ways_are_the_runs_they_stand_for(inputs: Path, tmp_path: Path) -> None:
    config = tiny_config(inputs, run_dir=tmp_path / "check", precision=BF16)
    table = check(config)
    found = json.loads((config.run_dir / RESULT_FILE).read_text(encoding="utf-8"))
    for name, compute in (("losses", "bf16"), ("reference_losses", "fp32")):
        run = replace(
            config,
            run_dir=tmp_path / compute,
            precision=PrecisionConfig(compute=compute),  # type: ignore[arg-type]
            stop_after_step=4,
        )
        run_training(run)
        assert found[name] == losses(run.run_dir)
    assert 0 < found["gap"] <= 0.01
    assert "passes" in table
    assert [path.name for path in config.run_dir.iterdir()] == [RESULT_FILE]


def test_a_gap_too_large_is_an_error_with_the_table(inputs: Path, tmp_path: Path) -> None:
    precision = replace(BF16, check_gap=1e-9)
    config = tiny_config(inputs, run_dir=tmp_path, precision=precision)
    with pytest.raises(CrossicError, match=r"(?s)at most 1e-09 nats a token .* bf16 .*: fails"):
        check(config)
    assert not json.loads((tmp_path / RESULT_FILE).read_text(encoding="utf-8"))["passes"]


def run_check(config: RunConfig) -> None:
    assert "passes" in check(config)


def test_all_ranks_check_together(inputs: Path, tmp_path: Path) -> None:
    config = tiny_config(
        inputs,
        run_dir=tmp_path / "run",
        precision=BF16,
        parallel=ParallelConfig(tensor=2),
        lora=LoraConfig(rank=2),
    )
    run_ranks(2, tmp_path / "log", run_check, config)


def test_a_run_in_bf16_is_not_resumed_in_fp32(inputs: Path, tmp_path: Path) -> None:
    config = tiny_config(inputs, run_dir=tmp_path, precision=PrecisionConfig(compute="bf16"))
    run_training(replace(config, stop_after_step=1))
    with pytest.raises(ConfigError, match="must be made before the first step where it is fp32"):
        check(replace(config, precision=BF16))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_no_number_never_passes(bad: float) -> None:
    report = PrecisionReport(
        compute="fp8",
        reference="bf16",
        first_step=1,
        losses=[1.0, bad],
        reference_losses=[1.0, 1.0],
        limit=0.01,
    )
    assert not report.passes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"compute": "bf16", "check": "bf16"}, "more digits than precision.compute, got bf16"),
        ({"compute": "fp32", "check": "bf16"}, "got bf16 with fp32. Check fp8 against bf16"),
        ({"compute": "fp8", "check": "bf16", "check_steps": 1}, "check_steps must be at least 2"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    inputs: Path, tmp_path: Path, options: dict[str, object], message: str
) -> None:
    precision = PrecisionConfig(**options)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=message):
        tiny_config(inputs, run_dir=tmp_path, precision=precision).check()
