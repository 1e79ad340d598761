"""Make the paper's comparison corpora from the same pairs, and prove that they compare.

    python tools/make_ablation.py --pairs data/en-th.jsonl --tokenizer models/Qwen2.5-1.5B \
        --seq-length 4096 --assembly best_fit --output-folder data/ablation
"""

import argparse
import sys
from pathlib import Path

from megatron_crossic.commandline import ArgumentParser, ProgressLine, run
from megatron_crossic.data.ablation import (
    PAIR_MODES,
    AblationOptions,
    ablation_table,
    make_ablation,
)
from megatron_crossic.data.inputs import expand_inputs
from megatron_crossic.data.options import PreprocessOptions
from megatron_crossic.data.packing import ASSEMBLIES
from megatron_crossic.data.run import Listener, Progress
from megatron_crossic.data.workers import available_cores


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
    print(ablation_table(made), end="")
    print(f"\nall texts agree; report: {options.folder / 'ablation.md'}")


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
    add("--validation-fraction", type=float, default=0.0, help="share for MODE-validation")
    add("--documents", type=Path, help="single documents for one more corpus")
    add("--language", help="language of documents that do not name it")
    add("--no-match-tokens", dest="match_tokens", action="store_false", help="one pass each")
    add("--workers", type=int, default=available_cores(), help="processes (default: all cores)")
    add("--overwrite", action="store_true", help="replace existing data sets")
    values = vars(parser.parse_args(arguments))
    names = ("tokenizer", "seq_length", "assembly", "max_chunk_tokens", "validation_fraction")
    base = PreprocessOptions(
        pairs=expand_inputs(values["pairs"]),
        output_prefix=values["output_folder"] / "crossic",
        language=values["language"],
        workers=values["workers"],
        overwrite=values["overwrite"],
        **{name: values[name] for name in names},
    )
    return AblationOptions(
        base=base,
        folder=values["output_folder"],
        modes=tuple(values["modes"]),
        documents=values["documents"],
        match_tokens=values["match_tokens"],
    )


if __name__ == "__main__":
    run(main)
