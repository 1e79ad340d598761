"""Which windows a step reads.

Depends on the seed, the number of windows of each data set and their weights, on nothing else:
whatever the layout, the microbatches, and wherever a run resumes, a step reads the same windows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.train.blend import Blend, weights_to_shares


class Order(Protocol):
    """An endless order of windows, read a step at a time."""

    def global_batch(self, *, step: int, size: int) -> NDArray[np.int64]:
        """The windows of `step`, counted from 1  # [size]."""
        ...

    def counts(self, num_windows: int) -> tuple[float, ...]:
        """How many of the first `num_windows` come from each data set."""
        ...


def make_order(*, sizes: Sequence[int], weights: Sequence[float], seed: int) -> Order:
    """The order over data sets of `sizes` windows; without weights all are shuffled together."""
    if not weights:
        return WindowOrder(num_windows=sum(sizes), seed=seed, sizes=tuple(sizes))
    sets = tuple(
        WindowOrder(num_windows=size, seed=seed, stream=number) for number, size in enumerate(sizes)
    )
    return BlendedOrder(blend=Blend(weights_to_shares(weights)), sets=sets)


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowOrder:
    """Epoch after epoch, each a permutation of all windows of its own.

    Epochs follow each other without a gap: with 5 windows and steps of 3, step 2 reads the last two
    windows of epoch 0 and the first of epoch 1.
    """

    num_windows: int
    seed: int
    stream: int = 0
    """Sets of a blend have numbers, so that two of the same size are not shuffled alike."""
    sizes: tuple[int, ...] = ()
    """Windows of each data set, where several are shuffled together."""
    _recent: dict[int, NDArray[np.int64]] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )
    """Permutations of the two epochs used last: 80 MB each at ten million windows."""

    def global_batch(self, *, step: int, size: int) -> NDArray[np.int64]:
        """The windows of `step`, counted from 1  # [size]."""
        return self.windows(np.arange((step - 1) * size, step * size))

    def counts(self, num_windows: int) -> tuple[float, ...]:
        """How many of the first `num_windows` come from each data set, on average."""
        sizes = self.sizes or (self.num_windows,)
        return tuple(num_windows * size / self.num_windows for size in sizes)

    def windows(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """The windows at these places of the endless order, counted from 0."""
        epochs, inside = np.divmod(places, self.num_windows)
        windows = np.empty(len(places), dtype=np.int64)
        for epoch in np.unique(epochs):
            here = epochs == epoch
            windows[here] = self._permutation(int(epoch))[inside[here]]
        return windows

    def _permutation(self, epoch: int) -> NDArray[np.int64]:
        if epoch not in self._recent:
            if len(self._recent) == 2:
                self._recent.pop(min(self._recent))
            # Trailing zeros do not count for numpy: stream 0 is shuffled as if there were none.
            random = np.random.default_rng([self.seed, epoch, self.stream])
            self._recent[epoch] = random.permutation(self.num_windows)
        return self._recent[epoch]


@dataclass(frozen=True, kw_only=True, slots=True)
class BlendedOrder:
    """Data sets by weight, each in an endless order of its own.

    A set that is small for its weight comes round more often; one that is large may never end.
    """

    blend: Blend
    sets: tuple[WindowOrder, ...]

    def global_batch(self, *, step: int, size: int) -> NDArray[np.int64]:
        """The windows of `step`, counted from 1, numbered through all sets  # [size]."""
        sets, draws = self.blend.at(np.arange((step - 1) * size, step * size))
        windows = np.empty(size, dtype=np.int64)
        firsts = accumulate((order.num_windows for order in self.sets), initial=0)
        for number, (first, order) in enumerate(zip(firsts, self.sets, strict=False)):
            here = sets == number
            windows[here] = first + order.windows(draws[here])
        return windows

    def counts(self, num_windows: int) -> tuple[float, ...]:
        """How many of the first `num_windows` come from each data set."""
        return self.blend.counts(num_windows)


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchShare:
    """The part of every global batch that one data-parallel rank reads."""

    data_rank: int
    data_size: int
    micro_batch_size: int

    def microbatches(self, windows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """This rank's microbatches, in order.

        With 8 windows, 2 ranks and microbatches of 2, rank 0 reads windows 0 1, then 4 5; rank 1
        reads 2 3, then 6 7.
        """
        grouped = windows.reshape(-1, self.data_size, self.micro_batch_size)
        return list(grouped[:, self.data_rank])

    def first_position(self, *, microbatch: int) -> int:
        """Where in the global batch a microbatch of this rank begins; it is contiguous there.

        In the example above microbatch 1 of rank 1 begins at position 6.
        """
        return (microbatch * self.data_size + self.data_rank) * self.micro_batch_size
