"""Real steps at every layout: what is told of them adds up, and nothing is left behind."""

import json
import os
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest
from tiny_layouts import LAYOUTS
from tiny_runs import run_ranks, run_training, tiny_config

from megatron_crossic.backend import select_backend
from megatron_crossic.config import LoraConfig, ParallelConfig, RunConfig
from megatron_crossic.errors import ConfigError
from megatron_crossic.profiling.document import Point
from megatron_crossic.profiling.measure import TRACES_FOLDER, measure
from megatron_crossic.profiling.parts import PARTS
from megatron_crossic.profiling.phases import REST, StepPhases
from megatron_crossic.profiling.planning import MeasureOptions, plan_profile
from megatron_crossic.profiling.point import layout_name, to_point
from megatron_crossic.profiling.tracing import TraceOptions, trace_name

OPTIONS = MeasureOptions(steps=5, warmup=2)
SHOWN = ("TP2", "PP2", "DP2", "DP2+DO")


def profile(config: RunConfig, folder: Path, options: MeasureOptions = OPTIONS) -> None:
    """What a rank of `profile_throughput.py` does."""
    backend = select_backend("cpu")
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    plan = plan_profile(config, options, backend, world_size=world_size, folder=folder)
    found = measure(plan, options, backend, folder)
    if os.environ.get("RANK", "0") == "0":
        point = to_point(found, options, backend, name=layout_name(found.plan))
        point["left_over"] = [left_over(step) for one in found.ranks for step in one.steps]
        (folder / "point.json").write_text(json.dumps(point), encoding="utf-8")


def left_over(step: StepPhases) -> float:
    """The share of a step in no part but `rest`."""
    by_phase = step.by_phase
    return (by_phase[REST] + by_phase["forward-backward"]) / step.seconds


def read(folder: Path) -> Point:
    point: Point = json.loads((folder / "point.json").read_text(encoding="utf-8"))
    return point


def check(point: Point, *, ranks: int) -> None:
    """Laws of every measurement, and the bound on what is left over."""
    assert len(point["ranks"]) == ranks
    assert len(point["every_step_seconds"]) == OPTIONS.steps
    for rank in point["ranks"]:
        parts, phases = rank["seconds_by_part"], rank["seconds_by_phase"]
        seconds = sum(rank["every_divided_step_seconds"]) / OPTIONS.steps
        assert len(rank["every_step_seconds"]) == OPTIONS.steps
        assert set(parts) == set(PARTS)
        assert min(parts.values()) >= 0
        # The parts and the phases both divide the step: nothing counts twice, nothing is lost.
        assert sum(parts.values()) == pytest.approx(seconds, rel=1e-9)
        assert sum(phases.values()) == pytest.approx(seconds, rel=1e-9)
        assert min(parts[name] for name in ("data", "forward", "backward", "optimizer")) > 0
    # Between the parts there is nothing but a millisecond of Python; a single step may have been
    # interrupted there on a busy machine.
    assert 0 < median(point["left_over"]) <= 0.05
    tokens = point["work"]["num_tokens"]
    assert tokens == 8 * 16
    assert point["tokens_per_second"] == tokens / point["step_seconds"]["median"]
    assert point["tokens_per_second_per_device"] == point["tokens_per_second"] / ranks
    assert point["tflops_full"] > point["tflops_causal"] > 0
    assert point["mfu_causal"] is None
    assert "NVIDIA" in point["energy"]["reason"]


@pytest.mark.parametrize("layout", SHOWN)
def test_parts_of_two_ranks_are_the_step(inputs: Path, tmp_path: Path, layout: str) -> None:
    ranks, parallel = LAYOUTS[layout]
    config = tiny_config(inputs, run_dir=tmp_path / "run", parallel=parallel)
    run_ranks(ranks, tmp_path / "log", profile, config, tmp_path)
    point = read(tmp_path)
    check(point, ranks=ranks)
    shares = point["shares"]["mean"]
    assert (shares["tensor"] > 0) == (layout == "TP2")
    assert (shares["bubble"] > 0) == (shares["transfer"] > 0) == (layout == "PP2")
    assert point["bubble"]["in_theory"] == (1 / 5 if layout == "PP2" else None)
    communication = shares["gradients"] + shares["tensor"] + shares["transfer"]
    assert point["shares"]["communication"] == pytest.approx(communication)
    has_gather = "params-all-gather" in point["ranks"][0]["seconds_by_phase"]
    assert has_gather == (layout == "DP2+DO")


def test_parts_of_one_rank_are_the_step(inputs: Path, tmp_path: Path) -> None:
    config = tiny_config(inputs, run_dir=tmp_path / "run")
    options = replace(OPTIONS, trace=TraceOptions(ranks=(0,), steps=1))
    profile(config, tmp_path, options)
    point = read(tmp_path)
    check(point, ranks=1)
    assert point["name"] == "one rank, 2 x 4"
    assert [point["shares"]["mean"][name] for name in ("tensor", "transfer", "bubble")] == [0] * 3
    assert point["bubble"] == {"measured": None, "in_theory": None}
    assert (tmp_path / TRACES_FOLDER / trace_name(0)).stat().st_size > 1000
    # Neither a checkpoint nor metrics, and no run_dir.
    assert {path.name for path in tmp_path.iterdir()} == {"point.json", TRACES_FOLDER}


def test_a_run_is_measured_as_it_is_and_left_as_it_was(inputs: Path, tmp_path: Path) -> None:
    config = tiny_config(inputs, run_dir=tmp_path / "run", lora=LoraConfig(rank=2))
    profile(config, tmp_path)
    frozen = read(tmp_path)["work"]["flops_per_token_causal"]
    own = replace(config, lora=None, checkpoint=replace(config.checkpoint, interval=2))
    run_training(replace(own, stop_after_step=2))
    before = sorted(path.name for path in config.run_dir.rglob("*"))
    # Without checkpoint.initial the weights are those of the run itself.
    profile(replace(own, checkpoint=replace(own.checkpoint, initial=None)), tmp_path)
    assert read(tmp_path)["work"]["flops_per_token_causal"] > frozen
    assert sorted(path.name for path in config.run_dir.rglob("*")) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (MeasureOptions(steps=1), "--steps must be at least 2 and --warmup at least 0, got 1 and"),
        (MeasureOptions(warmup=-1), "got 20 and -1"),
        (MeasureOptions(nvtx=True), "--nvtx must go with a GPU, got the cpu backend"),
        (MeasureOptions(nvtx=True, trace=TraceOptions(ranks=(0,))), "--nvtx must go without"),
        (MeasureOptions(trace=TraceOptions(ranks=(0, 2))), "must be from 0 to 1 .* got 0, 2 and"),
        (MeasureOptions(trace=TraceOptions(ranks=(0,), steps=0)), "--trace-steps at least 1"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    inputs: Path, tmp_path: Path, options: MeasureOptions, message: str
) -> None:
    config = tiny_config(inputs, run_dir=tmp_path, parallel=ParallelConfig(tensor=2))
    with pytest.raises(ConfigError, match=message):
        plan_profile(config, options, select_backend("cpu"), world_size=2, folder=tmp_path)


def test_a_short_run_is_made_long_enough(inputs: Path, tmp_path: Path) -> None:
    config = tiny_config(inputs, run_dir=tmp_path, num_steps=3)
    plan = plan_profile(
        config, MeasureOptions(), select_backend("cpu"), world_size=1, folder=tmp_path
    )
    assert plan.config.num_steps == 45
