"""A rank that hangs ends the job, and is named."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_runs import run_training, start_ranks, tiny_config

from megatron_crossic.config import RecoveryConfig, RunConfig
from megatron_crossic.train import run as run_module
from megatron_crossic.train.batches import Batch
from megatron_crossic.train.watch import Sign, decode, who_is_waited_for


def signs(*numbers: int, beats: int) -> list[Sign]:
    return [Sign(beats=beats, number=number, place=f"place {number}") for number in numbers]


def test_who_is_furthest_behind_is_named() -> None:
    before = signs(7, 5, 7, beats=1)
    found = who_is_waited_for(before, signs(7, 5, 7, beats=3))
    assert found == "it waits for rank 1 at 'place 5'"
    stopped = [*signs(7, beats=3), *signs(5, beats=1), *signs(7, beats=3)]
    assert who_is_waited_for(before, stopped) == ("no sign of life from rank 1, last at 'place 5'")
    silent = [Sign(beats=1, number=5, place="")] * 2
    assert who_is_waited_for(silent, silent).endswith("from rank 0, 1, last between steps")
    equal = who_is_waited_for(signs(7, 7, beats=1), signs(7, 7, beats=2))
    assert equal == "all ranks are there and the communication between them hangs"
    many = who_is_waited_for(signs(*[1] * 10, 2, beats=1), signs(*[1] * 10, 2, beats=2))
    assert many == "it waits for rank 0, 1, 2, 3, 4, 5, 6, 7 and 2 more at 'place 1'"


def test_a_sign_is_read_as_it_was_told() -> None:
    sign = Sign(beats=8, number=95, place="step 7, reading the windows of pass 1")
    assert decode(sign.encode().encode()) == sign


def run_and_hang(config: RunConfig, how: str) -> None:
    """Rank 1 never comes back from reading the windows of step 3."""
    batches = run_module.Run._batches

    def hang(run: run_module.Run, step: int) -> Iterator[Batch]:
        for batch in batches(run, step):
            if step == 3 and os.environ["RANK"] == "1":
                run.watch.at("step 3, reading a slow disk")
                # Time to tell where it is before it stops.
                time.sleep(1 if how == "stopped" else 100)
                os.kill(os.getpid(), signal.SIGSTOP)
            yield batch

    run_module.Run._batches = hang  # type: ignore[method-assign]
    run_training(config)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("asleep", "it waits for rank 1 at 'step 3, reading a slow disk'"),
        ("stopped", "no sign of life from rank 1, last at 'step 3, reading a slow disk'"),
    ],
)
def test_a_hung_rank_ends_the_job(inputs: Path, tmp_path: Path, how: str, message: str) -> None:
    recovery = RecoveryConfig(timeout_minutes=0.05)
    config = tiny_config(inputs, run_dir=tmp_path / "run", recovery=recovery)
    log = tmp_path / "log"
    ranks = start_ranks(2, log, run_and_hang, config, how)
    ranks[0].join(timeout=60)
    assert ranks[0].exitcode == 1
    ranks[1].kill()
    ranks[1].join()
    said = log.read_text(encoding="utf-8") + log.with_suffix(".1").read_text(encoding="utf-8")
    assert "error: every rank must get on within recovery.timeout_minutes, got rank" in said
    assert message in said
