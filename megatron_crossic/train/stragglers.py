"""Ranks whose machine is slower than the others': one of them slows the whole run down.

In a step every rank ends when the slowest does, so step times name nobody. Instead each rank times
the same matrix products on its own device, without a word to the others, and says how long it took
for its windows. With a factor of 1.2, probes of

    rank 0  4.0 ms    rank 1  4.1 ms    rank 2  5.2 ms    rank 3  4.0 ms        median 4.0

make rank 2 a straggler, 1.3 times as slow. A check takes some 30 ms, and no step's time.
"""

import socket
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median, median_low
from typing import Any, Literal

import torch
import torch.distributed as dist

from megatron_crossic.backend import Backend

STRAGGLERS_FILE = "stragglers.jsonl"
_ROUNDS = 7
"""The median of so many: a rank that was interrupted once is no straggler."""
_GPU_SIZE, _GPU_PRODUCTS = 2048, 128  # 2.2 TFLOP in bf16: 3 ms on an H100; 24 MB
_CPU_SIZE, _CPU_PRODUCTS = 384, 2  # 0.2 GFLOP in fp32: 2 to 5 ms on one core
DATA_FLOOR = 0.005
"""Seconds a step. Windows that come less than so much later delay nobody."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RankTimes:
    """What one rank measured on its own."""

    rank: int
    host: str
    device: str
    probe_seconds: float
    data_seconds: float
    """Seconds a step for its windows, the mean since the last check."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Straggler:
    """A rank that is slower than the others."""

    rank: int
    host: str
    device: str
    at: Literal["probe", "data"]
    """What it is slow at: computing, or making its windows ready."""
    seconds: float
    factor: float
    """How many medians that is."""

    def line(self) -> str:
        """What is said about it."""
        what = "computing" if self.at == "probe" else "reading windows"
        return (
            f"rank {self.rank} on {self.host} ({self.device}) is {self.factor:.2f} times as slow "
            f"at {what} as the median rank: {1000 * self.seconds:.1f} ms"
        )


def find_stragglers(ranks: Sequence[RankTimes], *, factor: float) -> list[Straggler]:
    """Ranks above `factor` medians. Of two ranks the faster is the median, so one can be named."""
    found = []
    kinds: tuple[tuple[Literal["probe", "data"], float], ...] = (
        ("probe", 0.0),
        ("data", DATA_FLOOR),
    )
    for at, floor in kinds:
        seconds = [one.probe_seconds if at == "probe" else one.data_seconds for one in ranks]
        usual = median_low(seconds)
        found += [
            Straggler(
                rank=one.rank,
                host=one.host,
                device=one.device,
                at=at,
                seconds=mine,
                factor=mine / max(usual, 1e-9),
            )
            for one, mine in zip(ranks, seconds, strict=True)
            if mine > factor * usual and mine - usual > floor
        ]
    return found


def to_record(
    ranks: Sequence[RankTimes], stragglers: Sequence[Straggler], *, step: int
) -> dict[str, Any]:
    """The object of a check in `stragglers.jsonl`."""
    probes = [one.probe_seconds for one in ranks]
    data = [one.data_seconds for one in ranks]
    return {
        "step": step,
        "median_probe_seconds": median_low(probes),
        "max_probe_seconds": max(probes),
        "median_data_seconds": median_low(data),
        "max_data_seconds": max(data),
        "stragglers": [asdict(one) for one in stragglers],
    }


def gather_times(*, probe_seconds: float, data_seconds: float, device: str) -> list[RankTimes]:
    """What every rank measured, on all ranks; they call this together."""
    mine = RankTimes(
        rank=dist.get_rank(),
        host=socket.gethostname(),
        device=device,
        probe_seconds=probe_seconds,
        data_seconds=data_seconds,
    )
    gathered: list[RankTimes | None] = [None] * dist.get_world_size()
    dist.all_gather_object(gathered, mine)
    return [one for one in gathered if one is not None]


def time_probe(backend: Backend) -> float:
    """Median seconds of a fixed number of matrix products on this rank's device alone.

    Draws no random numbers, so that a run is the same with and without checks.
    """
    product, num_products = _product(backend)
    product()  # the first one chooses its kernel
    seconds = []
    for _ in range(_ROUNDS):
        backend.synchronize()
        started = backend.moment()
        for _ in range(num_products):
            product()
        ended = backend.moment()
        backend.synchronize()
        seconds.append(backend.seconds_between(started, ended))
    return median(seconds)


def _product(backend: Backend) -> tuple[Callable[[], object], int]:
    """A matrix product, and how many of them are timed at once."""
    is_gpu = backend.NAME == "cuda"
    size = _GPU_SIZE if is_gpu else _CPU_SIZE
    dtype = torch.bfloat16 if is_gpu else torch.float32
    left, right, result = (
        torch.full((size, size), value, dtype=dtype, device=backend.device())
        for value in (0.5, 0.25, 0.0)
    )
    return (
        lambda: torch.mm(left, right, out=result),
        _GPU_PRODUCTS if is_gpu else _CPU_PRODUCTS,
    )
