"""The figures of speed: their arithmetic, and whose time they are."""

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_architecture import TINY
from tiny_runs import SEQ_LENGTH, every_step, run_ranks, run_training, tiny_config

from megatron_crossic.backend import select_backend
from megatron_crossic.config import LoraConfig, RunConfig
from megatron_crossic.train import run
from megatron_crossic.train.clock import Spent
from megatron_crossic.train.flops import model_flops_per_token
from megatron_crossic.train.plan import make_plan
from megatron_crossic.train.speed import Speed, speed_of

H100 = Speed(
    flops_per_token=50_000_000_000,
    frozen_weights=False,
    seq_length=8192,
    num_devices=4,
    device_name="NVIDIA H100 80GB HBM3",
    compute="bf16",
    peak=1000e12,
)


def test_the_arithmetic_of_a_device() -> None:
    """40,000 tokens/s on 4 devices are 10,000 on each: 0.5e15 FLOP/s, half of the peak."""
    assert H100.tflops(40_000.0) == pytest.approx(500.0)
    assert H100.mfu(40_000.0) == pytest.approx(0.5)
    assert replace(H100, peak=None).mfu(40_000.0) is None


def test_the_opening_says_what_is_counted() -> None:
    assert H100.opening() == (
        "counting 50 GFLOP a token = 6 * weights in matrix products "
        "+ causal attention over 8,192 tokens; "
        "MFU of 1000 TFLOP/s, the dense bf16 peak of NVIDIA H100 80GB HBM3"
    )
    unknown = replace(H100, peak=None, frozen_weights=True, device_name="x86_64 CPU").opening()
    assert "= 4 (weights are frozen) * weights" in unknown
    assert unknown.endswith("no MFU: no peak is known for x86_64 CPU in bf16")


@pytest.mark.parametrize("lora", [None, LoraConfig(rank=2)])
def test_a_run_counts_its_own_model(inputs: Path, tmp_path: Path, lora: LoraConfig | None) -> None:
    backend = select_backend("cpu")
    config = tiny_config(inputs, run_dir=tmp_path, lora=lora)
    speed = speed_of(make_plan(config, backend, world_size=2), backend)
    assert speed.flops_per_token == model_flops_per_token(
        TINY, SEQ_LENGTH, frozen_weights=lora is not None
    )
    assert (speed.num_devices, speed.peak) == (2, None)


def test_the_shortest_wait_is_the_largest_negative_one() -> None:
    spent = Spent.from_largest((5_000, 250_000, -2_000))
    assert (spent.data, spent.wait, spent.reduction) == pytest.approx((0.005, 0.25, 0.002))


DELAY = 0.1
"""Seconds for which rank 1 waits for the windows of each of its two passes."""


def train_with_slow_windows(config: RunConfig) -> None:
    read = run.windows_to_batch

    def read_slowly(*args, **options):  # type: ignore[no-untyped-def]
        time.sleep(DELAY if os.environ["RANK"] == "1" else 0.0)
        return read(*args, **options)

    run.windows_to_batch = read_slowly
    run_training(config)


def test_the_slowest_rank_is_seen(inputs: Path, tmp_path: Path) -> None:
    """Rank 0, which writes the figures, is the one that waits; rank 1 waits for nobody."""
    config = tiny_config(inputs, run_dir=tmp_path / "run", num_steps=4)
    said = run_ranks(2, tmp_path / "log", train_with_slow_windows, config)
    assert "GFLOP a token = 6 * weights" in said
    names = ("data", "wait", "reduction", "update", "")
    columns = [every_step(config.run_dir, f"{name}_seconds".lstrip("_")) for name in names]
    for data, wait, reduction, update, step in zip(*columns, strict=True):
        assert 2 * DELAY <= data <= step
        assert DELAY < wait <= step
        assert 0 <= reduction < wait
        assert 0 < update < step
    per_device, whole, tflops = (
        every_step(config.run_dir, name)
        for name in ("tokens_per_second_per_device", "tokens_per_second", "tflops")
    )
    assert [2 * value for value in per_device] == pytest.approx(whole)
    each = model_flops_per_token(TINY, SEQ_LENGTH) / 1e12
    assert tflops == pytest.approx([value * each for value in per_device])
    assert every_step(config.run_dir, "mfu") == [None] * 4
