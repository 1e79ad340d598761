"""Which tokens have loss: the one rule that training obeys and that inspection shows.

A token has loss where it is text, with `data.loss_on` target where it is text of a target side, and
`[SPLIT]` where `data.split_loss` says so; BOS and PAD never have. The first token of a window has
none whatever it is, for nothing comes before it to predict it from; neither has the first of a
chunk or pair where `data.attention_scope` hides what comes before.
"""

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.config import LossOn
from megatron_crossic.data.spans import Role


def roles_with_loss(*, split_loss: bool, loss_on: LossOn = "all") -> NDArray[np.bool_]:
    """Whether tokens of each role count  # [roles]."""
    counts = np.zeros(len(Role), dtype=np.bool_)
    counts[Role.SOURCE] = loss_on == "all"
    counts[Role.TARGET] = True
    counts[Role.SPLIT] = split_loss
    return counts
