"""Runs the steps of a training run and takes their times on every rank.

The steps are those of `train.run`: same model, data, optimizer and layout. Left out is what happens
between them: validation, checkpoints, metrics. `run_dir` is not touched.

    warm-up steps (not measured) -> measured steps -> steps of a trace, if one is asked for

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
from megatron_crossic.profiling.energy import meter_of
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
    steps: list[StepPhases]
    memory_bytes: int
    """In use after the last measured step."""
    reserved_memory_bytes: int | None
    peak_memory_bytes: int
    """Most that was in use since the process started."""
    joules: float | None
    """Energy of its device during the measured steps."""
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
        steps = _Steps(set_up(plan, crew.rank, backend, crew.watch), crew, clock)
        with _heard(steps.run, clock):
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
    progress = ProgressLine()
    total = options.warmup + options.steps
    for number in range(1, options.warmup + 1):
        steps.make()
        steps.tell(progress, number, total)
    meter = meter_of(backend)
    before = meter.joules()
    found = []
    with captured(options.nvtx):
        for number in range(options.warmup + 1, total + 1):
            found.append(steps.make())
            steps.tell(progress, number, total)
    after = meter.joules()
    progress.end()
    return RankRecord(
        rank=dist.get_rank(),
        host=socket.gethostname(),
        device=backend.device_name(),
        tensor_rank=parallel_state.get_tensor_model_parallel_rank(),
        pipeline_rank=parallel_state.get_pipeline_model_parallel_rank(),
        context_rank=parallel_state.get_context_parallel_rank(),
        data_rank=parallel_state.get_data_parallel_rank(),
        steps=found,
        memory_bytes=backend.memory_bytes(),
        reserved_memory_bytes=backend.reserved_memory_bytes(),
        peak_memory_bytes=backend.peak_memory_bytes(),
        joules=None if after is None or before is None else after - before,
        joules_reason=meter.reason,
    )


class _Steps:
    """The steps of a run, one after the other."""

    def __init__(self, run: Run, crew: Crew, clock: PhaseClock) -> None:
        self.run = run
        self._crew = crew
        self._clock = clock
        self._next = 1

    def make(self) -> StepPhases:
        """Meet the other ranks, make the next step and return its phases."""
        if reason := self._crew.requests.decide(self.run.shape.device).stop:
            raise StoppedError(
                f"a profile must run all its steps, got a request to stop: {reason}. "
                "Start it again."
            )
        self.run.backend.synchronize()
        self._clock.begin()
        self.run.step(self._next, SilentLog())
        read = self._clock.end()
        self.run.backend.synchronize()
        self._next += 1
        return read()

    def tell(self, progress: ProgressLine, done: int, total: int) -> None:
        """How far the profile is, from one rank."""
        if self._crew.rank.is_main:
            progress(done, total, f"step {done} of {total}")


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
