"""Segments: the stretches of a window within which tokens attend to each other.

    scope    BOS source target SPLIT source target SPLIT source target SPLIT PAD
             ─── ── chunk 0, pair 0 ── ── chunk 1, pair 0 ── ── chunk 2, pair 1 ── ───
    window   0                                                                        one segment
    pair     0                                              1                     2
    chunk    0                       1                      2                     3

BOS belongs to what follows it. Padding is a segment of its own, so that text is alike whatever
fills the rest. Chunks of a pair that do not stand side by side are apart: a segment is a stretch.
"""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.spans import Role


def restarting_positions(
    lengths: NDArray[np.integer[Any]],
    roles: NDArray[np.integer[Any]],
    owners: NDArray[np.integer[Any]],
) -> NDArray[np.int64]:
    """The place of every token in its segment, from the spans of a window  # [seq].

    `owners` are the chunks or the pairs of the spans. Spans of 1, 2 and 2 tokens where the first is
    BOS and the others are of two chunks: 0 1 2 0 1.
    """
    starts = np.ones(len(lengths), dtype=np.bool_)
    starts[1:] = (owners[1:] != owners[:-1]) & (roles[:-1] != Role.BOS)
    ends: NDArray[np.int64] = np.cumsum(lengths, dtype=np.int64)
    firsts = (ends - lengths)[starts]  # token at which each segment starts
    positions: NDArray[np.int64] = np.arange(ends[-1])
    for first, end in pairwise([*firsts.tolist(), len(positions)]):
        positions[first:end] -= first
    return positions
