"""The learning rate as a pure function of the step, so that resuming needs no state."""

import math

from megatron_crossic.config import ScheduleConfig


def learning_rate(schedule: ScheduleConfig, *, step: int, num_steps: int) -> float:
    """The rate of `step`, counted from 1 to `num_steps`.

    With 4 steps of warm-up in a run of 20, step 4 is the first at the peak and step 20 is at the
    minimum (cosine and wsd).
    """
    if step <= schedule.warmup_steps:
        return schedule.peak * step / schedule.warmup_steps
    if schedule.kind == "constant":
        return schedule.peak
    if schedule.kind == "cosine":
        progress = _progress(step, first=schedule.warmup_steps, last=num_steps)
        fraction = 0.5 * (1 + math.cos(math.pi * progress))
    else:
        fraction = 1 - _progress(
            step, first=num_steps - _decay_steps(schedule, num_steps), last=num_steps
        )
    return schedule.minimum + (schedule.peak - schedule.minimum) * fraction


def _decay_steps(schedule: ScheduleConfig, num_steps: int) -> int:
    if schedule.decay_steps is not None:
        return schedule.decay_steps
    return min(math.ceil(num_steps / 10), num_steps - schedule.warmup_steps)


def _progress(step: int, *, first: int, last: int) -> float:
    """How far `step` is from `first` (0.0) to `last` (1.0)."""
    if step <= first:
        return 0.0
    return min((step - first) / (last - first), 1.0)
