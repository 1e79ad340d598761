"""The meter of a device, and why there is none."""

from types import ModuleType

import pynvml
import pytest

from megatron_crossic.backend import select_backend
from megatron_crossic.profiling.energy import Reading, meter_by_uuid, meter_of, used


class Board(ModuleType):
    """NVML of a machine with one GPU that counts 1,500 mJ more at each look."""

    NVMLError = ValueError

    def __init__(self) -> None:
        super().__init__("board")
        self.millijoules = 0
        self.is_lost = False

    def nvmlInit(self) -> None:
        pass

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:
        if uuid != "GPU-1":
            raise ValueError("Not Found")
        return uuid

    def nvmlDeviceGetTotalEnergyConsumption(self, _: str) -> int:
        if self.is_lost:
            raise ValueError("GPU is lost")
        self.millijoules += 1500
        return self.millijoules


def test_millijoules_are_joules() -> None:
    meter = meter_by_uuid(Board(), "GPU-1")
    assert used(meter.reading(), meter.reading()).joules == pytest.approx(1.5)


def test_what_nvml_refuses_is_a_reason() -> None:
    found = meter_by_uuid(Board(), "GPU-2").reading()
    assert found == Reading(reason="NVML has no energy of GPU-2: Not Found")


def test_what_nvml_refuses_later_is_a_reason() -> None:
    board = Board()
    meter = meter_by_uuid(board, "GPU-1")
    before = meter.reading()
    board.is_lost = True
    found = used(before, meter.reading())
    assert found == Reading(reason="NVML has no energy of GPU-1: GPU is lost")


def test_nvidias_library_without_a_gpu_is_a_reason() -> None:
    found = meter_by_uuid(pynvml, "GPU-none").reading()
    assert found.joules is None
    assert str(found.reason).startswith("NVML has no energy of GPU-none: ")


def test_a_cpu_has_no_meter() -> None:
    found = meter_of(select_backend("cpu")).reading()
    assert found.joules is None
    assert "this run has none" in str(found.reason)
