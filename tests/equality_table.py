"""Prints how far the losses of every layout are from those of one process, full and LoRA.

    python tests/equality_table.py --work /tmp/equality --output equality.json

10 steps of a model of four layers, without recompute and with full recompute, in fp32 on the CPU.
LoRA has dropout. A figure is the largest relative difference of a step's loss; the gradient norm's
stands beside it. Ends with an error where a loss differs by more than 1e-4.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from tiny_layouts import LAYOUTS
from tiny_lora import lora_config, lora_inputs
from tiny_runs import every_step, run_ranks, run_training, tiny_config

from megatron_crossic.config import MemoryConfig, ParallelConfig, RunConfig

BOUND = 1e-4
ONE = {"one process": (1, ParallelConfig())}
RECOMPUTE = {"none": MemoryConfig(), "full": MemoryConfig(recompute="full")}


def configs(work: Path) -> dict[str, RunConfig]:
    """A run of each kind on one process."""
    inputs = lora_inputs(work / "inputs")
    return {
        "full": tiny_config(inputs, run_dir=work / "full", num_steps=10),
        "lora": lora_config(inputs, work / "lora", dropout=0.3),
    }


def differences(run: RunConfig, reference: RunConfig) -> dict[str, float]:
    """Largest relative difference over the steps."""
    return {
        name: max(
            abs(ours / theirs - 1)
            for ours, theirs in zip(
                every_step(run.run_dir, name), every_step(reference.run_dir, name), strict=True
            )
        )
        for name in ("loss", "grad_norm")
    }


def main() -> None:
    """Run everything, print one row a layout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="a new folder")
    parser.add_argument("--output", type=Path, help="JSON file")
    options = parser.parse_args()
    options.work.mkdir(parents=True)
    table: dict[str, dict[str, dict[str, float]]] = {}
    for kind, reference in configs(options.work).items():
        run_training(reference)
        for name, (num_ranks, parallel) in {**ONE, **LAYOUTS}.items():
            for recompute, memory in RECOMPUTE.items():
                run_dir = reference.run_dir.with_name(f"{kind} {name} {recompute}")
                run = replace(reference, run_dir=run_dir, parallel=parallel, memory=memory)
                run_ranks(num_ranks, run_dir.with_suffix(".log"), run_training, run)
                found = differences(run, reference)
                table.setdefault(name, {})[f"{kind}, recompute {recompute}"] = found
                sys.stderr.write(f"{kind}, {name}, {recompute}: {found}\n")
    print_table(table)
    if options.output is not None:
        options.output.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
    worst = max(cell["loss"] for row in table.values() for cell in row.values())
    assert worst <= BOUND, f"a loss differs by {worst:.1e}"


def print_table(table: dict[str, dict[str, dict[str, float]]]) -> None:
    """Markdown: loss / gradient norm."""
    columns = list(next(iter(table.values())))
    sys.stdout.write(f"| layout | {' | '.join(columns)} |\n|{'---|' * (len(columns) + 1)}\n")
    for name, row in table.items():
        cells = " | ".join(f"{c['loss']:.1e} / {c['grad_norm']:.1e}" for c in row.values())
        sys.stdout.write(f"| {name} | {cells} |\n")


if __name__ == "__main__":
    main()
