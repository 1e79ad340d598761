"""Slow ranks are found and named, and only those."""

import os
import time
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_runs import losses, run_ranks, run_training, tiny_config

from megatron_crossic.backend import select_backend
from megatron_crossic.config import RecoveryConfig, RunConfig
from megatron_crossic.train import run
from megatron_crossic.train.clock import StepClock
from megatron_crossic.train.stragglers import RankTimes, find_stragglers, time_probe

SECONDS = st.lists(st.integers(1, 10_000).map(lambda value: value / 1000), min_size=1)


def ranks(probes: list[float], data: list[float] | None = None) -> list[RankTimes]:
    return [
        RankTimes(
            rank=rank,
            host=f"node{rank // 8}",
            device="H100",
            probe_seconds=probe,
            data_seconds=data[rank] if data else 0.0,
        )
        for rank, probe in enumerate(probes)
    ]


def slow(probes: list[float], *, factor: float = 1.2) -> list[int]:
    return [one.rank for one in find_stragglers(ranks(probes), factor=factor)]


def test_the_example_of_the_module() -> None:
    (found,) = find_stragglers(ranks([4.0e-3, 4.1e-3, 5.2e-3, 4.0e-3]), factor=1.2)
    assert (found.rank, found.at) == (2, "probe")
    assert found.line() == (
        "rank 2 on node0 (H100) is 1.30 times as slow at computing as the median rank: 5.2 ms"
    )


def test_of_two_ranks_the_slower_is_named() -> None:
    assert slow([1.0, 1.3]) == [1]
    assert slow([1.0, 1.1]) == []


def test_windows_that_delay_nobody_are_no_matter() -> None:
    """The third rank takes nine times as long for its windows, and that is 0.8 ms a step."""
    alike = [1.0, 1.0, 1.0]
    assert find_stragglers(ranks(alike, [1e-4, 1e-4, 9e-4]), factor=1.2) == []
    (found,) = find_stragglers(ranks(alike, [0.1, 0.1, 0.9]), factor=1.2)
    assert found.at == "data"
    assert "is 9.00 times as slow at reading windows as the median rank: 900.0 ms" in found.line()


@given(probes=SECONDS)
def test_at_most_half_are_stragglers_and_the_slowest_is_first_among_them(
    probes: list[float],
) -> None:
    found = slow(probes)
    assert 2 * len(found) <= len(probes)
    others = [probe for rank, probe in enumerate(probes) if rank not in found]
    assert all(probes[rank] > max(others) for rank in found)


@given(probes=SECONDS, order=st.randoms())
def test_the_order_of_ranks_does_not_matter(probes: list[float], order) -> None:  # type: ignore[no-untyped-def]
    shuffled = order.sample(probes, len(probes))
    assert sorted(shuffled[rank] for rank in slow(shuffled)) == sorted(
        probes[rank] for rank in slow(probes)
    )


@given(probes=SECONDS)
def test_only_ratios_count(probes: list[float]) -> None:
    assert slow([4 * probe for probe in probes]) == slow(probes)
    assert slow(probes, factor=10_001) == []
    assert set(slow(probes, factor=2)) <= set(slow(probes, factor=1.2))


def test_a_probe_takes_milliseconds_on_the_cpu() -> None:
    assert 1e-5 < time_probe(select_backend("cpu")) < 1


def test_the_mean_is_of_the_steps_since_the_last_look() -> None:
    clock = StepClock(select_backend("cpu"))
    for seconds in (0.0, 0.04):
        clock.start()
        with clock.reading():
            time.sleep(seconds)
    assert 0.02 <= clock.mean_data() < 0.5 * clock.data + 0.01
    clock.start()
    assert clock.mean_data() == 0.0


def train_with_a_slow_rank(config: RunConfig) -> None:
    seconds = 0.008 if os.environ["RANK"] == "1" else 0.004
    run.time_probe = lambda _: seconds
    run_training(config)


def test_a_slow_rank_is_named_and_the_run_is_the_same(inputs: Path, tmp_path: Path) -> None:
    recovery = RecoveryConfig(straggler_interval=2, straggler_factor=1.5)
    config = tiny_config(inputs, run_dir=tmp_path / "run", recovery=recovery, num_steps=4)
    said = run_ranks(2, tmp_path / "log", train_with_a_slow_rank, config)
    assert said.count("warning: rank 1 on ") == 2
    assert "is 2.00 times as slow at computing as the median rank: 8.0 ms" in said
    lines = (config.run_dir / "stragglers.jsonl").read_bytes().splitlines()
    records = [orjson.loads(line) for line in lines]
    assert [record["step"] for record in records] == [2, 4]
    assert records[0]["median_probe_seconds"] == 0.004
    assert [one["rank"] for one in records[1]["stragglers"] if one["at"] == "probe"] == [1]
    alone = replace(config, run_dir=tmp_path / "alone", recovery=RecoveryConfig())
    run_ranks(2, tmp_path / "log", run_training, alone)
    assert losses(config.run_dir) == losses(alone.run_dir)


def test_one_rank_alone_is_no_straggler_and_nothing_is_said(
    inputs: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    recovery = RecoveryConfig(straggler_interval=1)
    run_training(tiny_config(inputs, run_dir=tmp_path, recovery=recovery, num_steps=2))
    assert "slow" not in capfd.readouterr().err
    lines = (tmp_path / "stragglers.jsonl").read_bytes().splitlines()
    assert [orjson.loads(line)["stragglers"] for line in lines] == [[], []]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"straggler_interval": 0}, "straggler_interval must be at least 1, got 0. Raise it."),
        ({"straggler_factor": 1.0}, "straggler_factor must be above 1, got 1.0. Use 1.2."),
    ],
)
def test_values_that_cannot_work(options: dict[str, float], message: str) -> None:
    assert RecoveryConfig(**options).problems() == [f"recovery.{message}"]  # type: ignore[arg-type]
