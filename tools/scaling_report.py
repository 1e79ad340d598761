"""Says how throughput grows with the number of devices, from several results.

python tools/scaling_report.py profiles/1-node profiles/2-nodes --output-folder profiles/scaling

Strong scaling: the same global batch on more devices. Weak: the same batch a device.
"""

import argparse
from pathlib import Path

from megatron_crossic.commandline import ArgumentParser, run
from megatron_crossic.profiling.scaling_report import report_scaling


def main() -> None:
    arguments = parse()
    folder = arguments.output_folder
    print(report_scaling(arguments.profiles, folder, overwrite=arguments.overwrite), end="")
    print(f"\nwritten to {folder}")


def parse() -> argparse.Namespace:
    parser = ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add(
        "profiles",
        type=Path,
        nargs="+",
        metavar="PROFILE",
        help="profile.json of profile_throughput.py, or its folder; all points in it count",
    )
    add(
        "--output-folder",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="gets scaling.json, scaling.md and scaling.png",
    )
    add("--overwrite", action="store_true", help="replace the report in FOLDER")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
