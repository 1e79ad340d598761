"""Which tokens have loss: the one rule that training obeys and that inspection shows.

A token has loss where it is text, and `[SPLIT]` where `data.split_loss` says so; BOS and PAD never
have. The first token of a window has none whatever it is, for nothing comes before it to predict
it from.
"""

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.spans import Role


def roles_with_loss(*, split_loss: bool) -> NDArray[np.bool_]:
    """Whether tokens of each role count  # [roles]."""
    counts = np.zeros(len(Role), dtype=np.bool_)
    counts[[Role.SOURCE, Role.TARGET]] = True
    counts[Role.SPLIT] = split_loss
    return counts
