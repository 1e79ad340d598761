"""A histogram of positive numbers by their logarithm, as fine as quantiles need."""

import math
from collections import Counter

STEPS = 64
"""Bins per doubling: a quantile is right to 0.6 %, half a bin."""


class LogHistogram:
    """Counts numbers of any size; memory grows with the number of doublings they span."""

    def __init__(self) -> None:
        self._bins: Counter[int] = Counter()
        self.total = 0

    def add(self, value: float) -> None:
        """Count a number above 0."""
        self._bins[math.floor(math.log2(value) * STEPS)] += 1
        self.total += 1

    def quantile(self, share: float) -> float | None:
        """The least number that `share` of all do not exceed, to 0.6 %; None of nothing."""
        rank = max(1, math.ceil(share * self.total))
        seen = 0
        for index in sorted(self._bins):
            seen += self._bins[index]
            if seen >= rank:
                return float(2 ** ((index + 0.5) / STEPS))
        return None

    def coarse(self, steps: int) -> dict[int, int]:
        """Counts by floor(log2(number) * steps), for a divisor of `STEPS`."""
        found: Counter[int] = Counter()
        for index, count in self._bins.items():
            found[index * steps // STEPS] += count
        return dict(found)
