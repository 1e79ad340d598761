"""Ratio margin: how much closer two texts are than each is to others (arXiv 1811.01136, eq. 3).

A passage about everything is near every query, and a query in a crowded part of the space is near
many passages; both look good by similarity alone. The margin divides by what is usual there.

    margin(x, y) = cos(x, y) / ((mean of x's k nearest + mean of y's k nearest) / 2)

Worked example, k = 4. A document has neighbours at 0.80, 0.60, 0.50, 0.50: mean 0.60. Its first
passage has the documents at 0.80, 0.50, 0.40, 0.30 nearest: mean 0.50. The margin of the two is
0.80 / 0.55 = 1.45. A passage that is near to all documents, 0.80, 0.80, 0.80, 0.80, makes it
0.80 / 0.70 = 1.14.
"""

import numpy as np
from numpy.typing import NDArray

NEIGHBOURS = 4
"""The k of the paper that introduced it."""

_LEAST_SCORE = -1e30
"""An index pads with -inf or the least number of its type where it has fewer neighbours."""


def mean_of_neighbours(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """The mean similarity of each text's nearest neighbours.  # [n, k] -> [n]

    Neighbours that do not exist (NaN, -inf or the least float32) count neither above nor below the
    line; a text without any has mean 0.
    """
    exists = scores > _LEAST_SCORE  # False for NaN
    sums = np.where(exists, scores, 0).sum(axis=1, dtype=np.float64)
    return np.asarray(sums / np.maximum(exists.sum(axis=1), 1))


def ratio_margin(
    similarity: NDArray[np.floating],
    forward_mean: NDArray[np.floating],
    backward_mean: NDArray[np.floating],
) -> NDArray[np.float64]:
    """The margin of candidates; each argument has one number a candidate.  # [c] -> [c]

    `forward_mean` is that of the query's nearest passages, `backward_mean` that of the passage's
    nearest queries. Where their mean is not positive the ratio says nothing and is 0.
    """
    usual = (forward_mean.astype(np.float64) + backward_mean) / 2
    positive = usual > 0
    ratio = similarity / np.where(positive, usual, 1.0)
    return np.where(positive, ratio, 0.0)
