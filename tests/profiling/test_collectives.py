"""Collectives that run as one where their context ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import torch.distributed as dist

from megatron_crossic.profiling.collectives import _watched_manager
from megatron_crossic.profiling.parts import TENSOR_PHASE
from megatron_crossic.profiling.phases import REST, PhaseClock


class Counting:
    """A device whose work takes as long as the test says."""

    def __init__(self) -> None:
        self.now = 0.0

    def moment(self) -> float:
        return self.now

    def seconds_between(self, first: float, second: float) -> float:
        return second - first


def test_the_end_of_the_context_and_the_wait_are_the_phase() -> None:
    device = Counting()
    clock = PhaseClock(device)

    def spend(seconds: float) -> None:
        device.now += seconds

    @contextmanager
    def coalescing(*_: Any, **__: Any) -> Iterator[Any]:
        yield SimpleNamespace(wait=lambda: spend(100))
        spend(10)

    mine, other = (cast("dist.ProcessGroup", object()) for _ in range(2))
    managed = _watched_manager(coalescing, clock, mine)
    clock.begin()
    for arguments in ({"group": mine}, {"group": other}):
        with managed(**arguments) as works:
            spend(1)
        works.wait()
    with managed(mine):
        spend(1)
    assert clock.end()().by_phase == {TENSOR_PHASE: 10 + 100 + 10, REST: 1 + 1 + 10 + 100 + 1}
