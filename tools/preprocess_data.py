"""Turn pair records into a Megatron data set of bilingual windows.

    python tools/preprocess_data.py --pairs pairs.jsonl --tokenizer DIR_OR_MODEL \
        --seq-length 4096 --mode crossic --output-prefix data/en-es
"""

import argparse
import sys
import time
from pathlib import Path
from typing import get_args

from megatron_crossic.commandline import ArgumentParser, run
from megatron_crossic.data.modes import MODES
from megatron_crossic.data.options import PreprocessOptions
from megatron_crossic.data.pipeline import Progress, preprocess
from megatron_crossic.data.report import DataSetReport
from megatron_crossic.data.selection import LengthRatioRule
from megatron_crossic.data.windows import ASSEMBLIES, BUFFER_CHUNKS


def main() -> None:
    options = parse_options(sys.argv[1:])
    reporter = ProgressLine()
    try:
        report = preprocess(options, on_progress=reporter)
    finally:
        reporter.end()
    for data_set in (report.training, report.validation):
        if data_set is not None:
            print("\n".join(summary_lines(data_set)))


def parse_options(arguments: list[str]) -> PreprocessOptions:
    """The command line as options; every flag is a field of `PreprocessOptions`."""
    parser = ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--pairs", type=Path, nargs="+", required=True, help="files of pair records, in order")
    add("--tokenizer", type=Path, required=True, help="Hugging Face folder or .model file")
    add("--output-prefix", type=Path, required=True, help="PREFIX of the files to write")
    add("--seq-length", type=int, required=True, help="tokens of every window")
    add("--mode", choices=tuple(MODES), default="crossic", help="which texts share a chunk")
    add("--assembly", choices=tuple(ASSEMBLIES), default="split_aware", help="window filling")
    add("--max-chunk-tokens", type=int, help="longest chunk (default: all a window holds)")
    add("--split-token", help="token after each chunk (default: end of document)")
    add("--eod-token", help="end-of-document token, where the tokenizer does not name it")
    add("--max-length-ratio", type=float, default=4.0, help="most tokens of a side per other's")
    add("--length-ratio-rule", choices=get_args(LengthRatioRule), default="truncate")
    add("--no-title", dest="with_title", action="store_false", help="leave titles out")
    add("--validation-fraction", type=float, default=0.0, help="share for PREFIX-validation")
    add("--buffer-chunks", type=int, default=BUFFER_CHUNKS, help="look-ahead of best_fit")
    add("--overwrite", action="store_true", help="replace an existing data set")
    values = vars(parser.parse_args(arguments))
    return PreprocessOptions(**values | {"pairs": tuple(values["pairs"])})


class ProgressLine:
    """Lines done, windows and remaining time on stderr, once a second or, in a log, every 30."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._interval = 1.0 if self._terminal else 30.0
        self._started = self._shown = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._shown < self._interval:
            return
        self._shown = now
        share = progress.lines / max(1, progress.total_lines)
        remaining = (now - self._started) * (1 - share) / max(share, 1e-9)
        sys.stderr.write(
            f"{progress.lines:,} of {progress.total_lines:,} lines, {progress.windows:,} windows, "
            f"{remaining:,.0f} s to go" + ("\033[K\r" if self._terminal else "\n")
        )
        sys.stderr.flush()

    def end(self) -> None:
        if self._terminal:
            sys.stderr.write("\033[K")


def summary_lines(report: DataSetReport) -> list[str]:
    """The account of one data set as a small table."""
    account = report.account
    dropped = [(f"  {reason}", n) for reason, n in sorted(account.pairs_dropped.items())]
    lost = [(f"  dropped: {reason}", n) for reason, n in sorted(account.tokens_dropped.items())]
    languages = account.tokens_by_language(report.languages).items()
    rows: list[tuple[str, int | str]] = [
        ("pairs read", account.pairs_read),
        ("pairs kept", account.pairs_kept),
        ("  of them truncated", account.pairs_truncated),
        ("pairs dropped", account.pairs_dropped.total()),
        *dropped,
        ("chunks", account.chunks),
        ("windows", account.windows),
        ("tokens read", account.tokens_read),
        *lost,
        ("tokens in windows", account.tokens_in_windows),
        *((f"  {language}", n) for language, n in languages),
        ("fill rate", f"{account.fill_rate:.2%}"),
    ]
    cells = [(label, n if isinstance(n, str) else f"{n:,}") for label, n in rows]
    return [str(report.prefix), *(f"  {label:36}{value:>16}" for label, value in cells)]


if __name__ == "__main__":
    run(main)
