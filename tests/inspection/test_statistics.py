"""Counts over windows, against counting by hand."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inspected_windows import Chunk, record, write_data_set

from megatron_crossic.data.spans import Role
from megatron_crossic.inspection.statistics import Statistics, count_windows, ratio_bins

SOURCE, TARGET = Role.SOURCE, Role.TARGET


def occurring(counts: np.ndarray) -> dict[int, int]:
    return {int(value): int(counts[value]) for value in np.flatnonzero(counts)}


def ratios(statistics: Statistics) -> dict[float, int]:
    """Lower edge of each bar that has something, as a ratio."""
    return {float(2 ** ratio_bins()[i]): n for i, n in occurring(statistics.ratios).items()}


def test_counts_of_two_windows(tmp_path: Path) -> None:
    windows: list[list[Chunk]] = [
        [
            (0, [(SOURCE, "en", "aaaa"), (TARGET, "es", "bb")]),
            (0, [(SOURCE, "en", "a"), (TARGET, "es", "b"), (SOURCE, "en", "a")]),
        ],
        [(1, [(SOURCE, "en", "aaaa"), (TARGET, "es", "bbbb"), (TARGET, "ar", "c" * 8)])],
        [(1, [(TARGET, "es", "bbbbb")])],
    ]
    store, _ = write_data_set(tmp_path / "x", windows, [record("a"), record("b")], seq_length=20)
    found = count_windows(store)
    assert (found.num_windows, found.num_counted) == (3, 3)
    assert occurring(found.filled) == {11: 1, 17: 1, 6: 1}
    assert occurring(found.chunk_tokens) == {6: 1, 3: 1, 16: 1, 5: 1}
    assert ratios(found) == {0.5: 2, 1.0: 1, 2.0: 1}
    assert found.chunks_of_one_side == 1
    assert found.language_tokens.tolist() == [10, 12, 8]


LENGTHS = st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(any)
WINDOWS = st.lists(st.lists(LENGTHS, min_size=1, max_size=3), min_size=1, max_size=5)


@given(WINDOWS, st.integers(1, 7))
def test_nothing_is_lost_in_any_block_size(
    tmp_path_factory: pytest.TempPathFactory,
    windows: list[list[tuple[int, int]]],
    most: int,
) -> None:
    chunks: list[list[Chunk]] = [
        [(0, [p for p in ((SOURCE, "en", "a" * s), (TARGET, "es", "b" * t)) if p[2]]) for s, t in w]
        for w in windows
    ]
    prefix = tmp_path_factory.mktemp("x") / "x"
    store, _ = write_data_set(prefix, chunks, [record("a")], seq_length=80)
    found = count_windows(store)
    pairs = [pair for window in windows for pair in window]
    both = [(s, t) for s, t in pairs if s and t]
    assert found.filled.sum() == found.num_counted == len(windows)
    assert found.chunk_tokens @ np.arange(81) == sum(map(sum, pairs))
    assert found.language_tokens.sum() == sum(map(sum, pairs))
    assert found.ratios.sum() == len(both) == len(pairs) - found.chunks_of_one_side
    nearest = [min(max(math.floor(math.log2(t / s) * 8) / 8, -3), 3 - 1 / 8) for s, t in both]
    assert sorted(nearest) == sorted(np.repeat(ratio_bins(), found.ratios).tolist())
    fewer = count_windows(store, most_windows=most)
    assert 1 <= fewer.num_counted <= most
    assert (fewer.num_windows, fewer.filled.sum()) == (len(windows), fewer.num_counted)
