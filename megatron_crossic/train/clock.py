"""Where the time of a step goes on this rank, and on the slowest.

    step starts                 passes end           losses added          updated
        |--- forward, backward -----|--- wait ----------------|--- update --------|
          reading windows: data_seconds
                                      wait_seconds              update_seconds

`wait` begins when this rank has made its last backward pass and ends when the gradients and losses
of all ranks are added. The rank that comes last waits for nobody, so what it needs is the reduction
itself; every other rank also waits for it. Transfers that overlap with passes, and waiting inside a
pipeline before the last pass, are not in it.

On a GPU the moments are events in its queue, read where the step waits for the GPU anyway: nothing
is synchronized for the sake of the clock.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from megatron.core.transformer import TransformerConfig

from megatron_crossic.backend import Backend, Moment

_MICROSECOND = 1e-6

Phase = Callable[[str], AbstractContextManager[object]]
"""Opens a named part of a step: whoever profiles a run gives one, see `StepClock.listener`."""


def _unheard(_: str) -> AbstractContextManager[object]:
    return nullcontext()


@dataclass(frozen=True, kw_only=True, slots=True)
class Spent:
    """Seconds of a step, over all ranks."""

    data: float
    """The longest any rank took to make its windows ready."""
    wait: float
    """The longest any rank waited at the end of its passes."""
    reduction: float
    """The shortest: what adding up gradients and losses takes by itself."""

    @classmethod
    def from_largest(cls, largest: Sequence[int]) -> "Spent":
        """From the largest of `StepClock.microseconds` over all ranks."""
        data, wait, negative_wait = (value * _MICROSECOND for value in largest)
        return cls(data=data, wait=wait, reduction=-negative_wait)


class StepClock:
    """Takes the times of one step after the other."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._passed: Moment | None = None
        self._added: Moment | None = None
        self.data = 0.0
        """Seconds this rank has spent on its windows in this step."""
        self._data_of_steps, self._num_steps = 0.0, 0
        self.listener: Phase = _unheard
        """Hears which part of a step begins and ends; nobody does in an ordinary run."""

    def phase(self, name: str) -> AbstractContextManager[object]:
        """Inside, this rank is in the part of the step called `name`."""
        return self.listener(name)

    def start(self) -> None:
        """A step starts."""
        self._passed = self._added = None
        self.data = 0.0
        self._num_steps += 1

    def mean_data(self) -> float:
        """Seconds a step for this rank's windows, over the steps since the last call."""
        mean = self._data_of_steps / max(1, self._num_steps)
        self._data_of_steps, self._num_steps = 0.0, 0
        return mean

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Inside, this rank makes windows ready.

        On a GPU the work queued before goes on meanwhile, so not all of it is lost.
        """
        started = time.perf_counter()
        with self.phase("data"):
            yield
        seconds = time.perf_counter() - started
        self.data += seconds
        self._data_of_steps += seconds

    def attend(self, config: TransformerConfig) -> None:
        """Take the moment when megatron-core begins to reduce gradients, from now on."""
        finalize: Callable[..., None] = config.finalize_model_grads_func

        def attended(*args: Any, **options: Any) -> None:
            self._passed = self._backend.moment()
            with self.phase("gradients"):
                finalize(*args, **options)

        config.finalize_model_grads_func = attended

    def added(self) -> None:
        """Gradients and losses are added."""
        self._added = self._backend.moment()

    def microseconds(self) -> tuple[int, int, int]:
        """What all ranks take the largest of; see `Spent.from_largest`.

        The device must have come past `added`.
        """
        assert self._passed is not None, "the passes end with a reduction"
        assert self._added is not None, "`added` has been called"
        wait = round(self._backend.seconds_between(self._passed, self._added) / _MICROSECOND)
        return round(self.data / _MICROSECOND), wait, -wait
