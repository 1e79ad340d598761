"""Readings -> complaints: which nodes should not train, and why. Pure, so that any can be tried.

A complaint is about a node, for a node is what Slurm can leave out. What is not known is no
complaint. A full disk that all nodes see is nobody's fault; it is told apart.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median_low

from megatron_crossic.cluster.readings import GpuReading, RankReading


@dataclass(frozen=True, kw_only=True, slots=True)
class Expectations:
    """What a healthy node has."""

    num_devices: int = 0
    """GPUs of a node; 0 on the CPU."""
    max_temperature: int = 85
    """Degrees Celsius; an H100 slows down from 87 on."""
    min_free_memory: float = 0.9
    """Share of the GPU's memory that nobody may have taken before the run."""
    min_free_disk_bytes: int = 1 << 30
    """In the run directory."""
    slow_factor: float | None = 1.2
    """A device that takes so many medians for the same matrix products; None is not judged."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Complaint:
    """A line of the file of unhealthy nodes."""

    node: str
    reason: str

    def line(self) -> str:
        """`node03 2 uncorrected memory errors on GPU rank 26`."""
        return f"{self.node} {self.reason}"


def complaints(readings: Sequence[RankReading], expected: Expectations) -> list[Complaint]:
    """What is wrong, by rank; a reason that all ranks of a node share is there once."""
    known = [one.probe_seconds for one in readings if one.probe_seconds is not None]
    usual = median_low(known) if known else None
    found = [
        Complaint(node=one.node, reason=reason)
        for one in readings
        for reason in (*_node_reasons(one, expected), *_rank_reasons(one, expected, usual))
    ]
    return list(dict.fromkeys(found))


def absences(
    ranks: Sequence[int], *, nodes: Sequence[str], world_size: int, seconds: float
) -> list[Complaint]:
    """Ranks that did not join -> their nodes.

    Slurm hands out ranks node by node: of 8 ranks on node00 and node01, 5 is on node01.
    """
    each = world_size // len(nodes) if nodes and world_size % len(nodes) == 0 else 0
    by_node: dict[str, list[int]] = {}
    for rank in ranks:
        by_node.setdefault(nodes[rank // each] if each else "unknown", []).append(rank)
    return [
        Complaint(
            node=node,
            reason=f"rank {', '.join(map(str, missing))} did not join within {seconds:g} s",
        )
        for node, missing in by_node.items()
    ]


def lacks_devices(readings: Sequence[RankReading]) -> bool:
    """Whether a rank has nothing to compute on, so that nothing can be measured together."""
    return any(one.probe_seconds is None for one in readings)


def disk_is_full_everywhere(readings: Sequence[RankReading], expected: Expectations) -> bool:
    """Whether no node has room or rights in the run directory: leaving nodes out does not help."""
    return bool(readings) and all(list(_disk_reasons(one, expected)) for one in readings)


def _node_reasons(one: RankReading, expected: Expectations) -> Iterator[str]:
    if one.num_devices < expected.num_devices:
        yield f"{one.num_devices} of {expected.num_devices} GPUs are visible"
    yield from _disk_reasons(one, expected)


def _disk_reasons(one: RankReading, expected: Expectations) -> Iterator[str]:
    if not one.can_write:
        yield "the run directory cannot be written"
    elif one.free_disk_bytes is not None and one.free_disk_bytes < expected.min_free_disk_bytes:
        yield (
            f"{one.free_disk_bytes / 2**30:.2f} GiB free in the run directory, "
            f"{expected.min_free_disk_bytes / 2**30:g} needed"
        )


def _rank_reasons(one: RankReading, expected: Expectations, usual: float | None) -> Iterator[str]:
    if one.probe_seconds is None:
        yield f"rank {one.rank} has no device: {one.device}"
    if one.gpu is not None:
        yield from (f"rank {one.rank}: {reason}" for reason in _gpu_reasons(one.gpu, expected))
    if expected.slow_factor and usual and one.probe_seconds:
        factor = one.probe_seconds / usual
        if factor > expected.slow_factor:
            yield (
                f"rank {one.rank}: {factor:.2f} times as slow at matrix products as the median "
                f"device ({1000 * one.probe_seconds:.1f} ms)"
            )


def _gpu_reasons(gpu: GpuReading, expected: Expectations) -> Iterator[str]:
    if gpu.uncorrected_errors:
        yield f"{gpu.uncorrected_errors} uncorrected memory errors"
    if gpu.remapping_failed:
        yield "a bad row of memory is not replaced; the GPU needs a reset or an exchange"
    if gpu.slowdowns:
        yield f"clocks held down: {', '.join(gpu.slowdowns)}"
    if gpu.temperature is not None and gpu.temperature > expected.max_temperature:
        yield f"{gpu.temperature} °C, more than {expected.max_temperature}"
    if gpu.free_bytes is not None and gpu.total_bytes:
        share = gpu.free_bytes / gpu.total_bytes
        if share < expected.min_free_memory:
            who = f", taken by {', '.join(gpu.processes)}" if gpu.processes else ""
            yield f"{share:.0%} of the memory is free, {expected.min_free_memory:.0%} needed{who}"
