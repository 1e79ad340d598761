"""One training step without data sets, checkpoints and logs: what the benchmarks of the step share.

It is the step of `megatron_crossic.train` with everything it reports, on random weights and on
tokens that the caller makes.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from megatron.core.distributed import DistributedDataParallel
from torch import Tensor

from megatron_crossic.backend import Backend
from megatron_crossic.config import OptimizerConfig, ParallelConfig, PrecisionConfig
from megatron_crossic.data.spans import Role
from megatron_crossic.model.architecture import ModelArchitecture
from megatron_crossic.model.build import build_model
from megatron_crossic.parallel import parallel_groups
from megatron_crossic.train.batches import Batch
from megatron_crossic.train.optimizer import build_optimizer, set_rate, wrap_for_training
from megatron_crossic.train.step import StepShape, run_microbatches

RATE = 1e-4
OPTIMIZER = OptimizerConfig()
Step = Callable[[], float]
"""Does one training step and returns its loss."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BareTrainer:
    """A model with its optimizer on one device, inside process groups of one rank."""

    model: DistributedDataParallel
    backend: Backend
    step_on: Callable[[Tensor], float]
    """Trains on tokens [windows, seq] as microbatches, and returns the loss before the update."""

    def timed_step(self, tokens: Tensor) -> tuple[float, float]:
        """Loss and seconds of one step, with the device at rest before and after."""
        self.backend.synchronize()
        started = time.perf_counter()
        loss = self.step_on(tokens)
        self.backend.synchronize()
        return loss, time.perf_counter() - started


@contextmanager
def bare_trainer(
    architecture: ModelArchitecture,
    *,
    compute: Literal["fp32", "bf16", "fp8"],
    backend: Backend,
    seq_length: int,
    micro_batch_size: int = 1,
    rate: float = RATE,
    seed: int = 0,
) -> Iterator[BareTrainer]:
    """Start process groups of one rank and build a trainer with random weights."""
    with parallel_groups(ParallelConfig(), backend, seed=seed):
        yield build_trainer(
            architecture,
            compute=compute,
            backend=backend,
            shape=StepShape(
                languages=("en", "es"),
                micro_batch_size=micro_batch_size,
                seq_length=seq_length,
                device=backend.device(),
            ),
            rate=rate,
        )


def build_trainer(
    architecture: ModelArchitecture,
    *,
    compute: Literal["fp32", "bf16", "fp8"],
    backend: Backend,
    shape: StepShape,
    rate: float = RATE,
) -> BareTrainer:
    """The model, its gradient buffers and its optimizer; the process groups must be joined."""
    parallel, precision = ParallelConfig(), PrecisionConfig(compute=compute)
    stage = build_model(
        architecture,
        parallel=parallel,
        precision=precision,
        backend=backend,
        max_sequence_length=shape.seq_length,
    )
    chunks = wrap_for_training([stage], parallel, precision)
    optimizer = build_optimizer(chunks, OPTIMIZER, parallel=parallel, precision=precision)

    def step_on(tokens: Tensor) -> float:
        batches = [windows_without_spans(part) for part in tokens.split(shape.micro_batch_size)]
        chunks[0].zero_grad_buffer()
        optimizer.zero_grad()
        report = run_microbatches(chunks, iter(batches), shape, num_microbatches=len(batches))
        set_rate(optimizer, OPTIMIZER, rate=rate)
        optimizer.step()
        return report.loss

    return BareTrainer(model=chunks[0], backend=backend, step_on=step_on)


def windows_without_spans(tokens: Tensor) -> Batch:
    """Every token but the first of a window is a label of the first language."""
    mask = torch.ones_like(tokens, dtype=torch.float32)
    mask[:, -1] = 0
    return Batch(
        tokens=tokens,
        labels=tokens.roll(-1, dims=1),
        loss_mask=mask,
        parts=torch.full_like(tokens, Role.SOURCE),
        position_ids=torch.arange(tokens.shape[1], device=tokens.device).expand_as(tokens),
    )
