"""Runs the steps of a training run and takes their times on every rank.

The steps are those of `train.run`: same model, data, optimizer and layout. Left out is what happens
between them: validation, checkpoints, metrics. `run_dir` is not touched.

    warm-up steps -> timed steps -> as many with phases -> steps of a trace, if one is asked for

The timed steps have a moment at either end and nothing else: step times and energy are theirs. The
clock of the phases costs a little, so the steps it divides give shares and no speed.

Before each step the ranks meet, outside of the measured time, so that their steps begin together.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch.distributed as dist
from megatron.core import parallel_state

from megatron_crossic.backend import Backend
from megatron_crossic.commandline import ProgressLine
from megatron_crossic.profiling.collectives import watching_tensor_ranks
from megatron_crossic.profiling.energy import meter_of, used
from megatron_crossic.profiling.failure import StoppedError
from megatron_crossic.profiling.phases import PhaseClock, StepPhases
from megatron_crossic.profiling.planning import MeasureOptions
from megatron_crossic.profiling.tracing import captured, nvtx_range, trace
from megatron_crossic.train.loop import Crew, joined
from megatron_crossic.train.metrics import SilentLog
from megatron_crossic.train.plan import RunPlan
from megatron_crossic.train.run import Run
from megatron_crossic.train.setup import set_up

TRACES_FOLDER = "traces"


@dataclass(frozen=True, kw_only=True, slots=True)
class RankRecord:
    """What one rank measured."""

    rank: int
    host: str
    device: str
    tensor_rank: int
    pipeline_rank: int
    context_rank: int
    data_rank: int
    every_step_seconds: list[float]
    """Of the timed steps."""
    steps: list[StepPhases]
    """Those after them, with phases."""
    memory_bytes: int
    """In use after the last of these."""
    reserved_memory_bytes: int | None
    peak_memory_bytes: int
    """Most that was in use since the process started."""
    joules: float | None
    """Energy of its device during the timed steps."""
    joules_reason: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """The records of all ranks, on every rank."""

    plan: RunPlan
    ranks: list[RankRecord]


def measure(plan: RunPlan, options: MeasureOptions, backend: Backend, folder: Path) -> Measurement:
    """Run the steps and gather what all ranks measured; every rank calls this."""
    clock = PhaseClock(backend, mark=nvtx_range) if options.nvtx else PhaseClock(backend)
    with joined(plan, backend) as crew:
        run = set_up(plan, crew.rank, backend, crew.watch)
        total = options.warmup + 2 * options.steps
        steps = _Steps(run, crew, clock, total=total)
        record = _measured(steps, options, backend)
        trace(
            steps.make,
            options=options.trace,
            rank=crew.rank.rank,
            cuda=backend.NAME == "cuda",
            folder=folder / TRACES_FOLDER,
        )
        gathered: list[RankRecord | None] = [None] * crew.rank.world_size
        dist.all_gather_object(gathered, record)
    return Measurement(plan=plan, ranks=[one for one in gathered if one is not None])


def _measured(steps: "_Steps", options: MeasureOptions, backend: Backend) -> RankRecord:
    steps.several(options.warmup)
    meter = meter_of(backend)
    before = meter.reading()
    timed = steps.several(options.steps)
    energy = used(before, meter.reading())
    with _heard(steps.run, steps.clock), captured(options.nvtx):
        divided = steps.several(options.steps)
    steps.progress.end()
    return RankRecord(
        rank=dist.get_rank(),
        host=socket.gethostname(),
        device=backend.device_name(),
        tensor_rank=parallel_state.get_tensor_model_parallel_rank(),
        pipeline_rank=parallel_state.get_pipeline_model_parallel_rank(),
        context_rank=parallel_state.get_context_parallel_rank(),
        data_rank=parallel_state.get_data_parallel_rank(),
        every_step_seconds=[step.seconds for step in timed],
        steps=divided,
        memory_bytes=backend.memory_bytes(),
        reserved_memory_bytes=backend.reserved_memory_bytes(),
        peak_memory_bytes=backend.peak_memory_bytes(),
        joules=energy.joules,
        joules_reason=energy.reason,
    )


class _Steps:
    """The steps of a run, one after the other."""

    def __init__(self, run: Run, crew: Crew, clock: PhaseClock, *, total: int) -> None:
        self.run = run
        self.clock = clock
        self.progress = ProgressLine()
        self._crew = crew
        self._total = total
        self._next = 1

    def several(self, count: int) -> list[StepPhases]:
        """Make so many steps, and tell from one rank how far the profile is."""
        found = []
        for _ in range(count):
            found.append(self.make())
            if self._crew.rank.is_main:
                done = self._next - 1
                self.progress(done, self._total, f"step {done} of {self._total}")
        return found

    def make(self) -> StepPhases:
        """Meet the other ranks, make the next step and return its phases."""
        if reason := self._crew.requests.decide(self.run.shape.device).stop:
            raise StoppedError(
                f"a profile must run all its steps, got a request to stop: {reason}. "
                "Start it again."
            )
        self.run.backend.synchronize()
        self.clock.begin()
        self.run.step(self._next, SilentLog())
        read = self.clock.end()
        self.run.backend.synchronize()
        self._next += 1
        return read()


@contextmanager
def _heard(run: Run, clock: PhaseClock) -> Iterator[None]:
    """Inside, the run and megatron-core open their phases on `clock`."""
    run.clock.listener = clock.phase
    run.state.chunks[0].config.timers = clock  # all chunks share it
    for optimizer in run.state.optimizer.chained_optimizers:
        optimizer.config.timers = clock
    group = parallel_state.get_tensor_model_parallel_group()
    with watching_tensor_ranks(clock, group):
        yield
