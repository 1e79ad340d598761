"""What other tools see of a run: traces of torch.profiler, and ranges for Nsight Systems."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile, schedule

WAIT, WARMUP = 1, 1
"""Steps of a trace before those it holds: one as after any pause, one while the profiler starts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TraceOptions:
    """Which traces are written, after the measured steps, so that they do not slow those down."""

    ranks: tuple[int, ...] = ()
    """Ranks that write one; none by default."""
    steps: int = 2
    """Steps a trace holds."""

    @property
    def num_steps(self) -> int:
        """Steps that all ranks make for it."""
        return WAIT + WARMUP + self.steps if self.ranks else 0


def trace(
    step: Callable[[], object],
    *,
    options: TraceOptions,
    rank: int,
    cuda: bool,
    folder: Path,
) -> None:
    """Make the steps of the trace; every rank calls this, the chosen ones write theirs."""
    if rank not in options.ranks:
        for _ in range(options.num_steps):
            step()
        return
    folder.mkdir(parents=True, exist_ok=True)
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]
    with profile(
        activities=activities,
        schedule=schedule(wait=WAIT, warmup=WARMUP, active=options.steps, repeat=1),
        on_trace_ready=lambda found: found.export_chrome_trace(str(folder / trace_name(rank))),
        record_shapes=True,
    ) as recorded:
        for _ in range(options.num_steps):
            step()
            recorded.step()


def trace_name(rank: int) -> str:
    """File of a rank's trace, for https://ui.perfetto.dev or chrome://tracing."""
    return f"rank_{rank}.trace.json.gz"


@contextmanager
def nvtx_range(name: str) -> Iterator[None]:
    """A named range on the time line of Nsight Systems."""
    torch.cuda.nvtx.range_push(name)
    yield
    torch.cuda.nvtx.range_pop()


@contextmanager
def captured(enabled: bool) -> Iterator[None]:
    """Inside, `nsys profile --capture-range=cudaProfilerApi` records."""
    if not enabled:
        yield
        return
    torch.cuda.profiler.start()
    yield
    torch.cuda.synchronize()
    torch.cuda.profiler.stop()
