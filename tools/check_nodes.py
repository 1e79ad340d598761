"""Check the nodes of a job before its first step.

    srun --ntasks-per-node 8 … tools/check_nodes.py --run-dir RUN --expect-devices 8 \\
        --unhealthy RUN/slurm/17.0/unhealthy
    torchrun … tools/check_nodes.py …

Started like training, with RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT. Ends with 0, or with 10
where a node is unhealthy; torchrun makes 1 of that, the file is the same. With one task a rank a
node that does not come is named; torchrun itself waits for it.
"""

import argparse
import os
import sys
from pathlib import Path

from megatron_crossic.cluster.check import CheckOptions, Verdict, check_nodes, write_unhealthy
from megatron_crossic.cluster.health import Expectations
from megatron_crossic.cluster.meeting import find_place
from megatron_crossic.cluster.nodes import expand_nodes
from megatron_crossic.cluster.table import verdict_text
from megatron_crossic.commandline import ArgumentParser, run
from megatron_crossic.errors import ConfigError, DataError


def main() -> None:
    arguments = parse()
    options = to_options(arguments)
    found = check_nodes(find_place(), options)
    exit_code = 0 if found is None else report(found, options, arguments.unhealthy)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)  # a collective that hangs would keep the process


def report(verdict: Verdict, options: CheckOptions, unhealthy: Path | None) -> int:
    print(verdict_text(verdict, options))
    if verdict.is_full:
        raise DataError(
            f"run_dir must have room and be writable on the nodes, got {options.run_dir}. "
            "Free some space, or choose another run_dir."
        )
    if unhealthy is not None and verdict.complaints:
        write_unhealthy(unhealthy, verdict.complaints)
    return verdict.exit_code


def to_options(arguments: argparse.Namespace) -> CheckOptions:
    num_devices = number_of_devices(arguments.expect_devices)
    factor = arguments.slow_factor or (1.2 if num_devices else None)
    return CheckOptions(
        run_dir=arguments.run_dir,
        expected=Expectations(
            num_devices=num_devices,
            max_temperature=arguments.max_temperature,
            min_free_memory=arguments.min_free_memory,
            min_free_disk_bytes=int(arguments.min_free_disk_gib * 2**30),
            slow_factor=factor,
        ),
        min_allreduce_gbps=arguments.min_allreduce_gbps,
        timeout_seconds=arguments.timeout_seconds,
        nodes=tuple(expand_nodes(arguments.nodes)),
    )


def number_of_devices(text: str) -> int:
    """`8` and `h100:8`, as SLURM_GPUS_PER_NODE has it."""
    number = text.rpartition(":")[2] or "0"
    if not number.isdecimal():
        raise ConfigError(
            f"--expect-devices must be a number, got {text}. Give the GPUs of a node, such as 8."
        )
    return int(number)


def parse() -> argparse.Namespace:
    parser = ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--run-dir", type=Path, required=True, metavar="RUN", help="must be writable")
    add("--expect-devices", default="0", metavar="N", help="GPUs of a node; 0 on the CPU")
    add("--unhealthy", type=Path, metavar="FILE", help="gets a line a bad node: NODE REASON")
    add(
        "--min-allreduce-gbps",
        type=float,
        default=0.0,
        metavar="GB/s",
        help="bus bandwidth over all ranks; 0, the default, reports it only",
    )
    add(
        "--timeout-seconds",
        type=float,
        default=180.0,
        metavar="S",
        help="for ranks to join, and for each measurement; default 180",
    )
    add(
        "--nodes",
        default=os.environ.get("SLURM_JOB_NODELIST", ""),
        metavar="LIST",
        help="all nodes of the job, as node[00-07]; default $SLURM_JOB_NODELIST",
    )
    add(
        "--slow-factor",
        type=float,
        metavar="X",
        help="a device that takes X medians is bad; default 1.2 on GPUs, not judged on CPUs",
    )
    add("--max-temperature", type=int, default=85, metavar="°C", help="default 85")
    add("--min-free-memory", type=float, default=0.9, metavar="SHARE", help="default 0.9")
    add("--min-free-disk-gib", type=float, default=1.0, metavar="GiB", help="default 1")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
