"""The time of a step, divided among named phases without gap or overlap.

Phases nest, and time belongs to the innermost one:

    forward-backward  |-------------------------------------|
    forward-compute      |------------------|
    data                     |----|
    time goes to      fb | f | d  |   f     |      fb       |

Every boundary is one moment that ends one interval and begins the next, so the phases of a step add
up to its time exactly. On a GPU moments are events in its queue, which are read after the step:
nothing waits for the clock, and a phase is as long as it delays the queue. What runs beside
other work, in a stream of its own, has no length of its own here.

megatron-core's schedules, transfers between stages, gradient reduction and optimizer open and close
their phases on `config.timers`, which a `PhaseClock` can be; `train.clock` opens those around them.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol

REST = "rest"
"""Time of a step outside every phase."""
PASSES_END = "gradients"
"""The phase that begins when a rank has made its last backward pass."""

Moment = Any
"""What a device calls a point in its work, see `backend.Moment`; nothing here looks into it."""
Range = Callable[[str], AbstractContextManager[object]]
"""Marks a phase for a tool that watches from outside."""


class Device(Protocol):
    """What the clock asks of a backend."""

    def moment(self) -> Moment: ...

    def seconds_between(self, first: Moment, second: Moment) -> float: ...


@dataclass(kw_only=True, slots=True)
class StepPhases:
    """One step of one rank."""

    seconds: float = 0.0
    """From its beginning to its end: the sum of `by_phase`."""
    by_phase: Counter[str] = field(default_factory=Counter)
    """Seconds in each phase, outside of the phases within it."""
    num_transfers: int = 0
    """Calls that send or receive between pipeline stages."""
    shortest_transfer: float = 0.0
    """Seconds of the shortest of them."""
    passes_end: float = 0.0
    """Seconds from the beginning of the step to the end of the last backward pass."""


class PhaseClock:
    """Takes the phases of one step after the other."""

    def __init__(self, device: Device, *, mark: Range = lambda _: nullcontext()) -> None:
        self._device = device
        self._mark = mark
        self._open: list[tuple[str, AbstractContextManager[object]]] = []
        self._moments: list[tuple[Moment, str]] = []
        """When a phase began, or went on after one within it, and its name."""

    def __call__(self, name: str, log_level: int | None = None) -> "Timer":  # noqa: ARG002
        """What megatron-core's code calls to get a timer."""
        return Timer(self, name)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Inside, time belongs to `name`."""
        self.enter(name)
        yield
        self.leave(name)

    def begin(self) -> None:
        """A step begins; what an earlier one left open, because it failed, is forgotten."""
        self._open, self._moments = [], []
        self._note(REST)

    def enter(self, name: str) -> None:
        """From now on time belongs to `name`."""
        mark = self._mark(name)
        mark.__enter__()
        self._open.append((name, mark))
        self._note(name)

    def leave(self, name: str) -> None:
        """Time belongs to the phase around `name` again."""
        opened, mark = self._open.pop()
        assert opened == name, f"phases nest, {opened} does not end with {name}"
        mark.__exit__(None, None, None)
        self._note(self._open[-1][0] if self._open else REST)

    def end(self) -> Callable[[], StepPhases]:
        """The step ends; call what is returned once the device has come here."""
        assert not self._open, "every phase ends within its step"
        moments = [*self._moments, (self._device.moment(), REST)]
        return lambda: self._read(moments)

    def _note(self, name: str) -> None:
        self._moments.append((self._device.moment(), name))

    def _read(self, moments: list[tuple[Moment, str]]) -> StepPhases:
        found = StepPhases()
        transfers = []
        passed = False
        for (start, name), (end, _) in pairwise(moments):
            passed = passed or name == PASSES_END
            seconds = self._device.seconds_between(start, end)
            found.seconds += seconds
            found.by_phase[name] += seconds  # type: ignore[assignment]
            if not passed:
                found.passes_end += seconds
            if is_transfer(name):
                transfers.append(seconds)
        found.num_transfers = len(transfers)
        found.shortest_transfer = min(transfers, default=0.0)
        return found


class Timer:
    """A phase as megatron-core's code starts and stops it."""

    def __init__(self, clock: PhaseClock, name: str) -> None:
        self._clock = clock
        self._name = name

    def start(self, *, barrier: bool = False) -> None:  # noqa: ARG002, waiting would be measured
        self._clock.enter(self._name)

    def stop(self, *, barrier: bool = False) -> None:  # noqa: ARG002
        self._clock.leave(self._name)


def is_transfer(name: str) -> bool:
    """Whether the phase is a call of megatron-core that sends or receives between stages."""
    return name.startswith(("forward-", "backward-")) and name.endswith(("-send", "-recv"))
