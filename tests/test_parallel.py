"""Process groups: the layout must fit the world, and one process needs no launcher."""

import subprocess
import sys

import pytest
import torch.distributed as dist

from megatron_crossic.backend import select_backend
from megatron_crossic.config import ParallelConfig
from megatron_crossic.errors import CheckpointError, ConfigError
from megatron_crossic.parallel import check_world_size, parallel_groups


@pytest.mark.parametrize(
    ("parallel", "world_size", "data_size"),
    [
        (ParallelConfig(), 8, 8),
        (ParallelConfig(tensor=2, pipeline=2), 8, 2),
        (ParallelConfig(tensor=4, sequence=True), 4, 1),
    ],
)
def test_what_is_left_is_data_parallel(
    parallel: ParallelConfig, world_size: int, data_size: int
) -> None:
    assert check_world_size(parallel, world_size) == data_size


def test_a_layout_that_does_not_fit_the_world_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"got 2 \* 2 \* 1 = 4 with 6. Start a multiple of 4"):
        check_world_size(ParallelConfig(tensor=2, pipeline=2), 6)


def test_one_process_joins_and_leaves_without_a_launcher() -> None:
    backend = select_backend("auto")
    for _ in range(2):
        with parallel_groups(ParallelConfig(), backend, seed=1) as rank:
            assert (rank.rank, rank.world_size, rank.data_rank, rank.data_size) == (0, 1, 0, 1)
            assert rank.is_main
        assert not dist.is_initialized()


def test_groups_are_left_after_an_error() -> None:
    backend = select_backend("auto")
    with (
        pytest.raises(ZeroDivisionError),
        parallel_groups(ParallelConfig(), backend, seed=1),
    ):
        raise ZeroDivisionError
    assert not dist.is_initialized()


FAILING = """
from types import SimpleNamespace
import torch.distributed as dist
from megatron_crossic import parallel
from megatron_crossic.backend import cpu
from megatron_crossic.commandline import run
from megatron_crossic.config import ParallelConfig
from megatron_crossic.errors import CheckpointError

def join(*_):
    dist.init_process_group("gloo", store=parallel.HashStore(), rank=0, world_size=1)

def main():
    like_nccl = SimpleNamespace(COMMUNICATION="nccl", activate=cpu.activate)
    with parallel.parallel_groups(ParallelConfig(), like_nccl, seed=1):
        dist.destroy_process_group = None  # leaving would hang
        raise CheckpointError("a must b, got c.")

parallel._join = join
run(main)
"""


def test_after_an_error_nccl_is_not_left_and_the_message_is_out() -> None:
    """Leaving waits for the other ranks, which may wait for this one."""
    ended = subprocess.run([sys.executable, "-c", FAILING], capture_output=True, text=True)
    assert ended.returncode == CheckpointError.exit_code
    assert ended.stderr.endswith("error: a must b, got c.\n")
