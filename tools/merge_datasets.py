"""Put the shards of one preprocessing run together.

    python tools/merge_datasets.py --output-prefix data/en-th --shards 8

reads data/en-th-00000-of-00008 to data/en-th-00007-of-00008, which `tools/preprocess_data.py
--output-prefix data/en-th --shard I/8` made, and the shards of data/en-th-validation where there
are some. The windows are those of a run without shards, in the order of the shards.
"""

import argparse
import time
from pathlib import Path

from megatron_crossic.commandline import ArgumentParser, ProgressLine, run
from megatron_crossic.data.merge import MergeOptions, merge_shards
from megatron_crossic.data.options import VALIDATION_SUFFIX, shard_prefix
from megatron_crossic.files import beside
from megatron_crossic.manifest import manifest_path


def main() -> None:
    parser = ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--output-prefix", type=Path, required=True, help="PREFIX of the merged data set")
    add("--shards", type=int, required=True, metavar="N", help="number of shards")
    add("--match-tokens", type=Path, metavar="PREFIX", help="as many tokens as that data set")
    add("--overwrite", action="store_true", help="replace an existing data set")
    values = parser.parse_args()
    training = MergeOptions(
        output_prefix=values.output_prefix,
        num_shards=values.shards,
        match_tokens=values.match_tokens,
        overwrite=values.overwrite,
    )
    held_out = beside(values.output_prefix, VALIDATION_SUFFIX)
    jobs = [training]
    if manifest_path(shard_prefix(held_out, 0, values.shards)).exists():
        # Held-out windows first: without those to train on, they are what a killed merge left.
        left = not manifest_path(training.output_prefix).exists()
        options = MergeOptions(
            output_prefix=held_out, num_shards=values.shards, overwrite=values.overwrite or left
        )
        jobs.insert(0, options)
    for job in jobs:
        merge(job)


def merge(options: MergeOptions) -> None:
    line, started = ProgressLine(), time.monotonic()

    def show(done: int, total: int) -> None:
        line(done, total, f"{done:,} of {total:,} windows")

    try:
        manifest = merge_shards(options, on_windows=show)
    finally:
        line.end()
    megabytes = sum(file.num_bytes for file in manifest.files.values()) / 1e6
    print(
        f"{options.output_prefix}: {manifest.counts['windows']:,} windows of {options.num_shards} "
        f"shards, {megabytes:,.1f} MB at {megabytes / (time.monotonic() - started):,.0f} MB/s"
    )


if __name__ == "__main__":
    run(main)
