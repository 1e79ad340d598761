"""Data ranks whose weights differ are found and named."""

import os
from pathlib import Path

import pytest
import torch
from tiny_runs import losses, run_ranks, run_training, tiny_config

from megatron_crossic.config import RecoveryConfig, RunConfig
from megatron_crossic.errors import CrossicError
from megatron_crossic.train import optimizer, run
from megatron_crossic.train.weight_check import _difference, bit_sum

NAME = "decoder.final_layernorm.weight"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float8_e4m3fn])
def test_any_changed_bit_and_any_exchange_shows(dtype: torch.dtype) -> None:
    values = torch.arange(1.0, 18.0).to(dtype)
    total = bit_sum(values)
    assert bit_sum(values.clone()) == total
    for place in range(16):
        changed = values.clone()
        changed.view(torch.uint8)[place] ^= 1
        assert bit_sum(changed) != total
    assert bit_sum(values[list(range(16, -1, -1))]) != total


def test_the_rarest_value_is_named() -> None:
    names, ranks = ("a", "b"), [4, 6, 8]
    assert _difference(names, ranks, [[1, 2], [1, 2], [1, 2]]) is None
    assert _difference(names, ranks, [[1, 2], [1, 7], [1, 2]]) == "b that differs on rank 6"
    assert _difference(("a",), [0, 1], [[1], [2]]) == "a that differs on rank 0 and 1"


def run_and_spoil(config: RunConfig) -> None:
    """One rank's memory changes a bit of a weight in step 3."""
    update = run.update
    count = [0]

    def update_and_spoil(chained, *args, **options):  # type: ignore[no-untyped-def]
        update(chained, *args, **options)
        count[0] += 1
        if count[0] == 3 and os.environ["RANK"] == "1":
            spoilt = chained.chained_optimizers[0].get_parameters()[-1]
            spoilt.data.view(torch.int32)[0] ^= 1

    run.update = update_and_spoil
    assert optimizer.update is update
    with pytest.raises(CrossicError, match=r"equal on all data-parallel ranks, got .* that differ"):
        run_training(config)


def test_a_rank_with_other_weights_is_found(inputs: Path, tmp_path: Path) -> None:
    recovery = RecoveryConfig(weight_check_interval=2)
    config = tiny_config(inputs, run_dir=tmp_path / "run", recovery=recovery)
    run_ranks(2, tmp_path / "log", run_and_spoil, config)
    assert len(losses(config.run_dir)) == 3


def test_equal_weights_pass(inputs: Path, tmp_path: Path) -> None:
    recovery = RecoveryConfig(weight_check_interval=1)
    config = tiny_config(inputs, run_dir=tmp_path / "run", recovery=recovery, num_steps=3)
    run_ranks(2, tmp_path / "log", run_training, config)
    assert len(losses(config.run_dir)) == 3
