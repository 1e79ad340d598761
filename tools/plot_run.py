"""Draw one picture of one or more training runs, finished or not.

python tools/plot_run.py runs/qwen-th --output qwen-th.png
python tools/plot_run.py runs/crossic runs/mix --x tokens --output compared.html
"""

import argparse
from pathlib import Path

from megatron_crossic.commandline import ArgumentParser, run
from megatron_crossic.files import refuse_existing, refuse_inputs
from megatron_crossic.inspection.runs.curves import METRICS_FILE, VALIDATION_FILE, read_runs
from megatron_crossic.inspection.runs.page import check_format, write_plot


def main() -> None:
    arguments = parse()
    folders, output = arguments.run_dirs, arguments.output
    check_format(output)
    read = [folder / name for folder in folders for name in (METRICS_FILE, VALIDATION_FILE)]
    refuse_inputs([output], inputs=read)
    refuse_existing(output, overwrite=arguments.overwrite)
    write_plot(output, read_runs(folders), x=arguments.x)
    print(output)


def parse() -> argparse.Namespace:
    parser = ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("run_dirs", type=Path, nargs="+", metavar="RUN_DIR", help="folder with metrics.jsonl")
    add("--output", type=Path, required=True, metavar="FILE", help="FILE.png or FILE.html")
    add("--x", choices=("step", "tokens"), default="step", help="from left to right; default step")
    add("--overwrite", action="store_true", help="replace FILE if it exists")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
