"""The meter of a device, and why there is none."""

from types import ModuleType

import pynvml
import pytest

from megatron_crossic.backend import select_backend
from megatron_crossic.profiling.energy import meter_by_uuid, meter_of


class Board(ModuleType):
    """NVML of a machine with one GPU that counts 1,500 mJ more at each look."""

    NVMLError = ValueError

    def __init__(self) -> None:
        super().__init__("board")
        self.millijoules = 0

    def nvmlInit(self) -> None:
        pass

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:
        if uuid != "GPU-1":
            raise ValueError("Not Found")
        return uuid

    def nvmlDeviceGetTotalEnergyConsumption(self, _: str) -> int:
        self.millijoules += 1500
        return self.millijoules


def test_millijoules_are_joules() -> None:
    meter = meter_by_uuid(Board(), "GPU-1")
    first, second = meter.joules(), meter.joules()
    assert first is not None
    assert second is not None
    assert second - first == pytest.approx(1.5)


def test_what_nvml_refuses_is_a_reason() -> None:
    meter = meter_by_uuid(Board(), "GPU-2")
    assert meter.joules() is None
    assert meter.reason == "NVML has no energy of GPU-2: Not Found"


def test_nvidias_library_without_a_gpu_is_a_reason() -> None:
    meter = meter_by_uuid(pynvml, "GPU-none")
    assert meter.joules() is None
    assert str(meter.reason).startswith("NVML has no energy of GPU-none: ")


def test_a_cpu_has_no_meter() -> None:
    meter = meter_of(select_backend("cpu"))
    assert meter.joules() is None
    assert "this run has none" in str(meter.reason)
