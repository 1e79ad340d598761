"""Look at a pair file: what was kept, lengths, ratios, languages, and some pairs side by side.

python tools/report_pairs.py data/en-th.jsonl                     # the numbers, here
python tools/report_pairs.py data/en-th.jsonl --html en-th.html --png en-th.png --detect-languages
"""

import argparse
import sys
from pathlib import Path

from megatron_crossic.commandline import ArgumentParser, ProgressLine, run
from megatron_crossic.inspection.pairs.report import ReportOptions, report_pairs
from megatron_crossic.inspection.pairs.terminal import summary_lines
from megatron_crossic.inspection.pairs.write import refuse_outputs, write_report

DETECT = 1000


def main() -> None:
    arguments = parse()
    outputs = {"html": arguments.html, "png": arguments.png}
    options = ReportOptions(
        sample=arguments.sample,
        seed=arguments.seed,
        detect=arguments.detect_languages,
        short_characters=arguments.short_characters,
    )
    refuse_outputs(arguments.pairs, **outputs, overwrite=arguments.overwrite)
    line = ProgressLine()

    def show(done: int, total: int) -> None:
        line(done, total, f"{done / 1e6:,.0f} of {total / 1e6:,.0f} MB")

    try:
        report = report_pairs(arguments.pairs, options, on_progress=show)
    finally:
        line.end()
    written = write_report(report, **outputs)
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    print("\n".join(summary_lines(report)))
    for path in written:
        print(f"{path.stat().st_size / 1e6:.1f} MB: {path}")


def parse() -> argparse.Namespace:
    parser = ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("pairs", type=Path, metavar="PAIRS", help="pair file: .jsonl, .gz, .bz2, .zst or Parquet")
    add("--html", type=Path, metavar="FILE", help="write a page")
    add("--png", type=Path, metavar="FILE", help="write the charts as a picture")
    add("--sample", type=int, default=12, metavar="K", help="pairs on the page; %(default)s")
    add("--seed", type=int, default=0, help="of what is taken by chance; default %(default)s")
    add(
        "--detect-languages",
        type=int,
        nargs="?",
        const=DETECT,
        default=0,
        metavar="N",
        help=f"tell the languages of N pairs by chance; {DETECT} if N is left out",
    )
    add(
        "--short-characters",
        type=int,
        default=200,
        metavar="N",
        help="shorter texts count as very short; default %(default)s",
    )
    add("--overwrite", action="store_true", help="replace files that exist")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
