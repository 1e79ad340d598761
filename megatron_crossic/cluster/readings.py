"""What one rank of a health check reads on its own node, before it talks to others."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import orjson


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuReading:
    """What NVML says about a GPU; None where this GPU or driver does not answer."""

    uncorrected_errors: int | None = None
    """Memory errors since the driver was loaded that ECC could not mend."""
    remapping_failed: bool | None = None
    """Whether a bad row of memory could not be replaced, or waits for a reset to be."""
    slowdowns: tuple[str, ...] | None = None
    """Why the clock is held down, a power cap alone left out."""
    temperature: int | None = None
    """Degrees Celsius."""
    free_bytes: int | None = None
    total_bytes: int | None = None
    processes: tuple[str, ...] | None = None
    """Programs that were on it before this check."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RankReading:
    """One rank's device and node."""

    rank: int
    node: str
    device: str
    """Its name, or why there is none."""
    num_devices: int
    """GPUs visible to this process; 0 on the CPU."""
    probe_seconds: float | None = None
    """For a fixed number of matrix products; None without a device."""
    free_disk_bytes: int | None = None
    """In the file system of the run directory; None where it cannot be asked."""
    can_write: bool = True
    """Whether the run directory can be written from here."""
    gpu: GpuReading | None = None
    not_checked: str = ""
    """Why `gpu` is missing."""

    def to_json(self) -> bytes:
        """For the way through a store."""
        return orjson.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: bytes) -> "RankReading":
        """What `to_json` wrote."""
        values: dict[str, Any] = orjson.loads(text)
        return cls(**{**values, "gpu": _gpu(values.get("gpu"))})


def _gpu(values: Mapping[str, Any] | None) -> GpuReading | None:
    if values is None:
        return None
    lists = {name: tuple(v) for name, v in values.items() if isinstance(v, list)}
    return GpuReading(**{**values, **lists})
