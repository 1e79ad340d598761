"""One forward and backward pass over the microbatches of a rank, at any layout."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import tee

import torch
from megatron.core import parallel_state
from megatron.core.distributed import DistributedDataParallel
from megatron.core.packed_seq_params import PackedSeqParams
from megatron.core.pipeline_parallel import get_forward_backward_func
from torch import Tensor

from megatron_crossic.train.batches import Batch, context_share, packed, segment_ends, to_device
from megatron_crossic.train.loss import LossReport, reduce_reports, sum_losses, total_to_report

LossFunction = Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]
BeforePass = Callable[[int], None]
"""Called with the number of a microbatch in its step, counted from 0."""


def _nothing(_: int) -> None:
    pass


@dataclass(frozen=True, kw_only=True, slots=True)
class StepShape:
    """What every pass of a run has in common."""

    languages: tuple[str, ...]
    micro_batch_size: int
    seq_length: int
    device: torch.device
    has_segments: bool = False
    """Whether attention ends at the segments of a window instead of at its end."""


def run_microbatches(
    chunks: Sequence[DistributedDataParallel],
    batches: Iterator[Batch],
    shape: StepShape,
    *,
    num_microbatches: int,
    forward_only: bool = False,
    before_pass: BeforePass = _nothing,
    passes: list[Tensor] | None = None,
) -> LossReport:
    """Run the model over `batches`; without `forward_only` leave reduced gradients behind.

    `chunks` are this rank's part of the model; `before_pass` is called before each passes a
    microbatch. `passes` gets the report of each of this rank's passes, on the last pipeline stage.
    Returns the mean over the tokens of all ranks, on all ranks.
    """
    # Every chunk sees every microbatch, a few of them after another chunk.
    numbered = [enumerate(part) for part in tee(batches, len(chunks))]
    reports: Sequence[Tensor] = get_forward_backward_func()(
        forward_step_func=partial(_forward, shape=shape, before_pass=before_pass),
        data_iterator=numbered if len(chunks) > 1 else numbered[0],
        model=list(chunks),
        num_microbatches=num_microbatches,
        # What pipeline stages send each other: segments travel as one row, however many windows.
        seq_length=shape.seq_length * (shape.micro_batch_size if shape.has_segments else 1),
        micro_batch_size=1 if shape.has_segments else shape.micro_batch_size,
        forward_only=forward_only,
    )
    if passes is not None:
        passes.extend(reports)
    total = reduce_reports(reports, num_languages=len(shape.languages), device=shape.device)
    return total_to_report(total, shape.languages)


def _forward(
    batches: Iterator[tuple[int, Batch]],
    model: DistributedDataParallel,
    *,
    shape: StepShape,
    before_pass: BeforePass,
) -> tuple[Tensor, LossFunction]:
    number, batch = next(batches)
    before_pass(number)
    segments = None
    if shape.has_segments:
        segments = segments_of(batch, shape.device)
        batch = packed(batch)
    batch = context_share(
        batch,
        context_rank=parallel_state.get_context_parallel_rank(),
        context_size=parallel_state.get_context_parallel_world_size(),
    ).to(shape.device)
    output = model(
        batch.tokens, batch.position_ids, None, labels=batch.labels, packed_seq_params=segments
    )
    return output, partial(sum_losses, batch=batch, num_languages=len(shape.languages))


def segments_of(batch: Batch, device: torch.device) -> PackedSeqParams:
    """The segments of a batch in megatron-core's words; every stage of a pipeline needs them.

    Computed where the batch was made, before it moves: the longest is wanted as a number, and
    asking a GPU for it would wait for all queued work.
    """
    ends = segment_ends(batch)
    longest = int(ends.diff().max())
    ends = to_device(ends, device)
    return PackedSeqParams(
        qkv_format="thd",
        cu_seqlens_q=ends,
        cu_seqlens_kv=ends,
        max_seqlen_q=longest,
        max_seqlen_kv=longest,
    )
