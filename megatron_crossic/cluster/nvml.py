"""Reads a GPU through NVML (package nvidia-ml-py, extra gpu), without touching it through CUDA.

A CUDA context would take half a GB and show up as a process of our own.
"""

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any, TypeVar

from megatron_crossic.cluster.readings import GpuReading

NOT_INSTALLED = "nvidia-ml-py is not installed (pip install '.[gpu]')"

# Bits of nvmlDeviceGetCurrentClocksThrottleReasons, from nvml.h. 0x4, the software's power cap, is
# the normal state of a busy GPU and no reason to complain.
_SLOWDOWNS = {
    0x08: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "power brake",
}
_UNCORRECTED, _SINCE_DRIVER, _CORE = 1, 0, 0  # NVML_MEMORY_ERROR_TYPE_…, NVML_VOLATILE_ECC, …_GPU

Value = TypeVar("Value")


def slowdowns(bits: int) -> tuple[str, ...]:
    """The reasons among `bits` that mean trouble."""
    return tuple(name for bit, name in _SLOWDOWNS.items() if bits & bit)


def device_key(local_rank: int, visible: str | None) -> int | str | None:
    """Index or UUID by which NVML knows a process' GPU; None where it has none.

    NVML does not read CUDA_VISIBLE_DEVICES: with `2,3` the second process has index 3.
    """
    if visible is None:
        return local_rank
    names = [name.strip() for name in visible.split(",") if name.strip()]
    if local_rank >= len(names):
        return None
    name = names[local_rank]
    return int(name) if name.isdecimal() else name


def read_gpu(key: int | str | None) -> tuple[GpuReading | None, str]:
    """What is known about this GPU, or nothing and why."""
    if key is None:
        return None, "no GPU is visible to this rank"
    if importlib.util.find_spec("pynvml") is None:
        return None, NOT_INSTALLED
    nvml = importlib.import_module("pynvml")
    try:
        nvml.nvmlInit()
        try:
            handle = (
                nvml.nvmlDeviceGetHandleByIndex(key)
                if isinstance(key, int)
                else nvml.nvmlDeviceGetHandleByUUID(key)
            )
            return read_handle(nvml, handle), ""
        finally:
            nvml.nvmlShutdown()
    except nvml.NVMLError as error:
        return None, f"NVML: {error}"


def read_handle(nvml: Any, handle: Any) -> GpuReading:
    """What NVML, the module, answers about one device."""

    def ask(question: Callable[..., Value], *more: object) -> Value | None:
        try:
            return question(handle, *more)
        except nvml.NVMLError:  # not every GPU answers everything
            return None

    rows = ask(nvml.nvmlDeviceGetRemappedRows)  # corrected, uncorrected, pending, failed
    bits = ask(nvml.nvmlDeviceGetCurrentClocksThrottleReasons)
    memory = ask(nvml.nvmlDeviceGetMemoryInfo)
    processes = ask(nvml.nvmlDeviceGetComputeRunningProcesses)
    return GpuReading(
        uncorrected_errors=ask(nvml.nvmlDeviceGetTotalEccErrors, _UNCORRECTED, _SINCE_DRIVER),
        remapping_failed=None if rows is None else bool(rows[2] or rows[3]),
        slowdowns=None if bits is None else slowdowns(int(bits)),
        temperature=ask(nvml.nvmlDeviceGetTemperature, _CORE),
        free_bytes=None if memory is None else int(memory.free),
        total_bytes=None if memory is None else int(memory.total),
        processes=None if processes is None else tuple(map(_process, processes)),
    )


def _process(process: Any) -> str:
    used = process.usedGpuMemory  # None where the driver does not say
    return f"process {process.pid}" + ("" if used is None else f" ({used / 2**30:.1f} GiB)")
