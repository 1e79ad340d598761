"""The loss: a mean over the tokens of the global batch, the same number at every layout.

Every rank sums; megatron-core divides the gradients once by the number of tokens of all ranks.
The sums that are reported travel in double precision, one pair (sum, count) a language.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from megatron.core import parallel_state
from torch import Tensor

from megatron_crossic.train.batches import Batch

SUM, COUNT = 0, 1


@dataclass(frozen=True, kw_only=True, slots=True)
class LossReport:
    """Mean negative log-likelihood in nats a token."""

    loss: float
    """Over every token with loss; NaN where there is none."""
    loss_by_language: dict[str, float]
    """Over the tokens of each language; languages without tokens are left out."""
    num_tokens: int
    """Tokens with loss."""


def sum_losses(
    losses: Tensor, batch: Batch, *, num_languages: int
) -> tuple[Tensor, Tensor, Tensor]:
    """What megatron-core's schedule asks of a loss function: sum, number of tokens, report.

    `losses` is [batch, seq]. The report is [2, num_languages + 1] in double precision: sums and
    counts of each language, those of tokens in no language last.
    """
    masked = losses * batch.loss_mask
    report = masked.new_zeros((2, num_languages + 1), dtype=torch.float64)
    languages = batch.languages.flatten()
    report[SUM].index_add_(0, languages, masked.detach().flatten().double())
    report[COUNT].index_add_(0, languages, batch.loss_mask.flatten().double())
    return masked.sum(), batch.loss_mask.sum().int(), report


def reduce_reports(
    reports: Sequence[Tensor], *, num_languages: int, device: torch.device
) -> Tensor:
    """Add the microbatches' reports of all data ranks; every rank gets them from the last stage."""
    total = torch.zeros((2, num_languages + 1), dtype=torch.float64, device=device)
    for report in reports:
        total += report
    if parallel_state.is_pipeline_last_stage():
        dist.all_reduce(
            total, group=parallel_state.get_data_parallel_group(with_context_parallel=True)
        )
    dist.broadcast(
        total,
        src=parallel_state.get_pipeline_model_parallel_last_rank(),
        group=parallel_state.get_pipeline_model_parallel_group(),
    )
    return total


def total_to_report(total: Tensor, languages: Sequence[str]) -> LossReport:
    """Sums and counts [2, languages + 1] -> means."""
    sums, counts = total.tolist()
    num_tokens = sum(counts)
    return LossReport(
        loss=sum(sums) / num_tokens if num_tokens else float("nan"),
        loss_by_language={
            name: sums[i] / counts[i] for i, name in enumerate(languages) if counts[i]
        },
        num_tokens=int(num_tokens),
    )
