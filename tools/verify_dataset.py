"""Read a data set back and check every law it was made by.

python tools/verify_dataset.py data/en-th
"""

import argparse
import time
from pathlib import Path

from megatron_crossic.commandline import ArgumentParser, ProgressLine, run
from megatron_crossic.data.verify import verify_data_set


def main() -> None:
    parser = ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("prefix", type=Path, nargs="+", help="PREFIX of the data sets")
    for prefix in parser.parse_args().prefix:
        verify(prefix)


def verify(prefix: Path) -> None:
    line, started = ProgressLine(), time.monotonic()

    def show(done: int, total: int) -> None:
        line(done, total, f"{done:,} of {total:,} windows")

    try:
        found = verify_data_set(prefix, on_windows=show)
    finally:
        line.end()
    seconds = time.monotonic() - started
    print(
        f"{prefix}: all laws hold: {found.windows:,} windows, {found.tokens:,} tokens, "
        f"{found.pairs:,} pairs; {found.num_bytes / 1e6:,.1f} MB at "
        f"{found.num_bytes / 1e6 / seconds:,.0f} MB/s"
    )


if __name__ == "__main__":
    run(main)
