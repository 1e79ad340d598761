"""Where the time of one step goes: kernels by what they do."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

KINDS = (
    ("communication", r"nccl|all_?reduce|broadcast_"),
    ("attention", r"flash|fmha|sdpa|scaled_dot_product|attention|fused_attn"),
    ("gemm", r"gemm|cutlass|cublas|nvjet|xmma|wgmma|aten::(mm|addmm|bmm|addbmm|baddbmm)$"),
    ("optimizer", r"multi_tensor|adam|l2norm|lpnorm"),
)
"""Patterns of names: CUDA kernels first of all, and PyTorch's operations for the CPU.

The first that fits counts: cuDNN's attention kernels have "cutlass" or "sm90" in their names too.
"""
OTHER = "other"
NUM_SHOWN = 12
LONGEST_NAME = 100


def kind_of(name: str) -> str:
    """What a kernel does, by its name."""
    return next((kind for kind, pattern in KINDS if re.search(pattern, name, re.I)), OTHER)


def profile_step(step: Callable[[], object], *, cuda: bool) -> dict[str, Any]:
    """Run `step` once under torch.profiler; shares of the kernels' time."""
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]
    with profile(activities=activities) as recorded:
        step()
        if cuda:
            torch.cuda.synchronize()
    return shares(_self_times(recorded.key_averages(), cuda=cuda))


def _self_times(events: Iterable[Any], *, cuda: bool) -> list[tuple[str, float]]:
    """(name, seconds) of every kernel, or of every operation on the CPU.

    An operation's entry repeats the time of its kernels, and an annotation's that of all inside it:
    on CUDA only the kernels' own entries count.
    """
    if not cuda:
        return [(event.key, event.self_cpu_time_total / 1e6) for event in events]
    return [
        (event.key, event.self_device_time_total / 1e6)
        for event in events
        if event.device_type == DeviceType.CUDA
        and not getattr(event, "is_user_annotation", False)
        and not re.match(r"Optimizer\.|ProfilerStep", event.key)
    ]


def shares(times: Iterable[tuple[str, float]]) -> dict[str, Any]:
    """Seconds in all, the share of each kind, and the longest names."""
    by_name: Counter[str] = Counter()
    for name, seconds in times:
        by_name[name] += seconds  # type: ignore[assignment]
    by_kind: Counter[str] = Counter()
    for name, seconds in by_name.items():
        by_kind[kind_of(name)] += seconds
    total = sum(by_name.values())
    return {
        "kernel_seconds": round(total, 6),
        "shares": {
            kind: round(by_kind[kind] / total, 4) if total else 0.0
            for kind in (*(kind for kind, _ in KINDS), OTHER)
        },
        "longest": [
            {"name": name[:LONGEST_NAME], "kind": kind_of(name), "share": round(seconds / total, 4)}
            for name, seconds in by_name.most_common(NUM_SHOWN)
            if total
        ],
    }
