"""Process groups: start them, ask them, end them."""

import atexit
import math
import os
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import torch
import torch.distributed as dist
from megatron.core import parallel_state
from megatron.core.tensor_parallel import model_parallel_cuda_manual_seed
from torch._C._distributed_c10d import HashStore

from megatron_crossic.backend import Backend
from megatron_crossic.config import ParallelConfig
from megatron_crossic.errors import ConfigError

TIMEOUT = timedelta(minutes=10)
"""How long a rank waits for the others before the job ends."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rank:
    """Where this process stands in the layout."""

    rank: int
    world_size: int
    data_rank: int
    data_size: int

    @property
    def is_main(self) -> bool:
        """Whether this process speaks for the run."""
        return self.rank == 0


@contextmanager
def parallel_groups(
    config: ParallelConfig, backend: Backend, *, seed: int, timeout: timedelta = TIMEOUT
) -> Iterator[Rank]:
    """Join the process groups of the layout and seed every generator; leave them at the end.

    Reads torchrun's environment; without it the process is alone. After `timeout` without an answer
    from the others a call that communicates fails.
    """
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    check_world_size(config, world_size)
    with backend.activate():
        _join(backend, world_size, timeout)
        try:
            parallel_state.initialize_model_parallel(
                tensor_model_parallel_size=config.tensor,
                pipeline_model_parallel_size=config.pipeline,
                virtual_pipeline_model_parallel_size=(
                    config.virtual_pipeline if config.virtual_pipeline > 1 else None
                ),
                context_parallel_size=config.context,
                distributed_timeout_minutes=math.ceil(timeout / timedelta(minutes=1)),
            )
            seed_everything(seed)
            yield current_rank()
        except BaseException as error:
            if backend.COMMUNICATION == "nccl":
                atexit.register(_end_at_once, getattr(error, "exit_code", 1))
            else:
                _leave()
            raise
        _leave()


def _leave() -> None:
    parallel_state.destroy_model_parallel()
    dist.destroy_process_group()


def _end_at_once(exit_code: int) -> None:
    """End this process after an error, once its message is out.

    Leaving NCCL's groups waits for the other ranks, which may be waiting for this one: the process
    would hang and say nothing.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)


def _join(backend: Backend, world_size: int, timeout: timedelta) -> None:
    # NCCL is told its GPU, or the first barrier would guess one; gloo takes no device.
    device = backend.device() if backend.COMMUNICATION == "nccl" else None
    if "RANK" in os.environ:
        dist.init_process_group(backend.COMMUNICATION, timeout=timeout, device_id=device)
    else:
        dist.init_process_group(
            backend.COMMUNICATION,
            store=HashStore(),
            rank=0,
            world_size=world_size,
            timeout=timeout,
            device_id=device,
        )


def check_world_size(config: ParallelConfig, world_size: int) -> int:
    """The data-parallel size of the layout; `ConfigError` where it does not fit the world."""
    if world_size % config.model_size:
        raise ConfigError(
            f"parallel.tensor * pipeline * context must divide the number of processes, got "
            f"{config.tensor} * {config.pipeline} * {config.context} = {config.model_size} with "
            f"{world_size}. Start a multiple of {config.model_size} processes "
            f"(torchrun --nproc-per-node) or change the layout."
        )
    return world_size // config.model_size


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy, torch and megatron-core; pipeline stages get different streams."""
    seed += 100 * parallel_state.get_pipeline_model_parallel_rank()
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    model_parallel_cuda_manual_seed(seed)


def current_rank() -> Rank:
    """Where this process stands; the groups must be joined."""
    return Rank(
        rank=dist.get_rank(),
        world_size=dist.get_world_size(),
        data_rank=parallel_state.get_data_parallel_rank(),
        data_size=parallel_state.get_data_parallel_world_size(),
    )
