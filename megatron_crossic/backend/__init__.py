"""The device a process runs on. One code path for both; what differs is named in `Backend`."""

import importlib
import logging
import os
import warnings
from contextlib import AbstractContextManager
from typing import Literal, Protocol

import torch

from megatron_crossic.backend.imports import import_megatron
from megatron_crossic.config import MemoryConfig, ParallelConfig, PrecisionConfig
from megatron_crossic.errors import ConfigError

# Said on every start by megatron-core and PyTorch, about what is not installed here on purpose or
# about their own future: they would only make a user doubt the run. This package is imported before
# megatron-core wherever there is a command line.
_CONFUSING = (
    "Transformer Engine and Apex are not installed",
    "Apex is not installed",
    "full scope is deprecated",
    "`load_state_dict` is deprecated and will be removed",
    "Please use DTensor instead",
    "torch.distributed is disabled, unavailable or uninitialized",  # each rank reads for itself
    r"`torch\.distributed\.\w+` is deprecated",
    "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed",
)
for _message in _CONFUSING:
    warnings.filterwarnings("ignore", message=_message)
logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # "No CUDA runtime is found"
import_megatron()


Moment = float | torch.cuda.Event
"""A point in the work of a device: a clock's time, or an event in the queue of a GPU."""


class DeviceRules(Protocol):
    """What must be known of a device to plan a run on it, here or on another machine."""

    @property
    def NAME(self) -> Literal["cpu", "cuda"]:
        """Which backend it is."""
        ...

    def problems(
        self,
        parallel: ParallelConfig,
        precision: PrecisionConfig,
        memory: MemoryConfig = MemoryConfig(),  # noqa: B008, frozen
    ) -> list[str]:
        """Options this device cannot run, each a message with the alternative."""
        ...


class Backend(DeviceRules, Protocol):
    """What the rest of the package may ask of a device; the modules `cpu` and `cuda` provide it."""

    COMMUNICATION: Literal["gloo", "nccl"]
    """Backend of torch.distributed."""

    def device(self) -> torch.device:
        """The device of this process."""
        ...

    def activate(self) -> AbstractContextManager[object]:
        """Select the device; megatron-core may be used inside the context."""
        ...

    def has_transformer_engine(self) -> bool:
        """Whether Transformer Engine's layers are to be used."""
        ...

    def has_fused_gradients(self) -> bool:
        """Whether weight gradients can be added to their buffer inside the matrix product."""
        ...

    def share_buffers(self, shape: tuple[int, int], *, tensor: int, fp8: bool) -> None:
        """Make the buffers of parallel.tp_comm_overlap for activations of `shape`."""
        ...

    def synchronize(self) -> None:
        """Wait for queued work, so that a clock reads true."""
        ...

    def device_name(self) -> str:
        """What its maker calls the device."""
        ...

    def moment(self) -> Moment:
        """When the device comes to this place of its work; waits for nothing."""
        ...

    def seconds_between(self, first: Moment, second: Moment) -> float:
        """Seconds from one moment to another; the device must have come to both."""
        ...

    def memory_bytes(self) -> int:
        """Memory this process uses on the device now."""
        ...

    def reserved_memory_bytes(self) -> int | None:
        """Memory kept from other processes, used or not; None where that is not known."""
        ...

    def peak_memory_bytes(self) -> int:
        """Most memory this process has used on the device."""
        ...


def select_backend(name: Literal["auto", "cuda", "cpu"]) -> Backend:
    """The backend called `name`; `auto` is CUDA where a GPU is visible.

    The module is loaded by name so that a CUDA run never imports the CPU emulation.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            "backend must be one this machine has, got cuda without a visible GPU. "
            "Use --backend cpu, or check the driver and CUDA_VISIBLE_DEVICES."
        )
    module: Backend = importlib.import_module(f"megatron_crossic.backend.{name}")
    return module


def local_rank() -> int:
    """Number of this process on its host, as torchrun sets it."""
    return int(os.environ.get("LOCAL_RANK", "0"))
