"""What the preprocessing benchmark reports: medians, ratios, shares, and the table of them."""

import os
import platform
import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from compared_tools import Measurement
from equal_tokens import Comparison

from megatron_crossic.errors import ConfigError

PACKAGES = ("gigatoken", "tokenizers", "transformers", "numpy", "orjson")
OURS, V016, MAIN = "ours", "megatron_v016", "megatron_main"
CLOCKS = ("wall", "inner", "cpu")


def figures(measured: dict[str, list[Measurement]], *, num_bytes: int) -> dict[str, Any]:
    """Medians and spread by tool, ratios of medians (above 1.0 ours is faster), stage shares."""
    tools = {name: tool_figures(runs, num_bytes=num_bytes) for name, runs in measured.items()}
    ratios = {
        name: {
            clock: round(median(tool, clock) / median(tools[OURS], clock), 3)
            for clock in CLOCKS
            if f"{clock}_seconds" in tool and f"{clock}_seconds" in tools[OURS]
        }
        for name, tool in tools.items()
        if name != OURS
    }
    return {
        "tools": tools,
        "ratios": ratios,
        "stage_shares": stage_shares([run.stages for run in measured[OURS]]),
    }


def tool_figures(runs: Sequence[Measurement], *, num_bytes: int) -> dict[str, Any]:
    """One tool's clocks; `inner_seconds` only where the tool reports it."""
    clocks = {
        "wall_seconds": [run.wall_seconds for run in runs],
        "inner_seconds": [run.inner_seconds for run in runs if run.inner_seconds is not None],
        "cpu_seconds": [run.cpu_seconds for run in runs],
    }
    figures: dict[str, Any] = {"runs": len(runs)}
    for clock, seconds in clocks.items():
        if len(seconds) == len(runs):
            figures[clock] = spread(seconds)
    for clock in ("wall", "inner"):
        if (found := figures.get(f"{clock}_seconds")) is not None:
            figures[f"mb_per_second_{clock}"] = round(num_bytes / 1e6 / found["median"], 2)
    return figures


def median(figures: Mapping[str, Any], clock: str) -> float:
    value: float = figures[f"{clock}_seconds"]["median"]
    return value


def spread(seconds: Sequence[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(seconds), 3),
        "min": round(min(seconds), 3),
        "max": round(max(seconds), 3),
    }


def stage_shares(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Share of each stage in the time of all stages, over all runs; empty where none was told."""
    sums: dict[str, float] = {}
    for run_stages in runs:
        for stage, seconds in run_stages.items():
            sums[stage] = sums.get(stage, 0.0) + seconds
    total = sum(sums.values())
    return {stage: round(seconds / total, 4) for stage, seconds in sums.items() if total}


def machine() -> dict[str, Any]:
    """Cores this process may use, and the processor's name where the system tells it."""
    try:
        names = re.findall(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    except OSError:
        names = []
    cpu = names[0] if names else platform.processor() or platform.machine()
    return {"cores": len(os.sched_getaffinity(0)), "cpu": cpu}


def versions(trees: Mapping[str, Path | None]) -> dict[str, str]:
    """Of Python, of what tokenizes, and of the Megatron-LM trees that were given."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    for name, tree in trees.items():
        if tree is not None:
            found[name] = tree_version(tree)
    return found


def tree_version(tree: Path) -> str:
    """`0.16.0` from the MAJOR, MINOR and PATCH that a tree's package_info.py assigns."""
    path = tree / "megatron" / "core" / "package_info.py"
    if not path.is_file():
        raise ConfigError(
            f"Megatron-LM tree must hold megatron/core/package_info.py, got {tree}. "
            "Give the folder of a checkout."
        )
    parts = dict(re.findall(r"^(MAJOR|MINOR|PATCH) = (\d+)", path.read_text("utf-8"), re.M))
    return ".".join(parts.get(part, "?") for part in ("MAJOR", "MINOR", "PATCH"))


def equality_to_json(found: Comparison) -> dict[str, Any]:
    return {
        "documents": found.num_documents,
        "tokens": found.num_tokens,
        "left_out": found.num_left_out,
        "reordered": found.num_reordered,
        "first_difference": found.first_difference,
    }


def table(report: Mapping[str, Any]) -> Iterator[str]:
    """The report for reading."""
    sizes, machine_ = report["input"], report["machine"]
    yield (
        f"{sizes['pairs']:,} pairs, {sizes['pair_bytes'] / 1e6:,.1f} MB "
        f"(documents file {sizes['document_bytes'] / 1e6:,.1f} MB), {report['workers']} workers, "
        f"{machine_['cores']} cores of {machine_['cpu']}"
    )
    yield f"{'':16}{'runs':>5}{'MB/s wall':>11}{'inner':>9}{'s wall':>10}{'inner':>9}{'CPU':>9}"
    for name, tool in report["tools"].items():
        speeds = (tool.get(f"mb_per_second_{clock}") for clock in ("wall", "inner"))
        seconds = (tool.get(f"{clock}_seconds", {}).get("median") for clock in CLOCKS)
        widths = (11, 9, 10, 9, 9)
        cells = "".join(map(cell, (*speeds, *seconds), widths))
        yield f"{name:16}{tool['runs']:>5}{cells}"
    for name, ratios in report["ratios"].items():
        said = ", ".join(f"{ratio:.2f} x by {clock}" for clock, ratio in ratios.items())
        yield f"ours is faster than {name}: {said}"
    if report["stage_shares"]:
        shares = report["stage_shares"].items()
        yield "stages: " + ", ".join(f"{stage} {share:.1%}" for stage, share in shares)
    for name, found in report["equality"].items():
        yield (
            f"tokens equal to {name}: {found['first_difference'] or 'all'} "
            f"({found['documents']:,} documents, {found['tokens']:,} tokens compared, "
            f"{found['left_out']} left out)"
        )


def cell(value: float | None, width: int) -> str:
    """A number, or a dash where the tool does not say."""
    return f"{'-' if value is None else f'{value:,.2f}':>{width}}"
