"""Show where training runs stand, and what there is to do, if anything.

python tools/status.py runs/qwen-th
python tools/status.py runs/*            # one line each
python tools/status.py runs/qwen-th --json

Only reads files; works beside a run in progress, with Slurm and without.
"""

import argparse
import time
from dataclasses import asdict
from pathlib import Path

from megatron_crossic.commandline import ArgumentParser, run
from megatron_crossic.inspection.runs.status import read_status
from megatron_crossic.inspection.runs.status_text import advice, screen, table
from megatron_crossic.jsonl import to_json_line


def main() -> None:
    arguments = parse()
    now = time.time()
    statuses = [read_status(folder, now=now) for folder in arguments.run_dirs]
    if arguments.json:
        for status in statuses:
            values = {**asdict(status), "to_do": advice(status)}
            print(to_json_line(values).decode("utf-8"), end="")
    elif len(statuses) == 1:
        print(screen(statuses[0], now=now))
    else:
        print(table(statuses, now=now))


def parse() -> argparse.Namespace:
    parser = ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("run_dirs", type=Path, nargs="+", metavar="RUN_DIR", help="folder of a run")
    add("--json", action="store_true", help="one JSON object a line and run, for machines")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
