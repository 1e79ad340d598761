"""What all ranks must decide alike, though only one of them may know."""

from collections.abc import Sequence

import torch
import torch.distributed as dist


def largest(values: Sequence[int], device: torch.device) -> tuple[int, ...]:
    """The largest of each value over all ranks; every rank calls this together.

    One all-reduce of some bytes: tens of microseconds in a step of a second.
    """
    tensor = torch.tensor(list(values), dtype=torch.int64, device=device)
    dist.all_reduce(tensor, op=dist.ReduceOp.MAX)
    return tuple(int(value) for value in tensor.tolist())


def first_message(message: str | None) -> str | None:
    """The message of the lowest rank that has one, on all ranks."""
    messages: list[str | None] = [None] * dist.get_world_size()
    dist.all_gather_object(messages, message)
    return next((found for found in messages if found is not None), None)
