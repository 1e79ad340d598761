"""The CUDA backend: NCCL, Transformer Engine where it is importable."""

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

from megatron_crossic.backend import local_rank
from megatron_crossic.config import ParallelConfig, PrecisionConfig

NAME: Literal["cuda"] = "cuda"
COMMUNICATION: Literal["nccl"] = "nccl"


def device() -> torch.device:
    """The GPU of this process."""
    return torch.device("cuda", local_rank())


@contextmanager
def activate() -> Iterator[None]:
    """Make this process' GPU the current one."""
    # Tensor-parallel communication overlaps with compute only if kernels keep their order.
    os.environ.setdefault("CUDA_DEVICE_MAX_CONNECTIONS", "1")
    torch.cuda.set_device(device())
    yield


def has_transformer_engine() -> bool:
    """Whether Transformer Engine can be imported."""
    return importlib.util.find_spec("transformer_engine") is not None


def has_fused_gradients() -> bool:
    """NVIDIA's apex brings the kernel; the package of that name on PyPI does not."""
    return importlib.util.find_spec("fused_weight_gradient_mlp_cuda") is not None


def problems(parallel: ParallelConfig, precision: PrecisionConfig) -> list[str]:
    """FP8 and context parallelism need Transformer Engine."""
    if has_transformer_engine():
        return []
    found = []
    if precision.compute == "fp8":
        found.append(
            "precision.compute must be fp32 or bf16 without Transformer Engine, got fp8. "
            "Install transformer-engine or use bf16."
        )
    if parallel.context > 1:
        found.append(
            f"parallel.context must be 1 without Transformer Engine, got {parallel.context}. "
            "Install transformer-engine or use parallel.tensor."
        )
    return found


def synchronize() -> None:
    """Wait for the GPU."""
    torch.cuda.synchronize()


def peak_memory_bytes() -> int:
    """Most memory PyTorch has held on this GPU."""
    return torch.cuda.max_memory_allocated()
