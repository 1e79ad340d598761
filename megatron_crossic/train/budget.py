"""How long a run is: steps, or epochs or tokens worth them."""

import math
from dataclasses import replace
from fractions import Fraction

from megatron_crossic.config import RunConfig


def with_steps(config: RunConfig, *, num_windows: int, seq_length: int) -> RunConfig:
    """The same run with its length in steps, the last one full.

    2 epochs of 50 windows in steps of 8 take 13 steps: 12 would leave four windows out, so the run
    reads four more than asked for.
    """
    if config.num_steps:
        return config
    if config.num_epochs is not None:
        budget = Fraction(str(config.num_epochs)) * num_windows
    else:
        budget = Fraction(config.num_tokens or 0, seq_length)
    steps = math.ceil(budget / config.global_batch_size)
    return replace(config, num_steps=steps, num_epochs=None, num_tokens=None)


def length_as_given(config: RunConfig) -> str:
    """`num_epochs 2`: what a user wrote."""
    if config.num_epochs is not None:
        return f"num_epochs {config.num_epochs:g}"
    if config.num_tokens is not None:
        return f"num_tokens {config.num_tokens:,}"
    return f"num_steps {config.num_steps:,}"
