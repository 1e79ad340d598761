"""Sums and counts by language, and the report made of them."""

import math

import pytest
import torch

from megatron_crossic.train.batches import Batch
from megatron_crossic.train.loss import sum_losses, total_to_report

EN, ES, NONE = 0, 1, 2


def test_sums_by_language_add_up_to_the_loss() -> None:
    mask = torch.tensor([[1.0, 1.0, 1.0, 1.0, 0.0]])
    other = torch.zeros(1, 5, dtype=torch.int64)
    batch = Batch(
        tokens=other,
        labels=other,
        loss_mask=mask,
        languages=torch.tensor([[EN, ES, ES, NONE, EN]]),
        position_ids=other,
    )
    losses = torch.tensor([[1.0, 2.0, 4.0, 8.0, 100.0]], requires_grad=True)
    total, num_tokens, report = sum_losses(losses, batch, num_languages=2)
    assert (total.item(), num_tokens.item()) == (15.0, 4)
    assert num_tokens.dtype == torch.int32
    assert report.tolist() == [[1.0, 6.0, 8.0], [1.0, 2.0, 1.0]]
    total.backward()
    assert losses.grad is not None
    assert losses.grad.tolist() == mask.tolist()


def test_means_are_over_tokens_not_over_languages() -> None:
    total = torch.tensor([[1.0, 6.0, 8.0], [1.0, 2.0, 1.0]], dtype=torch.float64)
    report = total_to_report(total, ["en", "es"])
    assert report.loss == 15 / 4
    assert report.loss_by_language == {"en": 1.0, "es": 3.0}
    assert report.num_tokens == 4


def test_a_language_without_tokens_is_left_out() -> None:
    total = torch.tensor([[3.0, 0.0, 0.0], [2.0, 0.0, 0.0]], dtype=torch.float64)
    report = total_to_report(total, ["en", "es"])
    assert report.loss_by_language == {"en": 1.5}
    assert report.loss == pytest.approx(1.5)


def test_no_tokens_at_all_is_not_zero_loss() -> None:
    report = total_to_report(torch.zeros(2, 2, dtype=torch.float64), ["en"])
    assert math.isnan(report.loss)
    assert report.num_tokens == 0
