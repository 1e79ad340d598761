r"""Measures how fast a training run would be, and where the time of its steps goes.

    python tools/profile_throughput.py --config run.yaml --output-folder profiles/one
    torchrun --nproc-per-node 8 tools/profile_throughput.py --config run.yaml --output-folder F
    python tools/profile_throughput.py --config run.yaml --output-folder profiles/sweep \
        --sweep parallel.tensor=1,2,4 --sweep micro_batch_size=1,2
    python tools/profile_throughput.py --compare profiles/before profiles/after

The real steps of the run, without checkpoints, validation and metrics; run_dir is not touched.
FOLDER gets profile.json, profile.md and profile.png. docs/profiling.md says how to read them.
"""

import argparse
from pathlib import Path

from megatron_crossic.commandline import ArgumentParser, run
from megatron_crossic.errors import ConfigError
from megatron_crossic.profiling.command import Request, compare_profiles, profile
from megatron_crossic.profiling.planning import MeasureOptions
from megatron_crossic.profiling.tracing import TraceOptions

OTHERS = """every other option is one of pretrain.py and wins over the configuration file:
--config run.yaml --parallel.tensor 2 --data.train [data/en-th] … (pretrain.py --help lists them)"""


def main() -> None:
    arguments, others = parse()
    if arguments.compare:
        if others:
            raise ConfigError(
                f"--compare must stand alone, got {' '.join(others)} too. Leave them out: nothing "
                "is measured."
            )
        print(compare_profiles(*arguments.compare), end="")
        return
    if arguments.output_folder is None:
        raise ConfigError("--output-folder must be given, got nothing. Name a folder for results.")
    table = profile(to_request(arguments, others))
    if table is not None:
        print(table, end="")
        print(f"\nwritten to {arguments.output_folder}")


def to_request(arguments: argparse.Namespace, others: list[str]) -> Request:
    ranks = tuple(arguments.trace_ranks) if arguments.trace else ()
    return Request(
        script=Path(__file__).resolve(),
        folder=arguments.output_folder,
        options=tuple(others),
        own_options=tuple(handed_on(arguments)),
        measure=MeasureOptions(
            steps=arguments.steps,
            warmup=arguments.warmup,
            trace=TraceOptions(ranks=ranks, steps=arguments.trace_steps),
            nvtx=arguments.nvtx,
        ),
        name=arguments.name,
        sweep=tuple(arguments.sweep),
        launcher=arguments.launcher,
        processes=arguments.processes,
        retry=arguments.retry,
        overwrite=arguments.overwrite,
    )


def handed_on(arguments: argparse.Namespace) -> list[str]:
    """What every point of a sweep is told."""
    words = ["--steps", str(arguments.steps), "--warmup", str(arguments.warmup)]
    if arguments.trace:
        words += ["--trace", "--trace-steps", str(arguments.trace_steps), "--trace-ranks"]
        words += map(str, arguments.trace_ranks)
    return [*words, "--nvtx"] if arguments.nvtx else words


def parse() -> tuple[argparse.Namespace, list[str]]:
    parser = ArgumentParser(
        description=__doc__,
        epilog=OTHERS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--output-folder", type=Path, metavar="FOLDER", help="gets the results")
    add(
        "--steps",
        type=int,
        default=20,
        metavar="N",
        help="timed steps, and as many for the shares (20)",
    )
    add("--warmup", type=int, default=5, metavar="N", help="steps before them (default 5)")
    add("--name", help="what the point is called in tables (default: its layout)")
    add("--overwrite", action="store_true", help="replace the results in FOLDER; no sweep's")
    add_sweep_options(parser)
    add_trace_options(parser)
    add(
        "--compare",
        nargs=2,
        type=Path,
        metavar=("BEFORE", "AFTER"),
        help="measure nothing: say of two results whether they differ by more than their spread",
    )
    return parser.parse_known_args()


def add_sweep_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("many points, each in processes of its own").add_argument
    add(
        "--sweep",
        action="append",
        default=[],
        metavar="OPTION=V,V,…",
        help="values of an option of pretrain.py; repeated: the product. Started with python, not "
        "torchrun. The same command goes on with the points that are missing",
    )
    add(
        "--processes",
        type=int,
        metavar="N",
        help="processes on each node (default: its GPUs; on the CPU as few as the layout needs)",
    )
    add(
        "--launcher",
        metavar="COMMAND",
        help="what starts the ranks of a point, before the script; {python}, {processes}, {nodes}, "
        "{host} and {port} are filled in (default: torchrun here; in a Slurm job of several nodes "
        "srun with a torchrun on each)",
    )
    add("--retry", action="store_true", help="measure points that failed again")


def add_trace_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("a closer look").add_argument
    add(
        "--trace",
        action="store_true",
        help="also write traces of torch.profiler to FOLDER/traces, of steps after the measured",
    )
    add("--trace-steps", type=int, default=2, metavar="N", help="steps a trace holds (default 2)")
    add("--trace-ranks", type=int, nargs="+", default=[0], metavar="R", help="default: rank 0")
    add(
        "--nvtx",
        action="store_true",
        help="GPU only, without --trace: name the phases for Nsight Systems and mark the divided "
        "steps, for nsys profile --capture-range=cudaProfilerApi",
    )


if __name__ == "__main__":
    run(main)
