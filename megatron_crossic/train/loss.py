"""The loss: a mean over the tokens of the global batch, the same number at every layout.

Every rank sums; megatron-core divides the gradients once by the number of tokens of all ranks.
The sums that are reported travel in double precision, one pair (sum, count) a part: a language in
one of its roles, such as the English source texts. `[SPLIT]` is a part without language.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.distributed as dist
from megatron.core import parallel_state
from torch import Tensor

from megatron_crossic.data.spans import Role
from megatron_crossic.train.batches import Batch

SUM, COUNT = 0, 1


@dataclass(frozen=True, kw_only=True, slots=True)
class LossReport:
    """Mean negative log-likelihood in nats a token."""

    loss: float
    """Over every token with loss; NaN where there is none."""
    loss_by_language: dict[str, float]
    """Over the tokens of each language; languages without tokens are left out."""
    loss_by_part: dict[str, float]
    """Over those of each language in each role, as `en source`, and of `split`."""
    num_tokens: int
    """Tokens with loss."""


class HasLosses(Protocol):
    """A step or a validation."""

    @property
    def loss_by_language(self) -> dict[str, float]: ...

    @property
    def loss_by_part(self) -> dict[str, float]: ...


def num_parts(num_languages: int) -> int:
    """How many parts there can be; tokens in no language have roles of their own."""
    return (num_languages + 1) * len(Role)


def sum_losses(
    losses: Tensor, batch: Batch, *, num_languages: int
) -> tuple[Tensor, Tensor, Tensor]:
    """What megatron-core's schedule asks of a loss function: sum, number of tokens, report.

    `losses` is [batch, seq]. The report is [2, parts] in double precision: sums and counts of each
    part in the order of `Batch.parts`, those of tokens in no language last.
    """
    masked = losses * batch.loss_mask
    report = masked.new_zeros((2, num_parts(num_languages)), dtype=torch.float64)
    parts = batch.parts.flatten()
    report[SUM].index_add_(0, parts, masked.detach().flatten().double())
    report[COUNT].index_add_(0, parts, batch.loss_mask.flatten().double())
    return masked.sum(), batch.loss_mask.sum().int(), report


def reduce_reports(
    reports: Sequence[Tensor], *, num_languages: int, device: torch.device
) -> Tensor:
    """Add the microbatches' reports of all data ranks; every rank gets them from the last stage."""
    total = torch.zeros((2, num_parts(num_languages)), dtype=torch.float64, device=device)
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
    """Sums and counts [2, parts] -> means."""
    by_part = total.cpu().view(2, -1, len(Role))  # [2, languages + 1, roles]
    num_tokens = float(by_part[COUNT].sum())
    return LossReport(
        loss=float(by_part[SUM].sum()) / num_tokens if num_tokens else float("nan"),
        loss_by_language=_means(by_part.sum(2)[:, :-1], languages),
        loss_by_part=_means(
            torch.cat([by_part[:, :-1].flatten(1), by_part[:, -1:, Role.SPLIT]], dim=1),
            [*(f"{name} {role.name.lower()}" for name in languages for role in Role), "split"],
        ),
        num_tokens=int(num_tokens),
    )


def _means(total: Tensor, names: Sequence[str]) -> dict[str, float]:
    """Sums and counts [2, names] -> the means of those that have tokens."""
    sums, counts = total.tolist()
    return {name: sums[i] / counts[i] for i, name in enumerate(names) if counts[i]}


def losses_by_name(report: HasLosses) -> str:
    """` (en 3.100, es 3.310)`, by part where a language has several; empty where there is none."""
    texts = {name: loss for name, loss in report.loss_by_part.items() if name != "split"}
    named = texts if len(texts) > len(report.loss_by_language) else report.loss_by_language
    said = ", ".join(f"{name} {loss:.3f}" for name, loss in named.items())
    return f" ({said})" if said else ""
