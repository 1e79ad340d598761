"""Checks one GPU in minutes: does it compute what the CPU does, how fast, in which formats.

    python benchmarks/gpu_check.py --output benchmarks/results/gpu_check_h100.json

Needs PyTorch, megatron-core and this package; uses Transformer Engine where it is importable and
leaves FP8 out where it is not. Weights and tokens are random, nothing is downloaded. Writes one
JSON file and prints one table. What fails is told and does not stop the rest; the exit code is
then 1. `--dry` asks the same questions of a tiny model on the CPU, in seconds.
"""

import argparse
import importlib.metadata
import json
import platform
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from gpu_check_cases import DRY, FULL, Plan
from gpu_check_parts import device_name, free_memory, loss_gap, parity, speed
from gpu_check_report import table

from megatron_crossic.backend import Backend, select_backend
from megatron_crossic.commandline import ArgumentParser, run
from megatron_crossic.errors import ConfigError, CrossicError
from megatron_crossic.files import write_text_atomically

PACKAGES = ("torch", "megatron-core", "transformer-engine", "megatron-crossic")
Part = Callable[[], dict[str, Any]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, write, print."""
    options = parse(arguments)
    backend = select_backend("cpu" if options.dry else "cuda")
    plan = DRY if options.dry else FULL
    report: dict[str, Any] = {
        "machine": machine(backend),
        "dry": options.dry,
        "parts": run_parts(plan, backend, seconds=60 * options.minutes),
    }
    if options.output is not None:
        write_text_atomically(options.output, json.dumps(report, indent=2) + "\n")
    sys.stdout.write(table(report) + "\n")
    raise_failures(report["parts"])


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="the JSON file")
    parser.add_argument("--dry", action="store_true", help="a tiny model on the CPU")
    parser.add_argument(
        "--minutes", type=float, default=8, help="no part starts later; default %(default)s"
    )
    return parser.parse_args(arguments)


def run_parts(plan: Plan, backend: Backend, *, seconds: float) -> dict[str, dict[str, Any]]:
    """Every part that can start within `seconds`, each on its own."""
    started = time.monotonic()
    found = {}
    for name, part in parts(plan, backend):
        if time.monotonic() - started > seconds:
            found[name] = {"left_out": "out of time"}
            continue
        sys.stderr.write(f"{time.monotonic() - started:5.0f} s  {name}\n")
        began = time.monotonic()
        found[name] = {**run_part(part), "part_seconds": round(time.monotonic() - began, 1)}
        free_memory(backend)
    return found


def parts(plan: Plan, backend: Backend) -> Iterator[tuple[str, Part]]:
    """The quick ones first."""
    yield "parity", partial(parity, backend)
    yield "loss gap", partial(loss_gap, plan, backend)
    for workload in plan.workloads:
        for compute in plan.formats:
            part = partial(speed, workload, compute, backend, num_steps=plan.num_timed_steps)
            yield f"{workload.name}, {compute}", part


def run_part(part: Part) -> dict[str, Any]:
    """What the part found, why it cannot run here, or how it failed."""
    try:
        return part()
    except ConfigError as error:
        return {"left_out": str(error)}
    except Exception as error:  # whatever it is, the other parts are still worth having
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}"[:500]}


def raise_failures(parts: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise where a part failed or does not agree; one that cannot run here is no failure."""
    failed = [n for n, part in parts.items() if "error" in part or not part.get("agrees", True)]
    if failed:
        raise CrossicError(
            f"gpu check must pass in every part, got failures in {', '.join(failed)}. "
            "The table and the JSON file say what happened."
        )


def machine(backend: Backend) -> dict[str, Any]:
    """What the figures belong to."""
    found: dict[str, Any] = {
        "device": device_name(backend),
        "cpu": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "cuda": torch.version.cuda,
        "transformer_engine_used": backend.has_transformer_engine(),
        "fused_gradients": backend.has_fused_gradients(),
    }
    if backend.NAME == "cuda":
        properties = torch.cuda.get_device_properties(0)
        found["memory_bytes"] = properties.total_memory
        found["num_multiprocessors"] = properties.multi_processor_count
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


if __name__ == "__main__":
    run(main)
