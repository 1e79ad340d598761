"""Runs the steps of a training run and takes their times on every rank.

The steps are those of `train.run`: same model, data, optimizer and layout. Left out is what happens
between them: validation, checkpoints, metrics. `run_dir` is not touched.

    warm-up steps (not measured) -> measured steps -> steps of a trace, if one is asked for

Before each step the ranks meet, outside of the measured time, so that their steps begin together.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch.distributed as dist
from megatron.core import parallel_state

from megatron_crossic.backend import Backend
from megatron_crossic.commandline import ProgressLine
from megatron_crossic.config import RunConfig
from megatron_crossic.errors import ConfigError, CrossicError
from megatron_crossic.profiling.collectives import watching_tensor_ranks
from megatron_crossic.profiling.energy import meter_of
from megatron_crossic.profiling.phases import PhaseClock, StepPhases
from megatron_crossic.profiling.tracing import TraceOptions, captured, nvtx_range, trace
from megatron_crossic.train.loop import Crew, joined
from megatron_crossic.train.metrics import SilentLog
from megatron_crossic.train.plan import RunPlan, make_plan
from megatron_crossic.train.run import Run
from megatron_crossic.train.setup import set_up
from megatron_crossic.train.source import CHECKPOINTS_FOLDER

TRACES_FOLDER = "traces"


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasureOptions:
    """How much is measured, and who else watches."""

    steps: int = 20
    warmup: int = 5
    """Steps before the measured ones: kernels are chosen and memory is taken in the first."""
    trace: TraceOptions = field(default_factory=TraceOptions)
    nvtx: bool = False

    def check(self, backend: Backend, *, world_size: int) -> None:
        """Raise `ConfigError` for what cannot be measured."""
        if self.steps < 2 or self.warmup < 0:
            raise ConfigError(
                f"--steps must be at least 2 and --warmup at least 0, got {self.steps} and "
                f"{self.warmup}. Use 20 and 5: a spread needs several steps."
            )
        if self.trace.steps < 1 or any(not 0 <= one < world_size for one in self.trace.ranks):
            raise ConfigError(
                f"--trace-ranks must be from 0 to {world_size - 1} and --trace-steps at least 1, "
                f"got {', '.join(map(str, self.trace.ranks))} and {self.trace.steps}. Name ranks "
                "there are."
            )
        if self.nvtx and backend.NAME != "cuda":
            raise ConfigError(
                f"--nvtx must go with a GPU, got the {backend.NAME} backend. Leave it out, or use "
                "--trace, which works on both."
            )


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


def plan_profile(
    config: RunConfig, options: MeasureOptions, backend: Backend, *, world_size: int, folder: Path
) -> RunPlan:
    """The plan of a run that leaves nothing behind."""
    options.check(backend, world_size=world_size)
    recovery = replace(
        config.recovery,
        skip_steps=(),
        spike_factor=0.0,
        weight_check_interval=None,
        straggler_interval=None,
        exit_after_minutes=None,
        stop_file=None,
    )
    initial = config.checkpoint.initial or config.run_dir / CHECKPOINTS_FOLDER
    quiet = replace(
        config,
        run_dir=folder / "no-run",  # never made: there is nothing to resume, STOP or SAVE
        data=replace(config.data, validation=(), retention=()),
        checkpoint=replace(config.checkpoint, initial=initial),
        precision=replace(config.precision, check=None),
        recovery=recovery,
        stop_after_step=None,
        wandb=None,
    )
    plan = make_plan(quiet, backend, world_size=world_size)
    needed = options.warmup + options.steps + options.trace.num_steps
    longer = replace(plan.config, num_steps=max(plan.config.num_steps, needed))
    return replace(plan, config=longer)


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
            raise CrossicError(
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
