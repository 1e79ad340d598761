"""What `tools/pretrain.py` does, without its printing."""

import os
from collections.abc import Sequence

from megatron_crossic.backend import select_backend
from megatron_crossic.outcome import tell_outcome
from megatron_crossic.train.describe import describe
from megatron_crossic.train.loop import train
from megatron_crossic.train.options import parse
from megatron_crossic.train.plan import make_plan
from megatron_crossic.train.precision_check import check_precision


def pretrain(arguments: Sequence[str]) -> str | None:
    """Train as `arguments` say; a dry run or a check of the precision returns what to print.

    The number of processes is torchrun's. A dry run without torchrun plans for the fewest the
    layout needs, so it works on any machine.
    """
    request = parse(arguments)
    config = request.config
    backend = select_backend(config.backend)
    alone = config.parallel.model_size if request.dry_run else 1
    plan = make_plan(config, backend, world_size=int(os.environ.get("WORLD_SIZE", alone)))
    if not request.dry_run and config.precision.check is None:
        train(plan, backend)
        return None
    report = describe(plan) if request.dry_run else check_precision(plan, backend)
    tell_outcome("done", "what was asked for is printed")
    return report
