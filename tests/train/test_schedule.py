"""Learning rates one can check by hand, and laws for all schedules."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from megatron_crossic.config import ScheduleConfig
from megatron_crossic.train.schedule import learning_rate


def rates(schedule: ScheduleConfig, num_steps: int) -> list[float]:
    return [learning_rate(schedule, step=s, num_steps=num_steps) for s in range(1, num_steps + 1)]


def test_constant_after_warmup() -> None:
    schedule = ScheduleConfig(kind="constant", peak=1.0, minimum=0.0, warmup_steps=4)
    assert rates(schedule, 6) == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]


def test_cosine_reaches_the_minimum_at_the_last_step() -> None:
    schedule = ScheduleConfig(kind="cosine", peak=1.0, minimum=0.2, warmup_steps=2)
    expected = [0.5, 1.0, 0.2 + 0.4 * (1 + math.cos(math.pi / 4)), 0.6]
    assert rates(schedule, 6)[:4] == pytest.approx(expected)
    assert rates(schedule, 6)[5] == pytest.approx(0.2)


def test_wsd_is_stable_then_linear() -> None:
    schedule = ScheduleConfig(kind="wsd", peak=1.0, minimum=0.0, warmup_steps=2, decay_steps=4)
    assert rates(schedule, 8) == pytest.approx([0.5, 1, 1, 1, 0.75, 0.5, 0.25, 0])


def test_wsd_decays_over_a_tenth_by_default() -> None:
    schedule = ScheduleConfig(kind="wsd", peak=1.0, minimum=0.0)
    assert rates(schedule, 20)[17:] == pytest.approx([1.0, 0.5, 0.0])


@given(
    kind=st.sampled_from(["cosine", "wsd", "constant"]),
    num_steps=st.integers(1, 50),
    warmup=st.integers(0, 50),
)
def test_rises_then_never_rises_again(kind: str, num_steps: int, warmup: int) -> None:
    warmup = min(warmup, num_steps)
    schedule = ScheduleConfig(kind=kind, peak=2.0, minimum=0.5, warmup_steps=warmup)  # type: ignore[arg-type]
    schedule_problems = schedule.problems(num_steps=num_steps)
    values = rates(schedule, num_steps)
    assert not schedule_problems
    assert values[:warmup] == sorted(values[:warmup])
    assert values[warmup:] == sorted(values[warmup:], reverse=True)
    assert all(0 < value <= 2.0 for value in values)
    if kind != "constant" and warmup < num_steps - 1:
        assert values[-1] == pytest.approx(0.5)
