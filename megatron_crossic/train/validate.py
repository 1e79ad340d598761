"""Loss on held-out windows: every window once, nothing changed."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from megatron.core.distributed import DistributedDataParallel

from megatron_crossic.config import AttentionScope, LossOn
from megatron_crossic.train.batches import Batch, windows_to_batch
from megatron_crossic.train.dataset import WindowData
from megatron_crossic.train.loss import LossReport
from megatron_crossic.train.order import BatchShare
from megatron_crossic.train.step import StepShape, run_microbatches


def validate(
    model: DistributedDataParallel,
    windows: WindowData,
    share: BatchShare,
    shape: StepShape,
    *,
    split_loss: bool,
    loss_on: LossOn = "all",
    attention_scope: AttentionScope = "window",
) -> LossReport:
    """The loss over all of `windows`, the same at every layout."""
    per_pass = share.micro_batch_size * share.data_size
    with _without_training(model):
        return run_microbatches(
            model,
            validation_batches(
                windows,
                share,
                split_loss=split_loss,
                loss_on=loss_on,
                attention_scope=attention_scope,
            ),
            shape,
            num_microbatches=-(-len(windows) // per_pass),
            forward_only=True,
        )


def validation_batches(
    windows: WindowData,
    share: BatchShare,
    *,
    split_loss: bool,
    loss_on: LossOn = "all",
    attention_scope: AttentionScope = "window",
) -> Iterator[Batch]:
    """This rank's microbatches.

    With 5 windows and passes of 2 ranks * 2 windows, the second pass reads window 4 and fills the
    other three places with window 0 without loss, so that all ranks do the same number of passes.
    """
    per_pass = share.micro_batch_size * share.data_size
    for first in range(0, len(windows), per_pass):
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
def _without_training(model: DistributedDataParallel) -> Iterator[None]:
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train()
