"""One forward and backward pass over the microbatches of a rank, at any layout."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from megatron.core import parallel_state
from megatron.core.distributed import DistributedDataParallel
from megatron.core.pipeline_parallel import get_forward_backward_func
from torch import Tensor

from megatron_crossic.train.batches import Batch, context_share
from megatron_crossic.train.loss import LossReport, reduce_reports, sum_losses, total_to_report

LossFunction = Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]


@dataclass(frozen=True, kw_only=True, slots=True)
class StepShape:
    """What every pass of a run has in common."""

    languages: tuple[str, ...]
    micro_batch_size: int
    seq_length: int
    device: torch.device


def run_microbatches(
    model: DistributedDataParallel,
    batches: Iterator[Batch],
    shape: StepShape,
    *,
    num_microbatches: int,
    forward_only: bool = False,
    passes: list[Tensor] | None = None,
) -> LossReport:
    """Run the model over `batches`; without `forward_only` leave reduced gradients behind.

    `passes` gets the report of each of this rank's passes, on the last pipeline stage.
    Returns the mean over the tokens of all ranks, on all ranks.
    """
    reports: Sequence[Tensor] = get_forward_backward_func()(
        forward_step_func=partial(_forward, shape=shape),
        data_iterator=batches,
        model=[model],
        num_microbatches=num_microbatches,
        seq_length=shape.seq_length,
        micro_batch_size=shape.micro_batch_size,
        forward_only=forward_only,
    )
    if passes is not None:
        passes.extend(reports)
    total = reduce_reports(reports, num_languages=len(shape.languages), device=shape.device)
    return total_to_report(total, shape.languages)


def _forward(
    batches: Iterator[Batch], model: DistributedDataParallel, *, shape: StepShape
) -> tuple[Tensor, LossFunction]:
    batch = context_share(
        next(batches),
        context_rank=parallel_state.get_context_parallel_rank(),
        context_size=parallel_state.get_context_parallel_world_size(),
    ).to(shape.device)
    output = model(batch.tokens, batch.position_ids, None, labels=batch.labels)
    return output, partial(sum_losses, batch=batch, num_languages=len(shape.languages))
