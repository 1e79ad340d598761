"""Join pair files that share sources, for windows of three or more languages.

python tools/join_pairs.py --pairs data/en-ar.jsonl data/en-ja.jsonl --output data/en-ar-ja.jsonl
"""

import argparse
from pathlib import Path
from typing import get_args

from megatron_crossic.commandline import ArgumentParser, ProgressLine, run
from megatron_crossic.data.inputs import expand_inputs
from megatron_crossic.data.join import JoinOptions, Require, join_pairs


def main() -> None:
    parser = ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--pairs", nargs="+", required=True, help="pair files; the first gives the sources")
    add("--output", type=Path, required=True, help="pair file to write")
    add("--require", choices=get_args(Require), default="all", help="targets a source needs")
    add("--overwrite", action="store_true", help="replace an existing output")
    values = vars(parser.parse_args())
    options = JoinOptions(**values | {"pairs": expand_inputs(values["pairs"])})
    line = ProgressLine()

    def show(done: int, total: int) -> None:
        line(done, total, f"{done / 1e6:,.0f} of {total / 1e6:,.0f} MB")

    try:
        manifest = join_pairs(options, on_progress=show)
    finally:
        line.end()
    print(f"{options.output}: {manifest.counts['pairs']:,} of {manifest.counts['pairs_read']:,} "
          "sources, each with its targets")  # fmt: skip
    for reason, count in manifest.drops.items():
        print(f"  dropped: {reason} {count:,}")
    if differing := manifest.counts["differing_sources"]:
        print(f"  {differing:,} sources have another text in a later file; the first is used")


if __name__ == "__main__":
    run(main)
