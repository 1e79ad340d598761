"""Energy a GPU has used, from NVIDIA's management library (NVML) where it can be asked.

NVML counts the millijoules of the whole board since its driver was loaded, on Volta and later. Two
readings around the measured steps give what they took, idle time between them included.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import torch

from megatron_crossic.backend import Backend

_JOULE = 1e-3  # a millijoule


@dataclass(frozen=True, kw_only=True, slots=True)
class EnergyMeter:
    """Reads the counter of one device, or says why it cannot."""

    read: Callable[[], float] | None = None
    """Joules since some moment; None where nobody counts them."""
    reason: str | None = None
    """Why there is no figure."""

    def joules(self) -> float | None:
        """The counter now."""
        return None if self.read is None else self.read()


def meter_of(backend: Backend) -> EnergyMeter:
    """The meter of this rank's device."""
    if backend.NAME != "cuda":
        return EnergyMeter(reason="NVML counts the energy of NVIDIA's GPUs, this run has none")
    try:
        nvml = importlib.import_module("pynvml")
    except ImportError:
        return EnergyMeter(reason="nvidia-ml-py is not installed (extra: gpu)")
    uuid = torch.cuda.get_device_properties(backend.device()).uuid
    return meter_by_uuid(nvml, f"GPU-{uuid}")


def meter_by_uuid(nvml: ModuleType, uuid: str) -> EnergyMeter:
    """The meter of the GPU with this identifier; what NVML refuses is a reason."""
    try:
        nvml.nvmlInit()
        handle = nvml.nvmlDeviceGetHandleByUUID(uuid)
        nvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except nvml.NVMLError as error:
        return EnergyMeter(reason=f"NVML has no energy of {uuid}: {error}")
    return EnergyMeter(
        read=lambda: float(nvml.nvmlDeviceGetTotalEnergyConsumption(handle)) * _JOULE
    )
