"""Bad losses make no update, and the windows that caused them are named."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from tiny_runs import every_step, run_ranks, run_training, tiny_config
from torch import Tensor

from megatron_crossic.config import ParallelConfig, RecoveryConfig, RunConfig
from megatron_crossic.errors import ConfigError, CrossicError
from megatron_crossic.train import run as run_module
from megatron_crossic.train import step as step_module
from megatron_crossic.train.batches import Batch
from megatron_crossic.train.guard import Guard
from megatron_crossic.train.order import WindowOrder

NAN = math.nan
BAD_STEP = 4


def judge(guard: Guard, values: list[float]) -> list[bool]:
    """Which losses are bad, when each good one is followed by its update."""
    found = []
    for loss in values:
        bad = guard.complaint(loss=loss, grad_norm=1.0) is not None
        guard.skipped(bad=True) if bad else guard.updated(loss)
        found.append(bad)
    return found


def test_only_numbers_pass() -> None:
    guard = Guard(RecoveryConfig(), {})
    assert judge(guard, [2.0, NAN, 900.0, math.inf]) == [False, True, False, True]
    assert guard.complaint(loss=1.0, grad_norm=NAN) == "gradient norm must be finite, got nan"


def test_a_spike_is_measured_by_the_median_of_good_losses() -> None:
    config = RecoveryConfig(spike_factor=2.0, spike_window=3)
    guard = Guard(config, {})
    losses = [2.0, 9.0, 2.0, 4.1, 4.0, 2.0, 4.1, 9.0]
    assert judge(guard, losses) == [False, False, False, True, False, False, True, True]
    assert guard.num_skipped == 3
    assert guard.complaint(loss=8.5, grad_norm=1.0) == (
        "loss must be at most recovery.spike_factor * the median of the last 3, got 8.5000 with "
        "2 * 2.0000"
    )


def test_a_resumed_guard_judges_alike() -> None:
    config = RecoveryConfig(spike_factor=2.0, spike_window=3, on_bad_loss="skip", max_bad_steps=2)
    losses = [2.0, 2.1, 2.0, 9.0, 2.2, 4.3, 4.5]
    expected = judge(Guard(config, {}), losses)
    for cut in range(len(losses)):
        first = Guard(config, {})
        before = judge(first, losses[:cut])
        resumed = Guard(config, orjson.loads(orjson.dumps(first.memory())))
        assert before + judge(resumed, losses[cut:]) == expected
        assert resumed.gives_up
    assert expected == [False, False, False, True, False, True, True]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"spike_factor": 0.5}, "recovery.spike_factor must be above 1, or 0 for off, got 0.5"),
        ({"spike_window": 0}, "recovery.spike_window must be at least 1, got 0"),
        ({"max_bad_steps": 0}, "recovery.max_bad_steps must be at least 1, got 0"),
        ({"skip_steps": (3, 0)}, "recovery.skip_steps must be at least 1, got 0"),
        ({"weight_check_interval": 0}, "recovery.weight_check_interval must be at least 1"),
        ({"timeout_minutes": 0.0}, "recovery.timeout_minutes must be above 0, got 0.0"),
        ({"exit_after_minutes": -1.0}, "recovery.exit_after_minutes must be above 0, got -1.0"),
    ],
)
def test_values_that_cannot_work_are_refused(
    inputs: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        tiny_config(inputs, recovery=RecoveryConfig(**changes)).check()


def bad_windows(config: RunConfig) -> list[int]:
    """The third window of the bad step, the last of the first rank's first pass or so."""
    order = WindowOrder(num_windows=40, seed=config.data.seed)
    return [int(order.global_batch(step=BAD_STEP, size=config.global_batch_size)[2])]


def run_with_bad_window(config: RunConfig) -> None:
    """The loss of the pass that reads one certain window in one step is no number."""
    (bad,) = bad_windows(config)
    batches, sum_losses = run_module.Run._batches, step_module.sum_losses
    spoilt: list[list[int]] = []

    def remember(run: run_module.Run, step: int) -> Any:
        spoilt[:] = [run.plan.data.train[bad].tokens.tolist()] if step == BAD_STEP else []
        return batches(run, step)

    def spoil(losses: Tensor, batch: Batch, **options: Any) -> Any:
        is_bad = any(row in spoilt for row in batch.tokens.tolist())
        return sum_losses(losses * NAN if is_bad else losses, batch, **options)

    run_module.Run._batches = remember  # type: ignore[method-assign]
    step_module.sum_losses = spoil
    try:
        run_training(config)
    finally:
        run_module.Run._batches = batches  # type: ignore[method-assign]
        step_module.sum_losses = sum_losses


def fails_with_bad_window(config: RunConfig) -> None:
    with pytest.raises(CrossicError, match=r"loss must be finite, got nan at step 4\. Lower"):
        run_with_bad_window(config)


