"""The CUDA backend: NCCL, Transformer Engine where it is importable."""

import importlib
import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

from megatron_crossic.backend import Moment, local_rank
from megatron_crossic.backend.support import Support, unsupported
from megatron_crossic.config import MemoryConfig, ParallelConfig, PrecisionConfig

# Tensor-parallel communication overlaps with compute only if kernels keep their order. Set when
# this module is chosen, for the driver reads it when CUDA is first used.
os.environ.setdefault("CUDA_DEVICE_MAX_CONNECTIONS", "1")

NAME: Literal["cuda"] = "cuda"
COMMUNICATION: Literal["nccl"] = "nccl"


def device() -> torch.device:
    """The GPU of this process."""
    return torch.device("cuda", local_rank())


@contextmanager
def activate() -> Iterator[None]:
    """Make this process' GPU the current one."""
    torch.cuda.set_device(device())
    yield


def has_transformer_engine() -> bool:
    """Whether Transformer Engine can be imported."""
    return importlib.util.find_spec("transformer_engine") is not None


def has_fused_gradients() -> bool:
    """NVIDIA's apex brings the kernel; the package of that name on PyPI does not."""
    return importlib.util.find_spec("fused_weight_gradient_mlp_cuda") is not None


def support() -> Support:
    """What this process' GPU and PyTorch offer; a dry run may have no GPU to ask."""
    major, _, minor = (torch.version.cuda or "").partition(".")
    return Support(
        is_gpu=True,
        transformer_engine=has_transformer_engine(),
        cuda_version=(int(major), int(minor)) if minor else None,
        capability=(
            torch.cuda.get_device_capability(device()) if torch.cuda.is_available() else None
        ),
        max_connections=os.environ.get("CUDA_DEVICE_MAX_CONNECTIONS", "1"),
    )


def problems(
    parallel: ParallelConfig,
    precision: PrecisionConfig,
    memory: MemoryConfig = MemoryConfig(),  # noqa: B008, frozen
) -> list[str]:
    """What this GPU, PyTorch or a missing Transformer Engine rule out, as messages."""
    return unsupported(support(), parallel, precision, memory)


def share_buffers(shape: tuple[int, int], *, tensor: int, fp8: bool) -> None:
    """Register Transformer Engine's buffers; every rank calls this before the model is built."""
    base = importlib.import_module("transformer_engine.pytorch.module.base")
    base.destroy_ub()  # a check of the precision builds two models
    modes = base.UserBufferQuantizationMode
    base.initialize_ub(
        shape=list(shape),
        tp_size=tensor,
        # Under FP8 the first and last layers may compute in bf16.
        quantization_modes=[modes.FP8, modes.NONE] if fp8 else [modes.NONE],
        bootstrap_backend="nccl",
    )


def synchronize() -> None:
    """Wait for the GPU."""
    torch.cuda.synchronize()


def device_name() -> str:
    """The name the driver gives the GPU."""
    return torch.cuda.get_device_name(device())


def moment() -> Moment:
    """An event in the queue of the GPU."""
    event = torch.cuda.Event(enable_timing=True)
    event.record()
    return event


def seconds_between(first: Moment, second: Moment) -> float:
    """Seconds between two events the GPU has passed."""
    assert isinstance(first, torch.cuda.Event), "a moment of this backend"
    assert isinstance(second, torch.cuda.Event), "a moment of this backend"
    return float(first.elapsed_time(second)) / 1000


def memory_bytes() -> int:
    """Memory of PyTorch's live tensors on this GPU."""
    return torch.cuda.memory_allocated()


def reserved_memory_bytes() -> int:
    """Memory PyTorch holds on this GPU, tensors and its cache."""
    return torch.cuda.memory_reserved()


def peak_memory_bytes() -> int:
    """Most memory PyTorch has held on this GPU."""
    return torch.cuda.max_memory_allocated()
