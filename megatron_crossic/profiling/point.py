"""A measurement -> a point: every figure of one configuration, as `profile.json` has it."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

from megatron_crossic.backend import Backend
from megatron_crossic.profiling.document import MEASURED, Point
from megatron_crossic.profiling.environment import describe_environment
from megatron_crossic.profiling.figures import (
    Work,
    bubble_share,
    joules_per_token,
    rates,
    shares,
    spread_to_record,
)
from megatron_crossic.profiling.measure import Measurement, RankRecord
from megatron_crossic.profiling.parts import (
    PARTS,
    bubble_in_theory,
    step_to_parts,
    to_shares,
)
from megatron_crossic.profiling.planning import MeasureOptions
from megatron_crossic.train.flops import model_flops_per_token, peak_flops
from megatron_crossic.train.options import to_plain
from megatron_crossic.train.plan import RunPlan


def to_point(found: Measurement, options: MeasureOptions, backend: Backend, *, name: str) -> Point:
    """Every figure of a measured configuration."""
    plan = found.plan
    work = work_of(plan, backend)
    seconds = step_seconds(found.ranks)
    parts = rank_parts(found.ranks, chunks=plan.config.parallel.virtual_pipeline)
    spread = spread_to_record(seconds)
    return {
        "name": name,
        "status": MEASURED,
        "reason": None,
        "environment": {
            **describe_environment(),
            "backend": backend.NAME,
            "device": backend.device_name(),
            "hosts": sorted({one.host for one in found.ranks}),
        },
        "config": to_plain(plan.config),
        "model": to_plain(plan.architecture),
        "layout": layout_of(plan),
        "work": asdict(work),
        "num_steps": options.steps,
        "num_warmup_steps": options.warmup,
        "nvtx": options.nvtx,
        "step_seconds": spread,
        "every_step_seconds": seconds,
        "divided_step_seconds": spread_to_record(divided_step_seconds(found.ranks)),
        **rates(work, seconds=spread["median"]),
        "energy": joules_per_token(
            [one.joules for one in found.ranks],
            [one.joules_reason for one in found.ranks],
            num_tokens=work.num_tokens * options.steps,
        ),
        "shares": shares(parts),
        "bubble": _bubble(plan, parts),
        "peak_memory_bytes": max(one.peak_memory_bytes for one in found.ranks),
        "ranks": [_rank_to_record(one, mine) for one, mine in zip(found.ranks, parts, strict=True)],
    }


def work_of(plan: RunPlan, backend: Backend) -> Work:
    """What a step of the plan computes."""
    config, length = plan.config, plan.data.seq_length
    causal, full = (
        model_flops_per_token(
            plan.architecture, length, causal=causal, frozen_weights=config.lora is not None
        )
        for causal in (True, False)
    )
    peak = peak_flops(backend.device_name(), config.precision.compute)
    return Work(
        seq_length=length,
        global_batch_size=config.global_batch_size,
        num_devices=plan.world_size,
        flops_per_token_causal=causal,
        flops_per_token_full=full,
        peak_flops=peak if config.data.attention_scope == "window" else None,
        num_tokens=config.global_batch_size * length,
    )


def layout_of(plan: RunPlan) -> dict[str, int]:
    """How ranks and batch are divided."""
    parallel = plan.config.parallel
    return {
        "world_size": plan.world_size,
        "tensor": parallel.tensor,
        "pipeline": parallel.pipeline,
        "virtual_pipeline": parallel.virtual_pipeline,
        "context": parallel.context,
        "data": plan.data_size,
        "num_microbatches": plan.num_microbatches,
    }


def layout_name(plan: RunPlan) -> str:
    """`TP2 x PP2 x DP4 + distributed optimizer, 2 x 8`: sizes above 1, windows x microbatches."""
    parallel, layout = plan.config.parallel, layout_of(plan)
    sizes = {"TP": "tensor", "PP": "pipeline", "VPP": "virtual_pipeline", "CP": "context"}
    parts = [f"{short}{layout[key]}" for short, key in {**sizes, "DP": "data"}.items()
             if layout[key] > 1]  # fmt: skip
    name = " x ".join(parts) or "one rank"
    name += " + sequence" if parallel.sequence else ""
    name += " + distributed optimizer" if parallel.distributed_optimizer else ""
    return f"{name}, {plan.config.micro_batch_size} x {plan.num_microbatches}"


def step_seconds(ranks: Sequence[RankRecord]) -> list[float]:
    """Seconds of each timed step: of the rank that took longest."""
    return [max(step) for step in zip(*(one.every_step_seconds for one in ranks), strict=True)]


def divided_step_seconds(ranks: Sequence[RankRecord]) -> list[float]:
    """The same of the steps with phases."""
    each = zip(*(one.steps for one in ranks), strict=True)
    return [max(step.seconds for step in steps) for steps in each]


def rank_parts(ranks: Sequence[RankRecord], *, chunks: int) -> list[dict[str, float]]:
    """Mean seconds a step by part, for each rank; those of one pipeline are looked at together."""
    pipelines: dict[tuple[int, int, int], list[RankRecord]] = defaultdict(list)
    for one in ranks:
        pipelines[one.tensor_rank, one.context_rank, one.data_rank].append(one)
    sums: dict[int, Counter[str]] = defaultdict(Counter)
    for members in pipelines.values():
        for steps in zip(*(one.steps for one in members), strict=True):
            for one, parts in zip(members, step_to_parts(steps, chunks=chunks), strict=True):
                sums[one.rank].update(parts)
    return [{name: float(sums[one.rank][name]) / len(one.steps) for name in PARTS} for one in ranks]


def _bubble(plan: RunPlan, parts: Sequence[dict[str, float]]) -> dict[str, float | None]:
    """Shares of the passes' time; None without a pipeline."""
    parallel = plan.config.parallel
    if parallel.pipeline == 1:
        return {"measured": None, "in_theory": None}
    return {
        "measured": bubble_share(parts),
        "in_theory": bubble_in_theory(
            stages=parallel.pipeline,
            microbatches=plan.num_microbatches,
            chunks=parallel.virtual_pipeline,
        ),
    }


def _rank_to_record(one: RankRecord, parts: dict[str, float]) -> dict[str, Any]:
    names = {name for step in one.steps for name in step.by_phase}
    record = {name: value for name, value in asdict(one).items() if name != "steps"}
    return {
        **record,
        "every_divided_step_seconds": [step.seconds for step in one.steps],
        "seconds_by_part": parts,
        "shares": to_shares(parts),
        "seconds_by_phase": {
            name: fmean(float(step.by_phase[name]) for step in one.steps) for name in sorted(names)
        },
    }
