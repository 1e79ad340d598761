"""Make the paper's comparison corpora from the same pairs, and prove that they compare.

    python tools/make_ablation.py --pairs data/en-th.jsonl --tokenizer models/Qwen2.5-1.5B \
        --seq-length 4096 --assembly best_fit --output-folder data/ablation
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from rich import box
from rich.console import Console
from rich.table import Table

from megatron_crossic.commandline import ArgumentParser, ProgressLine, run
from megatron_crossic.data.ablation import (
    PAIR_MODES,
    AblationOptions,
    Corpus,
    make_ablation,
)
from megatron_crossic.data.bulk import EncoderChoice
from megatron_crossic.data.cutting import Granularity
from megatron_crossic.data.inputs import expand_inputs
from megatron_crossic.data.options import PreprocessOptions
from megatron_crossic.data.packing import ASSEMBLIES
from megatron_crossic.data.run import Listener, Progress
from megatron_crossic.data.selection import LengthRatioRule
from megatron_crossic.data.sentences import SPLITTERS
from megatron_crossic.data.workers import available_cores

SIDES = ("source", "target")


def main() -> None:
    options = parse_options(sys.argv[1:])
    line = ProgressLine()

    def show(progress: Progress) -> None:
        done, total = progress.done_bytes, progress.total_bytes
        line(done, total, f"{done / 1e6:,.0f} of {total / 1e6:,.0f} MB")

    try:
        made = make_ablation(
            options,
            listener=Listener(on_progress=show, on_warning=line.warn),
            on_corpus=lambda mode: line.warn(f"{options.folder / mode}"),
        )
    finally:
        line.end()
    print_tables(made)
    print(f"all texts agree; report: {options.folder / 'ablation.md'}")


def parse_options(arguments: list[str]) -> AblationOptions:
    """The command line as options."""
    parser = ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--pairs", nargs="+", required=True, help="pair files or globs")
    add("--tokenizer", type=Path, required=True, help="Hugging Face folder or .model file")
    add("--seq-length", type=int, required=True, help="tokens of every window")
    add("--output-folder", type=Path, required=True, help="where the corpora and the report go")
    add("--modes", nargs="+", default=PAIR_MODES, help=f"some of {' '.join(PAIR_MODES)}")
    add("--assembly", choices=tuple(ASSEMBLIES), default="split_aware", help="window filling")
    add("--max-chunk-tokens", type=int, help="longest chunk (default: all a window holds)")
    add("--granularity", choices=get_args(Granularity), default="chunk", help="inside a chunk")
    add("--split-token", help="token after each chunk (default: end of document)")
    add("--eod-token", help="end-of-document token, where the tokenizer does not name it")
    add("--max-length-ratio", type=float, default=4.0, help="most tokens of a side per other's")
    add("--length-ratio-rule", choices=get_args(LengthRatioRule), default="truncate")
    add("--no-title", dest="with_title", action="store_false", help="leave titles out")
    add("--sentence-splitter", choices=SPLITTERS, default="sentencex", help="for long paragraphs")
    add("--encoder", choices=get_args(EncoderChoice), default="auto", help="same ids, other speed")
    add("--validation-fraction", type=float, default=0.0, help="share for MODE-validation")
    add("--documents", type=Path, help="single documents for one more corpus")
    add("--language", help="language of documents that do not name it")
    add("--no-match-tokens", dest="match_tokens", action="store_false", help="one pass each")
    add("--workers", type=int, default=available_cores(), help="processes (default: all cores)")
    add("--overwrite", action="store_true", help="replace existing data sets")
    values = vars(parser.parse_args(arguments))
    pairs, folder = expand_inputs(values.pop("pairs")), values.pop("output_folder")
    chosen = {name: values.pop(name) for name in ("documents", "match_tokens")}
    modes = tuple(values.pop("modes"))
    base = PreprocessOptions(pairs=pairs, output_prefix=folder / "crossic", **values)
    return AblationOptions(base=base, folder=folder, modes=modes, **chosen)


def print_tables(made: Sequence[Corpus]) -> None:
    """The report in 80 columns; every number whole, piped or not."""
    budget, texts, languages = (
        [["corpus", "windows", "chunks", "tokens", "passes", "fill"]],
        [["first pass", "source tokens", "texts", "target tokens", "texts"]],
        [["corpus", "tokens by language"]],
    )
    for value in (corpus.to_json() for corpus in made):
        mode = value["mode"]
        counts = [f"{value[name]:,}" for name in ("windows", "chunks", "tokens")]
        budget.append([mode, *counts, f"{value['passes']:.2f}", f"{value['fill_rate']:.2%}"])
        sides = [(f"{value[f'{s}_tokens']:,}", value[f"{s}_digest"][:12]) for s in SIDES]
        texts.append([mode, *(cell or "-" for side in sides for cell in side)])
        of_language = (f"{name} {n:,}" for name, n in value["tokens_by_language"].items())
        languages.append([mode, "  ".join(of_language)])
    console = Console(highlight=False)
    for rows, justify in ((budget, "right"), (texts, "right"), (languages, "left")):
        table = Table(box=box.SIMPLE_HEAD)
        for i, heading in enumerate(rows[0]):
            table.add_column(heading, justify=justify if i else "left", overflow="fold")
        for row in rows[1:]:
            table.add_row(*row)
        console.print(table)
    for corpus in made:
        if n := corpus.without_partner:
            console.print(f"{corpus.mode}: {n:,} pairs left out, no other has their languages")


if __name__ == "__main__":
    run(main)
