"""Which data set each window of a blend comes from.

Weights are taken as the decimals they are written as, so shares are whole numbers: 0.7, 0.2 and 0.1
are 7, 2 and 1 windows of every 10. The pattern of one such period is worked out once and repeats,
so any place of the order is found directly: a resumed run replays nothing.

The law: after n windows, for every n, a set of share s out of p has given floor(n s / p) or
ceil(n s / p) of them, so none is ever a whole window away from its due. Always taking from the set
that is furthest behind does not keep it (with many small sets beside a large one they come due
together). The pattern does: the j-th window of a set (from 0) may come at places floor(j p / s) to
ceil((j + 1) p / s) - 1, and of the windows that may come, the one that must come soonest does.
Such places can always be found (Baruah, Cohen, Plaxton, Varvel 1996, "Proportionate progress"), and
soonest first finds them wherever they exist for jobs of one length on one machine.
"""

import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.errors import ConfigError

MAX_PERIOD = 1_000_000
"""Windows after which a pattern must repeat: 6 bytes each, and a second of work in all."""


def weights_to_shares(weights: Sequence[float]) -> tuple[int, ...]:
    """The smallest whole numbers in the same proportion; `ConfigError` where they are large."""
    exact = [Fraction(str(weight)) for weight in weights]
    scale = math.lcm(*(fraction.denominator for fraction in exact))
    counts = [int(fraction * scale) for fraction in exact]
    divisor = math.gcd(*counts)
    shares = tuple(count // divisor for count in counts)
    if sum(shares) > MAX_PERIOD:
        raise ConfigError(
            f"data.weights must be in a proportion that repeats within {MAX_PERIOD:,} windows, got "
            f"{', '.join(map(str, weights))}, which takes {sum(shares):,}. Round them to fewer "
            "digits."
        )
    return shares


@dataclass(frozen=True)
class Blend:
    """An endless sequence of sets, each with its share."""

    shares: tuple[int, ...]
    """Windows of each set in a period."""

    @property
    def period(self) -> int:
        """Windows after which the pattern repeats."""
        return sum(self.shares)

    def at(self, places: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For every place the set it takes from, and how many that set gave before."""
        rounds, inside = np.divmod(places, self.period)
        sets = self._sets[inside].astype(np.int64)
        return sets, rounds * np.array(self.shares)[sets] + self._draws[inside]

    def counts(self, num_windows: int) -> tuple[int, ...]:
        """How many of the first `num_windows` come from each set."""
        rounds, rest = divmod(num_windows, self.period)
        of_rest = np.bincount(self._sets[:rest], minlength=len(self.shares)).tolist()
        return tuple(
            rounds * share + more for share, more in zip(self.shares, of_rest, strict=True)
        )

    @cached_property
    def _sets(self) -> NDArray[np.uint16]:
        """The set at every place of a period  # [period]."""
        return np.fromiter(_soonest_first(self.shares), dtype=np.uint16, count=self.period)

    @cached_property
    def _draws(self) -> NDArray[np.int32]:
        """At every place, how often its set came before in the period  # [period]."""
        draws = np.empty(self.period, dtype=np.int32)
        for number, share in enumerate(self.shares):
            draws[self._sets == number] = np.arange(share)
        return draws


def _soonest_first(shares: Sequence[int]) -> Iterator[int]:
    """The sets of one period in order.

    Shares 2 and 1: windows of the first set may come at places 0-1 and 1-2, that of the second at
    0-2. Place 0 takes from the first (it must come by 1), place 1 too (by 2, as must the second;
    the earlier set wins), place 2 from the second.
    """
    period = sum(shares)
    waiting = [(0, number, 0) for number in range(len(shares))]  # (may come from, set, window)
    ready: list[tuple[int, int, int]] = []  # (must come before, set, window)
    for place in range(period):
        while waiting and waiting[0][0] <= place:
            _, number, window = heapq.heappop(waiting)
            before = -(-(window + 1) * period // shares[number])
            heapq.heappush(ready, (before, number, window))
        before, number, window = heapq.heappop(ready)
        assert place < before, "a window came too late"
        if window + 1 < shares[number]:
            start = (window + 1) * period // shares[number]
            heapq.heappush(waiting, (start, number, window + 1))
        yield number
