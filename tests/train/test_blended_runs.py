"""A blended run that stops half-way and goes on at another number of data ranks."""

from dataclasses import replace
from pathlib import Path

import pytest
from tiny_runs import every_step, losses, run_ranks, run_training, tiny_config, write_windows

from megatron_crossic.config import DataConfig, ScheduleConfig


def test_a_blend_goes_on_at_another_number_of_data_ranks(inputs: Path, tmp_path: Path) -> None:
    """Two sources of 8 windows a step for one of replay, over 54 windows: 7 steps, stopped at 3."""
    prefixes = [
        write_windows(tmp_path / name, num_windows=size, seed=size)
        for name, size in (("wiki", 40), ("replay", 14))
    ]
    whole = tiny_config(
        inputs,
        run_dir=tmp_path / "whole",
        data=DataConfig(train=tuple(prefixes), weights=(0.75, 0.25), loss_on="target"),
        num_steps=0,
        num_epochs=1.0,
        schedule=ScheduleConfig(peak=3e-3, minimum=3e-4, warmup_steps=2),
    )
    run_training(whole)
    assert every_step(whole.run_dir, "num_windows_by_set") == [{"wiki": 6, "replay": 2}] * 7
    parts = replace(whole, run_dir=tmp_path / "parts")
    run_training(replace(parts, stop_after_step=3))
    assert len(losses(parts.run_dir)) == 3
    run_ranks(2, tmp_path / "log", run_training, parts)
    for name in ("loss", "grad_norm"):
        expected = every_step(whole.run_dir, name)
        assert every_step(parts.run_dir, name) == pytest.approx(expected, rel=1e-5)
    tokens = every_step(whole.run_dir, "num_tokens")
    assert every_step(parts.run_dir, "num_tokens") == tokens
    assert len(set(tokens)) > 2  # so a step that read other windows would show
