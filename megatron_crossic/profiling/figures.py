"""Step times and parts of all ranks -> the figures of a point; pure arithmetic."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

import numpy as np

from megatron_crossic.profiling.parts import PARTS, Parts, communication, to_shares


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """Seconds of the measured steps. `q1` to `q3` holds the middle half of them."""

    median: float
    q1: float
    q3: float
    iqr: float
    """`q3` less `q1`: the spread that the table shows."""
    min: float
    max: float
    mean: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Spread":
        """Quartiles by linear interpolation."""
        q1, median, q3 = (float(value) for value in np.quantile(seconds, (0.25, 0.5, 0.75)))
        return cls(
            median=median,
            q1=q1,
            q3=q3,
            iqr=q3 - q1,
            min=min(seconds),
            max=max(seconds),
            mean=fmean(seconds),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """What one step computes."""

    seq_length: int
    global_batch_size: int
    """Windows a step, over all ranks."""
    num_devices: int
    flops_per_token_causal: int
    flops_per_token_full: int
    peak_flops: float | None
    """FLOP/s of one device; None where it is not known, or where attention ends within a window:
    the FLOPs a token are those of whole windows, and a utilization from them would be too high."""
    num_tokens: int
    """Tokens a step, padding included: the device computes them."""


def rates(work: Work, *, seconds: float) -> dict[str, float | None]:
    """Throughput of a step of so many seconds."""
    tokens = work.num_tokens / seconds
    per_device = tokens / work.num_devices
    causal = per_device * work.flops_per_token_causal
    full = per_device * work.flops_per_token_full
    return {
        "tokens_per_second": tokens,
        "tokens_per_second_per_device": per_device,
        "tflops_causal": causal / 1e12,
        "tflops_full": full / 1e12,
        "mfu_causal": None if work.peak_flops is None else causal / work.peak_flops,
        "mfu_full": None if work.peak_flops is None else full / work.peak_flops,
    }


def shares(ranks: Sequence[Parts]) -> dict[str, Any]:
    """Shares of the mean rank, and of the one with most work, which the others wait for."""
    busiest = max(range(len(ranks)), key=lambda rank: _work(ranks[rank]))
    mean = {name: fmean(rank[name] for rank in ranks) for name in PARTS}
    return {
        "mean": to_shares(mean),
        "busiest": to_shares(ranks[busiest]),
        "busiest_rank": busiest,
        "communication": communication(to_shares(mean)),
    }


def _work(parts: Parts) -> float:
    """Seconds a rank does something itself instead of waiting for another."""
    return sum(parts[name] for name in ("data", "forward", "backward", "optimizer"))


def bubble_share(ranks: Sequence[Parts]) -> float:
    """Waiting of the stages as a share of the passes' time, as the theory has it."""
    waiting = sum(rank["bubble"] for rank in ranks)
    passing = sum(
        rank[name]
        for rank in ranks
        for name in ("data", "forward", "backward", "tensor", "transfer")
    )
    return waiting / (waiting + passing)


def joules_per_token(
    joules: Sequence[float | None], reasons: Sequence[str | None], *, num_tokens: int
) -> dict[str, Any]:
    """Energy of all devices for the measured steps, by token; None with a reason where unknown."""
    known = [value for value in joules if value is not None]
    if len(known) < len(joules):
        return {"joules_per_token": None, "reason": next(filter(None, reasons), "not measured")}
    return {"joules_per_token": sum(known) / num_tokens, "reason": None}


def spread_to_record(seconds: Sequence[float]) -> Mapping[str, float]:
    """The spread as JSON has it."""
    return asdict(Spread.of(seconds))
