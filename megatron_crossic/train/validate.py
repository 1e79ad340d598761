"""Loss on held-out windows: every window once, nothing changed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from megatron.core import parallel_state
from megatron.core.distributed import DistributedDataParallel

from megatron_crossic.config import AttentionScope, LossOn
from megatron_crossic.train.batches import Batch, windows_to_batch
from megatron_crossic.train.dataset import Windows
from megatron_crossic.train.loss import LossReport
from megatron_crossic.train.optimizer import gathered_weights
from megatron_crossic.train.order import BatchShare
from megatron_crossic.train.step import StepShape, run_microbatches


def validate(
    chunks: Sequence[DistributedDataParallel],
    windows: Windows,
    share: BatchShare,
    shape: StepShape,
    *,
    split_loss: bool,
    loss_on: LossOn = "all",
    attention_scope: AttentionScope = "window",
) -> LossReport:
    """The loss over all of `windows`, the same at every layout."""
    # Interleaved stages work in rounds of as many passes as there are stages.
    stages = parallel_state.get_pipeline_model_parallel_world_size() if len(chunks) > 1 else 1
    per_round = share.micro_batch_size * share.data_size * stages
    num_microbatches = -(-len(windows) // per_round) * stages
    with _without_training(chunks), gathered_weights(chunks):
        return run_microbatches(
            chunks,
            validation_batches(
                windows,
                share,
                split_loss=split_loss,
                loss_on=loss_on,
                attention_scope=attention_scope,
                num_microbatches=num_microbatches,
            ),
            shape,
            num_microbatches=num_microbatches,
            forward_only=True,
        )


def validation_batches(
    windows: Windows,
    share: BatchShare,
    *,
    split_loss: bool,
    num_microbatches: int,
    loss_on: LossOn = "all",
    attention_scope: AttentionScope = "window",
) -> Iterator[Batch]:
    """This rank's microbatches.

    With 5 windows and passes of 2 ranks * 2 windows, the second pass reads window 4 and fills the
    other three places with window 0 without loss, so that all ranks do the same number of passes.
    """
    per_pass = share.micro_batch_size * share.data_size
    for first in range(0, num_microbatches * per_pass, per_pass):
        start = first + share.data_rank * share.micro_batch_size
        numbers = range(start, start + share.micro_batch_size)
        real = [number for number in numbers if number < len(windows)]
        filled = [*real, *[0] * (share.micro_batch_size - len(real))]
        batch = windows_to_batch(
            [windows[i] for i in filled],
            split_loss=split_loss,
            loss_on=loss_on,
            attention_scope=attention_scope,
        )
        yield batch.without_loss(len(real))


@contextmanager
def _without_training(chunks: Sequence[DistributedDataParallel]) -> Iterator[None]:
    for chunk in chunks:
        chunk.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for chunk in chunks:
            chunk.train()
