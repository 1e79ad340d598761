"""What a health check found, for people."""

from collections.abc import Sequence
from statistics import median_low

from megatron_crossic.cluster.check import CheckOptions, Verdict
from megatron_crossic.cluster.readings import GpuReading, RankReading

_TITLES = "rank node device GPUs errors clocks °C memory disk products".split()


def verdict_text(verdict: Verdict, options: CheckOptions) -> str:
    """A row a rank, the all-reduce, what was not checked, and the bad nodes."""
    known = [one.probe_seconds for one in verdict.readings if one.probe_seconds is not None]
    usual = median_low(known) if known else None
    rows = [_TITLES, *(_row(one, usual) for one in verdict.readings)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_TITLES))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines.append(_bandwidth_line(verdict, options))
    lines += sorted(
        {f"not checked on {one.node}: {one.not_checked}" for one in verdict.readings if not one.gpu}
    )
    lines += [f"unhealthy: {complaint.line()}" for complaint in verdict.complaints]
    return "\n".join(lines if verdict.complaints else [*lines, "all nodes are healthy"])


def _bandwidth_line(verdict: Verdict, options: CheckOptions) -> str:
    if verdict.bandwidth is None:
        return "all-reduce: not measured"
    minimum = options.min_allreduce_gbps
    wanted = f"at least {minimum:g} expected" if minimum else "no expectation given"
    return f"all-reduce over all ranks: {verdict.bandwidth:.3g} GB/s bus bandwidth, {wanted}"


def _row(one: RankReading, usual: float | None) -> Sequence[str]:
    gpu = one.gpu or GpuReading()
    memory = "-"
    if gpu.free_bytes is not None and gpu.total_bytes:
        memory = f"{gpu.free_bytes / gpu.total_bytes:.0%} free"
    products = "-"
    if one.probe_seconds is not None and usual:
        products = f"{1000 * one.probe_seconds:.1f} ms, {one.probe_seconds / usual:.2f} of median"
    disk = "-" if one.free_disk_bytes is None else f"{one.free_disk_bytes / 2**30:,.0f} GiB free"
    return (
        str(one.rank),
        one.node,
        one.device[:40],
        str(one.num_devices),
        "-" if gpu.uncorrected_errors is None else str(gpu.uncorrected_errors),
        "-" if gpu.slowdowns is None else ", ".join(gpu.slowdowns) or "ok",
        "-" if gpu.temperature is None else str(gpu.temperature),
        memory,
        disk if one.can_write else "not writable",
        products,
    )
