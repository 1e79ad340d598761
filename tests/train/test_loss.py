"""Sums and counts by language and role, and the report made of them."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from megatron_crossic.data.spans import Role
from megatron_crossic.train.batches import Batch
from megatron_crossic.train.loss import num_parts, sum_losses, total_to_report

EN, ES, NONE = 0, 1, 2
PARTS = [(EN, Role.SOURCE), (ES, Role.TARGET), (EN, Role.TARGET), (NONE, Role.SPLIT)]


def part(language: int, role: Role) -> int:
    return language * len(Role) + role


def totals(values: dict[tuple[int, Role], tuple[float, float]]) -> torch.Tensor:
    """Sums and counts of the parts given, of two languages."""
    total = torch.zeros(2, num_parts(2), dtype=torch.float64)
    for (language, role), pair in values.items():
        total[:, part(language, role)] = torch.tensor(pair)
    return total


def make_batch(parts: list[tuple[int, Role]], mask: list[float]) -> Batch:
    other = torch.zeros(1, len(parts), dtype=torch.int64)
    return Batch(
        tokens=other,
        labels=other,
        loss_mask=torch.tensor([mask]),
        parts=torch.tensor([[part(*one) for one in parts]]),
        position_ids=other,
    )


def test_sums_by_part_add_up_to_the_loss() -> None:
    mask = [1.0, 1.0, 1.0, 1.0, 0.0]
    source, target, split = PARTS[0], PARTS[1], PARTS[3]
    batch = make_batch([source, target, target, split, source], mask)
    losses = torch.tensor([[1.0, 2.0, 4.0, 8.0, 100.0]], requires_grad=True)
    total, num_tokens, report = sum_losses(losses, batch, num_languages=2)
    assert (total.item(), num_tokens.item()) == (15.0, 4)
    assert num_tokens.dtype == torch.int32
    expected = totals({source: (1.0, 1.0), target: (6.0, 2.0), split: (8.0, 1.0)})
    assert torch.equal(report, expected)
    total.backward()
    assert losses.grad is not None
    assert losses.grad.tolist() == [mask]


@given(
    st.lists(
        st.tuples(st.sampled_from(PARTS), st.sampled_from([0.0, 1.0]), st.integers(0, 1000)),
        min_size=1,
        max_size=30,
    )
)
def test_parts_add_up_to_their_language_and_languages_to_all(
    tokens: list[tuple[tuple[int, Role], float, int]],
) -> None:
    """Means times counts are whole numbers here, so nothing is rounded away."""
    parts, mask, values = (list(column) for column in zip(*tokens, strict=True))
    losses = torch.tensor([values], dtype=torch.float32)
    _, _, total = sum_losses(losses, make_batch(parts, mask), num_languages=2)
    report = total_to_report(total, ["en", "es"])
    counts = {one: sum(m for p, m in zip(parts, mask, strict=True) if p == one) for one in PARTS}
    named = {"en source": PARTS[0], "es target": PARTS[1], "en target": PARTS[2], "split": PARTS[3]}
    sums = {name: loss * counts[named[name]] for name, loss in report.loss_by_part.items()}
    assert set(sums) == {name for name, one in named.items() if counts[one]}
    for language, number in (("en", EN), ("es", ES)):
        count = sum(counts[one] for one in PARTS if one[0] == number)
        assert (language in report.loss_by_language) == bool(count)
        added = sum(value for name, value in sums.items() if name.startswith(language))
        assert report.loss_by_language.get(language, 0.0) * count == pytest.approx(added)
    assert report.num_tokens == sum(mask)
    if report.num_tokens:
        assert report.loss * report.num_tokens == pytest.approx(sum(sums.values()))


def test_means_are_over_tokens_not_over_languages() -> None:
    report = total_to_report(
        totals({PARTS[0]: (1.0, 1.0), PARTS[1]: (6.0, 2.0), PARTS[3]: (8.0, 1.0)}), ["en", "es"]
    )
    assert report.loss == 15 / 4
    assert report.loss_by_language == {"en": 1.0, "es": 3.0}
    assert report.loss_by_part == {"en source": 1.0, "es target": 3.0, "split": 8.0}
    assert report.num_tokens == 4


def test_a_language_without_tokens_is_left_out() -> None:
    report = total_to_report(totals({PARTS[0]: (3.0, 2.0)}), ["en", "es"])
    assert report.loss_by_language == {"en": 1.5}
    assert report.loss_by_part == {"en source": 1.5}


def test_no_tokens_have_no_loss() -> None:
    report = total_to_report(totals({}), ["en", "es"])
    assert math.isnan(report.loss)
    assert (report.num_tokens, report.loss_by_language, report.loss_by_part) == (0, {}, {})
