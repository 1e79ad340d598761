"""The order of windows: every window once an epoch, the same at every layout."""

from itertools import chain

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from megatron_crossic.train.order import BatchShare, WindowOrder


def read(order: WindowOrder, *, steps: int, size: int) -> list[int]:
    batches = (order.global_batch(step=step, size=size) for step in range(1, steps + 1))
    return list(chain.from_iterable(batch.tolist() for batch in batches))


@given(
    num_windows=st.integers(1, 30),
    size=st.integers(1, 12),
    epochs=st.integers(1, 3),
    seed=st.integers(0, 5),
)
def test_each_epoch_reads_every_window_once(
    num_windows: int, size: int, epochs: int, seed: int
) -> None:
    order = WindowOrder(num_windows=num_windows, seed=seed)
    steps = -(-num_windows * epochs // size)
    windows = read(order, steps=steps, size=size)
    for epoch in range(epochs):
        part = windows[epoch * num_windows : (epoch + 1) * num_windows]
        assert sorted(part) == list(range(num_windows))


def test_the_order_does_not_depend_on_the_batch_size() -> None:
    order = WindowOrder(num_windows=7, seed=3)
    assert read(order, steps=12, size=2) == read(order, steps=2, size=12)


def test_epochs_and_seeds_shuffle_anew() -> None:
    first = read(WindowOrder(num_windows=50, seed=0), steps=2, size=50)
    assert first[:50] != first[50:]
    assert first[:50] != list(range(50))
    assert first != read(WindowOrder(num_windows=50, seed=1), steps=2, size=50)


def test_ranks_share_a_batch_in_fixed_slices() -> None:
    windows = np.arange(8)
    shares = [BatchShare(data_rank=r, data_size=2, micro_batch_size=2) for r in range(2)]
    read_by = [[m.tolist() for m in share.microbatches(windows)] for share in shares]
    assert read_by == [[[0, 1], [4, 5]], [[2, 3], [6, 7]]]


def test_a_microbatch_is_contiguous_in_the_global_batch() -> None:
    windows = np.arange(8)
    for rank in range(2):
        share = BatchShare(data_rank=rank, data_size=2, micro_batch_size=2)
        for i, numbers in enumerate(share.microbatches(windows)):
            first = share.first_position(microbatch=i)
            assert numbers.tolist() == [first, first + 1]
