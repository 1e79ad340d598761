"""Blends: every set has its share at every moment, and everyone sees the same order."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from megatron_crossic.errors import ConfigError
from megatron_crossic.train.blend import Blend, weights_to_shares
from megatron_crossic.train.order import BatchShare, BlendedOrder, make_order

SHARES = st.lists(st.integers(1, 60), min_size=1, max_size=12).map(tuple)


def sets_of(blend: Blend, num_windows: int) -> list[int]:
    return blend.at(np.arange(num_windows))[0].tolist()


def test_a_blend_one_can_check_by_eye() -> None:
    assert weights_to_shares([0.7, 0.2, 0.1]) == (7, 2, 1)
    assert weights_to_shares([1, 1.5]) == (2, 3)
    assert sets_of(Blend((2, 1)), 6) == [0, 0, 1, 0, 0, 1]
    assert sets_of(Blend((1, 1)), 4) == [0, 1, 0, 1]
    sets, draws = Blend((2, 1)).at(np.arange(3, 6))
    assert sets.tolist() == [0, 0, 1]
    assert draws.tolist() == [2, 3, 1]


@given(shares=SHARES)
def test_no_set_is_ever_a_window_away_from_its_share(shares: tuple[int, ...]) -> None:
    blend = Blend(shares)
    period = blend.period
    chosen = np.array(sets_of(blend, 2 * period))
    num = np.arange(1, 2 * period + 1)
    for number, share in enumerate(shares):
        behind = num * share - period * np.cumsum(chosen == number)  # in windows / period
        assert np.abs(behind).max() < period


def test_many_small_sets_beside_a_large_one_keep_the_law() -> None:
    """Taken by largest deficit, the small ones would all come due at once."""
    blend = Blend((900, *[10] * 10))
    chosen = np.array(sets_of(blend, 1000))
    num = np.arange(1, 1001)
    assert np.abs(num * 0.9 - np.cumsum(chosen == 0)).max() < 1


@given(shares=SHARES, start=st.integers(0, 500), size=st.integers(1, 50))
def test_any_place_is_found_without_the_ones_before(
    shares: tuple[int, ...], start: int, size: int
) -> None:
    blend = Blend(shares)
    sets, draws = blend.at(np.arange(start + size))
    seen: Counter[int] = Counter()
    for number, draw in zip(sets.tolist(), draws.tolist(), strict=True):
        assert draw == seen[number]
        seen[number] += 1
    assert blend.counts(start + size) == tuple(seen[i] for i in range(len(shares)))
    later = blend.at(np.arange(start, start + size))
    assert later[0].tolist() == sets[start:].tolist()
    assert later[1].tolist() == draws[start:].tolist()


def test_each_set_is_shuffled_by_epoch() -> None:
    order = make_order(sizes=[5, 50], weights=[1, 1], seed=0)
    windows = np.concatenate([order.global_batch(step=s, size=4) for s in range(1, 26)])
    small, large = windows[windows < 5], windows[windows >= 5]
    epochs = small.reshape(10, 5)
    assert (np.sort(epochs) == np.arange(5)).all()
    assert len({tuple(epoch) for epoch in epochs.tolist()}) > 5
    assert sorted(large.tolist()) == list(range(5, 55))
    assert large.tolist() != sorted(large.tolist())


def test_sets_of_one_size_are_not_shuffled_alike() -> None:
    order = make_order(sizes=[50, 50], weights=[1, 1], seed=0)
    windows = order.global_batch(step=1, size=100)
    assert (windows[windows < 50]).tolist() != (windows[windows >= 50] - 50).tolist()


@pytest.mark.parametrize("weights", [(), (5, 3, 2)])
@given(micro_batch_size=st.sampled_from([1, 2]), resumed=st.integers(1, 6))
def test_ranks_and_resumed_runs_see_the_same_global_batches(
    weights: tuple[float, ...], micro_batch_size: int, resumed: int
) -> None:
    """One rank from step 1; two ranks up to `resumed`, four ranks in a new process after it."""

    def read(step: int, data_size: int) -> list[int]:
        order = make_order(sizes=[7, 30, 11], weights=weights, seed=3)  # knows nothing yet
        shares = [
            BatchShare(data_rank=rank, data_size=data_size, micro_batch_size=micro_batch_size)
            for rank in range(data_size)
        ]
        parts = [share.microbatches(order.global_batch(step=step, size=8)) for share in shares]
        return [w for passes in zip(*parts, strict=True) for part in passes for w in part.tolist()]

    whole = make_order(sizes=[7, 30, 11], weights=weights, seed=3)
    expected = [whole.global_batch(step=step, size=8).tolist() for step in range(1, 8)]
    seen = [read(step, 2 if step <= resumed else 4) for step in range(1, 8)]
    assert seen == expected
    assert len({tuple(batch) for batch in expected}) == 7


def test_the_order_of_a_blend_does_not_depend_on_the_batch_size() -> None:
    order = make_order(sizes=[9, 4], weights=[3, 1], seed=0)
    assert isinstance(order, BlendedOrder)
    small = [w for s in range(1, 5) for w in order.global_batch(step=s, size=3).tolist()]
    assert small == order.global_batch(step=1, size=12).tolist()
    assert order.counts(12) == (9, 3)


def test_weights_that_hardly_ever_repeat_are_refused() -> None:
    assert sum(weights_to_shares([0.123456, 0.876544])) < 1_000_000
    with pytest.raises(ConfigError, match=r"repeats within 1,000,000 windows, got 1.0, 0.1234567"):
        weights_to_shares([1.0, 0.1234567])
