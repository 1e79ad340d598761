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
class Reading:
    """Joules, or why there are none."""

    joules: float | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class EnergyMeter:
    """Reads the counter of one device, or says why it cannot."""

    reading: Callable[[], Reading]
    """Joules since some moment."""


def used(before: Reading, after: Reading) -> Reading:
    """The energy between two readings."""
    if before.joules is None or after.joules is None:
        return Reading(reason=before.reason or after.reason)
    return Reading(joules=after.joules - before.joules)


def _no_meter(reason: str) -> EnergyMeter:
    return EnergyMeter(reading=lambda: Reading(reason=reason))


def meter_of(backend: Backend) -> EnergyMeter:
    """The meter of this rank's device."""
    if backend.NAME != "cuda":
        return _no_meter("NVML counts the energy of NVIDIA's GPUs, this run has none")
    try:
        nvml = importlib.import_module("pynvml")
    except ImportError:
        return _no_meter("nvidia-ml-py is not installed (extra: gpu)")
    uuid = torch.cuda.get_device_properties(backend.device()).uuid
    return meter_by_uuid(nvml, f"GPU-{uuid}")


def meter_by_uuid(nvml: ModuleType, uuid: str) -> EnergyMeter:
    """The meter of the GPU with this identifier; what NVML refuses is a reason."""
    try:
        nvml.nvmlInit()
        handle = nvml.nvmlDeviceGetHandleByUUID(uuid)
    except nvml.NVMLError as error:
        return _no_meter(_refused(uuid, error))

    def reading() -> Reading:
        try:
            return Reading(joules=nvml.nvmlDeviceGetTotalEnergyConsumption(handle) * _JOULE)
        except nvml.NVMLError as error:  # at any time: the GPU may be lost, the driver busy
            return Reading(reason=_refused(uuid, error))

    return EnergyMeter(reading=reading)


def _refused(uuid: str, error: Exception) -> str:
    return f"NVML has no energy of {uuid}: {error}"
