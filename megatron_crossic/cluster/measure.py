"""What a rank measures: its own device and node, then an all-reduce with others."""

import os
import shutil
import time
from datetime import timedelta
from pathlib import Path
from statistics import median

import torch
import torch.distributed as dist

from megatron_crossic.backend import Backend, local_rank, select_backend
from megatron_crossic.cluster.nodes import node_name
from megatron_crossic.cluster.nvml import device_key, read_gpu
from megatron_crossic.cluster.readings import GpuReading, RankReading
from megatron_crossic.train.stragglers import time_probe

NUM_BYTES = {"cuda": 256 << 20, "cpu": 4 << 20}
"""Of an all-reduce: large enough that start-up time is no part of it."""
_WARM_UP, _ROUNDS = 3, 10


def read_rank(rank: int, *, run_dir: Path, wants_gpu: bool) -> RankReading:
    """This rank's device and node; an error is a reading too."""
    gpu, why = _read_gpu() if wants_gpu else (None, "no GPUs are expected")
    num_devices = torch.cuda.device_count()
    seconds: float | None = None
    try:
        backend = backend_for(wants_gpu=wants_gpu)
        with backend.activate():
            seconds = time_probe(backend)
            device = backend.device_name()
    except Exception as error:  # a broken GPU shows in many ways, all of them worth a line
        device = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    free, can_write = look_at_disk(run_dir)
    return RankReading(
        rank=rank,
        node=node_name(),
        device=device,
        num_devices=num_devices,
        probe_seconds=seconds,
        free_disk_bytes=free,
        can_write=can_write,
        gpu=gpu,
        not_checked=why,
    )


def backend_for(*, wants_gpu: bool) -> Backend:
    """CUDA where GPUs are expected, whatever else the machine has."""
    return select_backend("cuda" if wants_gpu else "cpu")


def _read_gpu() -> tuple[GpuReading | None, str]:
    return read_gpu(device_key(local_rank(), os.environ.get("CUDA_VISIBLE_DEVICES")))


def look_at_disk(folder: Path) -> tuple[int | None, bool]:
    """Free bytes where `folder` is or will be, and whether it can be written."""
    existing = next((one for one in (folder, *folder.absolute().parents) if one.exists()), None)
    if existing is None:
        return None, False
    try:
        return shutil.disk_usage(existing).free, os.access(existing, os.W_OK | os.X_OK)
    except OSError:
        return None, False


def time_all_reduce(
    store: dist.Store, *, rank: int, world_size: int, backend: Backend, seconds: float
) -> float:
    """Median seconds of an all-reduce in a process group that exists for it alone."""
    with backend.activate():
        dist.init_process_group(
            backend.COMMUNICATION,
            store=store,
            rank=rank,
            world_size=world_size,
            timeout=timedelta(seconds=seconds),
            device_id=backend.device() if backend.COMMUNICATION == "nccl" else None,
        )
        try:
            values = torch.zeros(NUM_BYTES[backend.NAME] // 4, device=backend.device())
            times = [_once(values, backend) for _ in range(_WARM_UP + _ROUNDS)]
        finally:
            dist.destroy_process_group()
    return median(times[_WARM_UP:])


def _once(values: torch.Tensor, backend: Backend) -> float:
    backend.synchronize()
    started = time.perf_counter()
    dist.all_reduce(values)
    backend.synchronize()
    return time.perf_counter() - started
