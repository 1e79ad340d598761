"""Rates, spreads and shares by hand."""

import pytest

from megatron_crossic.profiling.figures import (
    Spread,
    Work,
    bubble_share,
    joules_per_token,
    rates,
    shares,
)
from megatron_crossic.profiling.parts import PARTS

WORK = Work(
    seq_length=8192,
    global_batch_size=64,
    num_devices=8,
    flops_per_token_causal=51_470_000_000,
    flops_per_token_full=57_910_000_000,
    peak_flops=989e12,
    num_tokens=64 * 8192,
)


def test_the_spread_of_five_steps() -> None:
    spread = Spread.of([5.0, 1.0, 2.0, 4.0, 3.0])
    assert (spread.median, spread.q1, spread.q3, spread.iqr) == (3, 2, 4, 2)
    assert (spread.min, spread.max, spread.mean) == (1, 5, 3)


def test_rates_of_eight_gpus() -> None:
    # 64 windows of 8,192 tokens in 6.5536 s: 80,000 tokens/s, 10,000 a GPU, times 51.47 GFLOP.
    found = rates(WORK, seconds=6.5536)
    assert found["tokens_per_second"] == pytest.approx(80_000)
    assert found["tokens_per_second_per_device"] == pytest.approx(10_000)
    assert found["tflops_causal"] == pytest.approx(514.7)
    assert found["tflops_full"] == pytest.approx(579.1)
    assert found["mfu_causal"] == pytest.approx(514.7 / 989)
    assert found["mfu_full"] == pytest.approx(579.1 / 989)


def parts(**seconds: float) -> dict[str, float]:
    return dict.fromkeys(PARTS, 0.0) | seconds


def test_shares_of_the_mean_rank_and_of_the_busiest() -> None:
    idle, busy = parts(forward=1, bubble=3), parts(forward=3, gradients=1)
    found = shares([idle, busy])
    assert found["busiest_rank"] == 1
    assert found["busiest"] == parts(forward=0.75, gradients=0.25)
    assert found["mean"] == parts(forward=0.5, gradients=0.125, bubble=0.375)
    assert found["communication"] == 0.125
    (one,) = (shares([parts(gradients=1, tensor=2, transfer=4, forward=1)]),)
    assert one["communication"] == 7 / 8


def test_the_bubble_is_a_share_of_the_passes_alone() -> None:
    one = parts(forward=3, backward=3, bubble=2, optimizer=100, gradients=100, rest=100)
    assert bubble_share([one, one]) == 2 / 8


def test_energy_needs_every_device() -> None:
    found = joules_per_token([300.0, 500.0], [None, None], num_tokens=1000)
    assert found == {"joules_per_token": 0.8, "reason": None}
    missing = joules_per_token([300.0, None], [None, "no NVML"], num_tokens=1000)
    assert missing == {"joules_per_token": None, "reason": "no NVML"}
