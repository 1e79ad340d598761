"""Leave near-duplicate pairs, or paragraphs that repeat, out of pair files.

    python tools/deduplicate_pairs.py --pairs data/en-th.jsonl --pairs-threshold 0.8 \
        --output data/en-th-unique.jsonl --log data/en-th-removed.jsonl
"""

import argparse
import sys
from pathlib import Path
from typing import get_args

from megatron_crossic.commandline import ArgumentParser, ProgressLine, run
from megatron_crossic.data.deduplicate.build import deduplicate_pairs
from megatron_crossic.data.deduplicate.options import CompareSide, DeduplicateOptions
from megatron_crossic.data.inputs import expand_inputs
from megatron_crossic.manifest import Manifest, manifest_path


def main() -> None:
    options = parse_options(sys.argv[1:])
    line = ProgressLine()

    def show(done: int, total: int) -> None:
        line(done, total, f"{done / 1e6:,.0f} of {total / 1e6:,.0f} MB in two passes")

    try:
        manifest = deduplicate_pairs(options, on_progress=show)
    finally:
        line.end()
    print("\n".join(summary_lines(manifest, options.output)))


def parse_options(arguments: list[str]) -> DeduplicateOptions:
    """The command line as options; every flag is a field of `DeduplicateOptions`."""
    parser = ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--pairs", nargs="+", required=True, help="pair files; the first text wins")
    add("--output", type=Path, required=True, help="pair file to write")
    add("--pairs-threshold", type=float, help="drop pairs this similar to an earlier, e.g. 0.8")
    add("--side", choices=get_args(CompareSide), default="both", help="what of a pair is compared")
    add("--paragraphs-threshold", type=float, help="drop paragraphs this similar to an earlier")
    add("--paragraphs-min-characters", type=int, default=100, help="shorter paragraphs stay")
    add("--log", type=Path, help="JSON lines: what was removed, and what it repeats")
    add("--overwrite", action="store_true", help="replace an existing output")
    values = vars(parser.parse_args(arguments))
    return DeduplicateOptions(**values | {"pairs": expand_inputs(values["pairs"])})


def summary_lines(manifest: Manifest, output: Path) -> list[str]:
    """What stayed and what went as a small table."""
    counts = manifest.counts
    removed = counts["characters_removed"]
    rows = [
        ("pairs read", counts["pairs_read"]),
        ("pairs written", counts["pairs"]),
        *((f"  dropped: {reason}", n) for reason, n in manifest.drops.items()),
        ("characters read", counts["characters_read"]),
        ("characters written", counts["characters_written"]),
        *((f"  removed: {reason}", n) for reason, n in removed.items()),
    ]
    if counts["full_buckets"]:
        rows.append(("groups compared in part (see docs)", counts["full_buckets"]))
    table = [f"  {label:42}{n:>16,}" for label, n in rows]
    return [str(output), *table, f"account: {manifest_path(output)}"]


if __name__ == "__main__":
    run(main)
