"""The CPU backend: megatron-core's own code on gloo, for laptops, the demo and the tests.

megatron-core 0.16 places tensors on "cuda" by name in many spots. Inside `activate()` those names
mean the CPU: a torch function mode redirects devices, and the few functions of `torch.cuda` that
megatron-core calls get CPU counterparts. Everything is put back when the context ends.
"""

import platform
import resource
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal
from unittest.mock import patch

import psutil
import torch
from torch.overrides import TorchFunctionMode

from megatron_crossic.backend import Moment
from megatron_crossic.backend.support import Support, unsupported
from megatron_crossic.config import MemoryConfig, ParallelConfig, PrecisionConfig

NAME: Literal["cpu"] = "cpu"
COMMUNICATION: Literal["gloo"] = "gloo"
_CPU = torch.device("cpu")


class CudaMeansCpu(TorchFunctionMode):
    """Sends whatever names a CUDA device to the CPU.

    `Tensor.type()` answers with the CUDA name (`torch.cuda.FloatTensor`) because megatron-core's
    optimizer asserts on that string.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is torch.Tensor.cuda:
            return args[0]
        if kwargs and _is_cuda(kwargs.get("device")):
            kwargs = {**kwargs, "device": _CPU}
        result = func(*args, **(kwargs or {}))
        if func is torch.Tensor.type and isinstance(result, str):
            return result.replace("torch.", "torch.cuda.", 1)
        return result


def _is_cuda(device: object) -> bool:
    return isinstance(device, int) or (device is not None and str(device).startswith("cuda"))


def device() -> torch.device:
    """The CPU."""
    return _CPU


@contextmanager
def activate() -> Iterator[None]:
    """Let megatron-core believe the CPU is its GPU, until the context ends."""
    get_state, set_state = _get_rng_state, _set_rng_state
    rng = "megatron.core.tensor_parallel.random"
    with (
        warnings.catch_warnings(),
        patch("torch.cuda.current_device", lambda: _CPU),
        patch("torch.cuda.synchronize", lambda *_: None),
        patch("torch.cuda.get_rng_state", get_state),
        patch("torch.cuda.set_rng_state", set_state),
        patch("torch.cuda.manual_seed", torch.manual_seed),
        patch(f"{rng}._get_cuda_rng_state", get_state),
        patch(f"{rng}._set_cuda_rng_state", set_state),
        CudaMeansCpu(),
    ):
        # Advice for GPUs: set CUDA_DEVICE_MAX_CONNECTIONS.
        warnings.filterwarnings("ignore", message="When using .* it is recommended to set")
        yield


def _get_rng_state(*_: object, **__: object) -> torch.Tensor:
    return torch.get_rng_state()


def _set_rng_state(state: torch.Tensor, *_: object, **__: object) -> None:
    torch.set_rng_state(state)


def has_transformer_engine() -> bool:
    """Never: its kernels need a GPU."""
    return False


def has_fused_gradients() -> bool:
    """Never: the kernel needs a GPU."""
    return False


def problems(
    parallel: ParallelConfig,
    precision: PrecisionConfig,
    memory: MemoryConfig = MemoryConfig(),  # noqa: B008, frozen
) -> list[str]:
    """What needs a GPU or Transformer Engine, as messages."""
    return unsupported(Support(is_gpu=False), parallel, precision, memory)


def share_buffers(shape: tuple[int, int], *, tensor: int, fp8: bool) -> None:
    """Never called: `problems` refuses parallel.tp_comm_overlap."""
    raise AssertionError(f"no shared buffers for {shape}, tensor {tensor}, fp8 {fp8} on the CPU")


def synchronize() -> None:
    """Nothing to wait for: CPU work is done when the call returns."""


def device_name() -> str:
    """The architecture of the processor; nobody states a peak for it."""
    return f"{platform.machine()} CPU"


def moment() -> Moment:
    """Now: CPU work is done when the call returns."""
    return time.perf_counter()


def seconds_between(first: Moment, second: Moment) -> float:
    """Seconds between two moments."""
    assert isinstance(first, float), "a moment of this backend"
    assert isinstance(second, float), "a moment of this backend"
    return second - first


def memory_bytes() -> int:
    """Resident set of this process."""
    return int(psutil.Process().memory_info().rss)


def reserved_memory_bytes() -> None:
    """Nothing is reserved beyond what is used."""


def peak_memory_bytes() -> int:
    """Largest resident set of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
