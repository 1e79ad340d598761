"""The collectives among tensor-parallel ranks as a phase of their own.

They run inside a layer's passes, where megatron-core has no timer. Their functions in
`torch.distributed` are wrapped while a run is profiled. One that is started now and waited for
later counts for what it takes to start and what the wait takes: what computing hides is no cost.

On CUDA that is the time they hold up the queue of the GPU. Transformer Engine's own overlap
(parallel.tp_comm_overlap) communicates inside its matrix products and stays in the passes; so
does context parallelism, inside attention.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch.distributed as dist
from megatron.core.tensor_parallel import layers, mappings

from megatron_crossic.profiling.parts import TENSOR_PHASE
from megatron_crossic.profiling.phases import PhaseClock

_FUNCTIONS = ("all_reduce", "all_gather_into_tensor", "reduce_scatter_tensor")
_ALIASES = ("dist_all_gather_func", "dist_reduce_scatter_func")
"""Names megatron-core's modules keep functions under."""


@contextmanager
def watching_tensor_ranks(clock: PhaseClock, group: dist.ProcessGroup) -> Iterator[None]:
    """Inside, collectives of `group` are a phase; a group of one rank has none."""
    if dist.get_world_size(group) == 1:
        yield
        return
    places = [(dist, name) for name in _FUNCTIONS]
    places += [(module, name) for module in (layers, mappings) for name in _ALIASES]
    with ExitStack() as stack:
        watched = [(place, name, _watched(getattr(place, name), clock, group))
                   for place, name in places]  # fmt: skip
        for place, name, function in watched:
            stack.enter_context(patch.object(place, name, function))
        manager = _watched_manager(dist._coalescing_manager, clock, group)
        stack.enter_context(patch.object(dist, "_coalescing_manager", manager))
        yield


def _watched_manager(
    function: Callable[..., AbstractContextManager[Any]],
    clock: PhaseClock,
    group: dist.ProcessGroup,
) -> Callable[..., AbstractContextManager[Any]]:
    """Several collectives as one, as Transformer Engine gathers blockwise FP8: it starts, and
    unless it is asynchronous is waited for, where the context ends."""

    @contextmanager
    def managed(*args: Any, **options: Any) -> Iterator[Any]:
        if group not in (*args[:1], options.get("group")):
            with function(*args, **options) as works:
                yield works
            return
        manager = function(*args, **options)
        works = manager.__enter__()
        yield _WatchedWork(works, clock)
        with clock.phase(TENSOR_PHASE):
            manager.__exit__(None, None, None)

    return managed


def _watched(
    function: Callable[..., Any], clock: PhaseClock, group: dist.ProcessGroup
) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> Any:
        if options.get("group") is not group:
            return function(*args, **options)
        with clock.phase(TENSOR_PHASE):
            work = function(*args, **options)
        return None if work is None else _WatchedWork(work, clock)

    return call


class _WatchedWork:
    """A collective under way; waiting for it counts."""

    def __init__(self, work: dist.Work, clock: PhaseClock) -> None:
        self._work = work
        self._clock = clock

    def wait(self, *args: Any) -> bool:
        with self._clock.phase(TENSOR_PHASE):
            return bool(self._work.wait(*args))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._work, name)
