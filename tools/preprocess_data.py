"""Turn pair records into a Megatron data set of bilingual windows.

    python tools/preprocess_data.py --pairs pairs.jsonl --tokenizer DIR_OR_MODEL \
        --seq-length 4096 --mode crossic --output-prefix data/en-es
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any, get_args

from megatron_crossic.commandline import ArgumentParser, ProgressLine, parse_shard, run
from megatron_crossic.data.bulk import EncoderChoice
from megatron_crossic.data.cutting import Granularity
from megatron_crossic.data.inputs import SEGMENT_BYTES, expand_inputs
from megatron_crossic.data.modes import MODES
from megatron_crossic.data.options import PreprocessOptions
from megatron_crossic.data.packing import ASSEMBLIES
from megatron_crossic.data.pipeline import preprocess
from megatron_crossic.data.report import DataSetReport, PreprocessReport
from megatron_crossic.data.run import Listener, Progress
from megatron_crossic.data.selection import LengthRatioRule
from megatron_crossic.data.sentences import SPLITTERS
from megatron_crossic.data.workers import available_cores
from megatron_crossic.files import write_text_atomically


def main() -> None:
    options, timings = parse_options(sys.argv[1:])
    started = time.monotonic()
    line = ProgressLine()

    def show(progress: Progress) -> None:
        done, total = progress.done_bytes, progress.total_bytes
        what = f"{done / 1e6:,.0f} of {total / 1e6:,.0f} MB, {progress.windows:,} windows"
        line(done, total, what)

    try:
        report = preprocess(options, Listener(on_progress=show, on_warning=line.warn))
    finally:
        line.end()
    for data_set in (report.training, report.validation):
        if data_set is not None:
            print("\n".join(summary_lines(data_set)))
    if timings is not None:
        write_timings(timings, report, total=time.monotonic() - started, workers=options.workers)


def parse_options(arguments: list[str]) -> tuple[PreprocessOptions, Path | None]:
    """The command line as options, and where timings go; flags are `PreprocessOptions` fields."""
    parser = ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--pairs", nargs="+", required=True, help="files or globs: .jsonl .gz .bz2 .zst .parquet")
    add("--tokenizer", type=Path, required=True, help="Hugging Face folder or .model file")
    add("--output-prefix", type=Path, required=True, help="PREFIX of the files to write")
    add("--seq-length", type=int, required=True, help="tokens of every window")
    add("--mode", choices=tuple(MODES), default="crossic", help="which texts share a chunk")
    add("--granularity", choices=get_args(Granularity), default="chunk", help="inside a chunk")
    add("--assembly", choices=tuple(ASSEMBLIES), default="split_aware", help="window filling")
    add("--max-chunk-tokens", type=int, help="longest chunk (default: all a window holds)")
    add("--split-token", help="token after each chunk (default: end of document)")
    add("--eod-token", help="end-of-document token, where the tokenizer does not name it")
    add("--max-length-ratio", type=float, default=4.0, help="most tokens of a side per other's")
    add("--length-ratio-rule", choices=get_args(LengthRatioRule), default="truncate")
    add("--no-title", dest="with_title", action="store_false", help="leave titles out")
    add("--sentence-splitter", choices=SPLITTERS, default="sentencex", help="for long paragraphs")
    add("--language", help="language of documents without one (mode documents)")
    add("--validation-fraction", type=float, default=0.0, help="share for PREFIX-validation")
    add("--match-tokens", type=Path, metavar="PREFIX", help="as many tokens as that data set")
    add("--encoder", choices=get_args(EncoderChoice), default="auto", help="same ids, other speed")
    add("--workers", type=int, default=available_cores(), help="processes (default: all cores)")
    add("--shard", type=parse_shard, metavar="I/N", help="every N-th segment, for an array of jobs")
    add("--segment-mib", type=int, default=SEGMENT_BYTES >> 20, help="input per segment")
    add("--overwrite", action="store_true", help="replace an existing data set")
    add("--timings", type=Path, metavar="FILE", help="write the time of each stage as JSON")
    values: dict[str, Any] = vars(parser.parse_args(arguments))
    timings = values.pop("timings")
    values["pairs"] = expand_inputs(values["pairs"])
    values["segment_bytes"] = values.pop("segment_mib") << 20
    return PreprocessOptions(**values), timings


def write_timings(path: Path, report: PreprocessReport, *, total: float, workers: int) -> None:
    values = {"total": total, "workers": workers, "encoder": report.encoder}
    text = json.dumps(values | {"stages": dict(report.seconds)}, indent=2)
    write_text_atomically(path, text + "\n")


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
        ("chunks", account.counts()["chunks"]),
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
