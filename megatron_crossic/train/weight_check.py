"""Whether the data-parallel ranks still hold the same weights, bit for bit.

They start equal and make equal updates. Where they differ, a device computes or remembers wrongly,
or an update was left out on one of them: the run would go on and only look a little worse.

A check reads every weight once on its device, and sends 8 bytes a parameter.
"""

from collections.abc import Sequence

import torch
import torch.distributed as dist
from megatron.core import parallel_state
from torch import Tensor, nn

from megatron_crossic.errors import CrossicError
from megatron_crossic.train.agreement import first_message

_BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
_BLOCK = 1 << 24
"""Elements at a time: 8 bytes each while they are added, so 128 MiB and not 5 GB an embedding."""


def check_weights(models: Sequence[nn.Module], *, step: int) -> None:
    """Raise on all ranks where any two data ranks differ; all ranks call this together."""
    names, parameters = zip(*nn.ModuleList(models).named_parameters(), strict=True)
    mine = torch.stack([bit_sum(parameter) for parameter in parameters])
    group = parallel_state.get_data_parallel_group(with_context_parallel=True)
    all_sums = [torch.empty_like(mine) for _ in range(group.size())]
    dist.all_gather(all_sums, mine, group=group)
    ranks = dist.get_process_group_ranks(group)
    found = first_message(_difference(names, ranks, torch.stack(all_sums).tolist()))
    if found is not None:
        raise CrossicError(
            f"weights must be equal on all data-parallel ranks, got {found} after step {step}. "
            "Take the machine of that rank out and start the same command again: it goes on from "
            "the last checkpoint."
        )


def bit_sum(parameter: Tensor) -> Tensor:
    """The bits of a tensor as one number that any single changed element changes.  # []

    Each element counts times an odd number of its own, so that two that change places show as well;
    the sum wraps around at 2**64.
    """
    stored = getattr(parameter, "_data", parameter.detach())  # FP8 weights keep their bytes there
    bits = stored.contiguous().view(_BITS[stored.element_size()]).flatten()
    total = torch.zeros((), dtype=torch.int64, device=bits.device)
    for start in range(0, len(bits), _BLOCK):
        block = bits[start : start + _BLOCK].to(torch.int64)
        places = torch.arange(start, start + len(block), device=bits.device)
        total += (block * (2 * places + 1)).sum()
    return total


def _difference(names: tuple[str, ...], ranks: list[int], sums: list[list[int]]) -> str | None:
    """The first parameter that differs and the ranks that hold the rarest value of it.

    `sums` is [ranks, parameters]. Two ranks that disagree are both named: either may be right.
    """
    for column, name in enumerate(names):
        values = [row[column] for row in sums]
        if len(set(values)) == 1:
            continue
        rarest = min(values.count(value) for value in values)
        odd = [
            rank for rank, value in zip(ranks, values, strict=True) if values.count(value) == rarest
        ]
        return f"{name} that differs on rank {' and '.join(map(str, odd))}"
    return None
