"""Points as `profile.json` has them, small enough to check by eye."""

from collections.abc import Sequence
from typing import Any

from megatron_crossic.profiling.figures import Work, rates, spread_to_record
from megatron_crossic.profiling.parts import PARTS, to_shares


def point(
    name: str,
    seconds: Sequence[float] = (1.0, 1.0, 1.0),
    *,
    devices: int = 1,
    batch: int = 8,
    seq_length: int = 100,
    compute: str = "bf16",
    num_layers: int = 2,
    peak: float | None = None,
    scope: str = "window",
) -> dict[str, Any]:
    """A measured point: 10 FLOPs a token by the causal formula, 20 by the full one."""
    spread = spread_to_record(seconds)
    work = Work(
        seq_length=seq_length,
        global_batch_size=batch,
        num_devices=devices,
        flops_per_token_causal=10,
        flops_per_token_full=20,
        peak_flops=peak,
        num_tokens=batch * seq_length,
    )
    parts = dict.fromkeys(PARTS, 0.0) | {"forward": 1.0, "backward": 2.0, "rest": 1.0}
    return {
        "name": name,
        "settings": {},
        "status": "measured",
        "reason": None,
        "environment": {
            "backend": "cpu",
            "device": "x86_64 CPU",
            "hosts": ["one"],
            "versions": {"torch": "2", "megatron-core": "0"},
        },
        "config": {
            "precision": {"compute": compute, "recipe": "tensorwise", "fp8_param_gather": False},
            "lora": None,
            "data": {"attention_scope": scope},
        },
        "model": {"num_layers": num_layers},
        "layout": {"world_size": devices},
        "work": {"seq_length": seq_length, "global_batch_size": batch, "num_devices": devices},
        "num_steps": len(seconds),
        "num_warmup_steps": 1,
        "step_seconds": spread,
        "every_step_seconds": list(seconds),
        **rates(work, seconds=spread["median"]),
        "energy": {"joules_per_token": None, "reason": "no GPU"},
        "shares": {"mean": to_shares(parts)},
        "bubble": {"measured": None, "in_theory": None},
        "peak_memory_bytes": 2**30,
        "ranks": [],
    }


def failed(name: str, status: str = "refused", reason: str = "it does not fit") -> dict[str, Any]:
    """A point without figures."""
    return {"name": name, "settings": {}, "status": status, "reason": reason}
