"""A run that is killed at random moments ends like one that is not; `tests/chaos.py` does more."""

from pathlib import Path

import pytest
from chaos import MODES, NUM_RANKS, assert_equal, chaos_config, killed_config, survive
from tiny_runs import run_ranks, run_training


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_run_killed_three_times_ends_bit_for_bit_alike(
    inputs: Path, tmp_path: Path, asynchronous: bool
) -> None:
    quiet = chaos_config(inputs, tmp_path / "quiet", num_steps=30)
    run_ranks(NUM_RANKS, tmp_path / "quiet.log", run_training, quiet)
    killed = killed_config(quiet, tmp_path / "killed", asynchronous=asynchronous)
    kills = survive(killed, num_kills=3, seed=1)
    assert sorted(kill.victims for kill in kills) == sorted(MODES)
    assert assert_equal(quiet, killed) > 20
