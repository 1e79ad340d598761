"""Which windows a step reads. Depends on the seed and the number of windows, on nothing else."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowOrder:
    """Epoch after epoch, each a permutation of all windows of its own.

    Epochs follow each other without a gap: with 5 windows and steps of 3, step 2 reads the last two
    windows of epoch 0 and the first of epoch 1.
    """

    num_windows: int
    seed: int

    def global_batch(self, *, step: int, size: int) -> NDArray[np.int64]:
        """The windows of `step`, counted from 1  # [size]."""
        positions = np.arange((step - 1) * size, step * size)
        epochs, places = np.divmod(positions, self.num_windows)
        windows = np.empty(size, dtype=np.int64)
        for epoch in np.unique(epochs):
            inside = epochs == epoch
            windows[inside] = self._permutation(int(epoch))[places[inside]]
        return windows

    def _permutation(self, epoch: int) -> NDArray[np.int64]:
        return _permutation(self.num_windows, self.seed, epoch)


@lru_cache(maxsize=2)  # 8 bytes a window: 80 MB at ten million windows, twice at the seam
def _permutation(num_windows: int, seed: int, epoch: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, epoch]).permutation(num_windows)


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
