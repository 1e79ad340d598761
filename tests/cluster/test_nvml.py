"""Reading a GPU, on a machine that has none: what can be known, and what is said."""

import importlib.util
import inspect
import re
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from megatron_crossic.cluster.nvml import (
    NOT_INSTALLED,
    device_key,
    read_gpu,
    read_handle,
    slowdowns,
)
from megatron_crossic.cluster.readings import GpuReading


def test_a_power_cap_alone_is_no_slowdown() -> None:
    assert slowdowns(0x1 | 0x4) == ()
    assert slowdowns(0x4 | 0x8 | 0x40) == ("hardware slowdown", "hardware thermal slowdown")


def test_a_process_finds_its_gpu_whatever_is_visible() -> None:
    assert [device_key(rank, None) for rank in (0, 3)] == [0, 3]
    assert [device_key(rank, "2,3") for rank in (0, 1, 2)] == [2, 3, None]
    assert device_key(1, "GPU-aa, GPU-bb") == "GPU-bb"
    assert device_key(0, "") is None


def test_without_a_gpu_or_the_package_it_is_said_why() -> None:
    assert read_gpu(None) == (None, "no GPU is visible to this rank")
    reading, why = read_gpu(1000)
    assert reading is None
    installed = importlib.util.find_spec("pynvml") is not None
    assert why.startswith("NVML: ") if installed else why == NOT_INSTALLED


def test_the_bits_are_those_of_nvml() -> None:
    nvml = pytest.importorskip("pynvml")
    names = ["HwSlowdown", "SwThermalSlowdown", "HwThermalSlowdown", "HwPowerBrakeSlowdown"]
    bits = [getattr(nvml, f"nvmlClocksThrottleReason{name}") for name in names]
    assert len({reason for bit in bits for reason in slowdowns(bit)}) == 4
    assert slowdowns(nvml.nvmlClocksThrottleReasonSwPowerCap) == ()
    assert nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED == 1
    assert (nvml.NVML_VOLATILE_ECC, nvml.NVML_TEMPERATURE_GPU) == (0, 0)


class StandIn:
    """A GPU that has no ECC, and a driver that knows nothing of rows."""

    class NVMLError(Exception):
        pass

    def __getattr__(self, name: str) -> Callable[..., object]:
        answers = {
            "nvmlDeviceGetMemoryInfo": SimpleNamespace(free=60 << 30, total=80 << 30),
            "nvmlDeviceGetTemperature": 40,
            "nvmlDeviceGetCurrentClocksThrottleReasons": 0x4 | 0x80,
            "nvmlDeviceGetComputeRunningProcesses": [
                SimpleNamespace(pid=7, usedGpuMemory=19 << 30),
                SimpleNamespace(pid=8, usedGpuMemory=None),
            ],
        }

        def answer(*_: object) -> object:
            if name not in answers:
                raise self.NVMLError("Not Supported")
            return answers[name]

        return answer


def test_what_a_gpu_does_not_answer_is_not_known() -> None:
    assert read_handle(StandIn(), object()) == GpuReading(
        slowdowns=("power brake",),
        temperature=40,
        free_bytes=60 << 30,
        total_bytes=80 << 30,
        processes=("process 7 (19.0 GiB)", "process 8"),
    )


def test_all_that_is_asked_exists() -> None:
    nvml = pytest.importorskip("pynvml")
    source = inspect.getsource(read_handle) + inspect.getsource(read_gpu)
    names = set(re.findall(r"nvml\.(nvml\w+|NVML\w+)", source))
    assert len(names) >= 9
    assert [name for name in names if not hasattr(nvml, name)] == []