@pytest.mark.parametrize("num_ranks", [1, 2])
def test_a_bad_loss_ends_the_run_and_names_its_windows(
    inputs: Path, tmp_path: Path, num_ranks: int
) -> None:
    config = tiny_config(inputs, run_dir=tmp_path / "run")
    said = run_ranks(num_ranks, tmp_path / "log", fails_with_bad_window, config)
    (bad,) = bad_windows(config)
    assert f"window {bad} of {inputs / 'train'}, in a pass of loss nan: " in said
    assert f"pair {bad} 'pair-{bad}' (Title {bad} | Título {bad})" in said
    assert said.count("  window ") == config.micro_batch_size
    records = (config.run_dir / "bad_steps.jsonl").read_bytes().splitlines()
    assert [orjson.loads(line)["step"] for line in records] == [BAD_STEP] * 2
    checkpoints = (config.run_dir / "checkpoints").glob("step_*")
    assert [path.name for path in checkpoints] == ["step_0000003"]
    assert len(every_step(config.run_dir, "loss")) == BAD_STEP - 1


@pytest.mark.parametrize("distributed", [False, True])
def test_a_skipped_step_is_as_if_its_update_were_left_out(
    inputs: Path, tmp_path: Path, distributed: bool
) -> None:
    skip = tiny_config(
        inputs,
        run_dir=tmp_path / "skip",
        recovery=RecoveryConfig(on_bad_loss="skip"),
        parallel=ParallelConfig(distributed_optimizer=distributed),
    )
    listed = RecoveryConfig(skip_steps=(BAD_STEP,))
    run_with_bad_window(skip)
    known = replace(skip, run_dir=tmp_path / "known", recovery=listed)
    run_training(known)
    assert every_step(skip.run_dir, "num_skipped") == [0, 0, 0, 1, 1, 1]
    assert every_step(known.run_dir, "skipped") == [False] * 3 + [True] + [False] * 2
    halves = replace(known, run_dir=tmp_path / "halves")
    run_training(replace(halves, stop_after_step=5))  # the number of updates is not the step's
    run_training(halves)
    expected = every_step(known.run_dir, "loss")
    assert every_step(halves.run_dir, "loss") == expected
    assert every_step(skip.run_dir, "loss")[BAD_STEP:] == expected[BAD_STEP:]
    plain = replace(known, run_dir=tmp_path / "plain", recovery=RecoveryConfig())
    run_training(plain)
    assert every_step(plain.run_dir, "loss")[:BAD_STEP] == expected[:BAD_STEP]
    assert every_step(plain.run_dir, "loss")[BAD_STEP:] != expected[BAD_STEP:]


def test_a_spike_is_skipped_too(inputs: Path, tmp_path: Path) -> None:
    recovery = RecoveryConfig(on_bad_loss="skip", spike_factor=1.5, spike_window=2)
    config = tiny_config(inputs, run_dir=tmp_path, recovery=recovery)
    step = run_module.run_microbatches

    def jump(*args: Any, **options: Any) -> Any:
        report = step(*args, **options)
        jumps = not options.get("forward_only") and len(losses_seen) == BAD_STEP - 1
        losses_seen.append(report.loss)
        return replace(report, loss=100.0) if jumps else report

    losses_seen: list[float] = []
    run_module.run_microbatches = jump
    try:
        run_training(config)
    finally:
        run_module.run_microbatches = step
    assert every_step(tmp_path, "skipped") == [False] * 3 + [True] + [False] * 2
    assert (tmp_path / "bad_steps.jsonl").read_bytes().count(b"\n") == config.micro_batch_size


def test_too_many_bad_steps_end_the_run(inputs: Path, tmp_path: Path) -> None:
    recovery = RecoveryConfig(on_bad_loss="skip", max_bad_steps=1)
    config = tiny_config(inputs, run_dir=tmp_path, recovery=recovery)
    with pytest.raises(CrossicError, match="loss must be finite, got nan at step 4"):
        run_with_bad_window(config)


@pytest.mark.parametrize("distributed", [False, True])
def test_a_run_saved_before_its_first_update_goes_on(
    inputs: Path, tmp_path: Path, distributed: bool
) -> None:
    config = tiny_config(
        inputs,
        run_dir=tmp_path / "run",
        recovery=RecoveryConfig(skip_steps=(1,)),
        parallel=ParallelConfig(distributed_optimizer=distributed),
    )
    config = replace(config, checkpoint=replace(config.checkpoint, interval=1))
    run_training(replace(config, run_dir=tmp_path / "whole"))
    run_training(replace(config, stop_after_step=1))
    run_training(config)
    expected = every_step(tmp_path / "whole", "loss")
    assert every_step(config.run_dir, "loss") == expected
    assert expected[2] < expected[0]
