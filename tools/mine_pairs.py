"""Mine pairs: for each document of a language the passages of an English corpus on the same thing.

    python tools/mine_pairs.py all --corpus fineweb/*.parquet --targets data/en-th.jsonl \
        --output data/en-th-mined.jsonl

The steps of `all` are fit, encode, index, search and select. Each can be run alone with the same
options; of encode, index and search the tasks of an array do shares (--shard). What is done is
passed over, so a killed run goes on, and select can be run again with other thresholds.
"""

import argparse
import sys
from pathlib import Path
from typing import Any, get_args

from megatron_crossic.commandline import ArgumentParser, StageProgress, parse_shard, run
from megatron_crossic.data.inputs import expand_inputs
from megatron_crossic.data.retrieval.encoders.fitting import FitOptions
from megatron_crossic.data.retrieval.encoders.pretrained import DTYPES, SentenceEncoderOptions
from megatron_crossic.data.retrieval.index.options import IndexKind, IndexOptions
from megatron_crossic.data.retrieval.mining import Mining
from megatron_crossic.data.retrieval.options import MiningOptions, parse_views
from megatron_crossic.data.retrieval.run_settings import RunSettings
from megatron_crossic.data.retrieval.selection.options import SelectedScore, SelectionOptions
from megatron_crossic.data.retrieval.summary import summary_lines
from megatron_crossic.data.retrieval.texts.queries import View
from megatron_crossic.data.workers import available_cores
from megatron_crossic.files import beside
from megatron_crossic.inspection.mining.write import write_report

STEPS = ("fit", "encode", "index", "search", "select")


def main() -> None:
    arguments = parse(sys.argv[1:])
    progress = StageProgress(items=("index", "search", "margin", "read texts", "select"))
    page = beside(arguments.output, ".html")
    settings = RunSettings(
        show=progress,
        say=progress.say,
        report=lambda data: write_report(page, data, name=arguments.output.name, overwrite=True),
        **only(arguments, "workers threads shard overwrite"),
    )
    try:
        mining = Mining(options=to_options(arguments), settings=settings)
        manifest = mining.run(arguments.step, arguments.output)
    finally:
        progress.end()
    if manifest is not None:
        print("\n".join([*summary_lines(manifest, arguments.output), f"report: {page}"]))


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("step", choices=("all", *STEPS), help="what to do")
    add("--corpus", nargs="+", required=True, metavar="FILE", help="documents: JSONL, Parquet, …")
    add("--corpus-lang", default="en", metavar="CODE", help="ISO 639-1; default %(default)s")
    add("--targets", nargs="+", required=True, metavar="FILE", help="pairs, of which the target")
    add("--target-lang", metavar="CODE", help="the targets are documents in this language")
    add("--output", type=Path, required=True, metavar="JSONL", help="pair file to write")
    add("--work", type=Path, help="folder of what is in between; default OUTPUT.work")
    add_encoder_options(parser)
    add_search_options(parser)
    add_selection_options(parser)
    add("--workers", type=int, default=available_cores(), help="processes (default: all cores)")
    add("--threads", type=int, help="of the index (default: all cores)")
    add("--shard", type=parse_shard, metavar="I/N", help="a share of encode, index or search")
    add("--overwrite", action="store_true", help="redo steps of other options; replace the output")
    return parser.parse_args(arguments)


def add_encoder_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("encoder").add_argument
    add("--encoder", default="embedded", help="embedded[:FOLDER] or sentence-transformers:MODEL")
    add("--fit-pairs", nargs="+", default=(), metavar="FILE", help="to fit on; default: targets")
    add("--dimension", type=int, default=384, help="of vectors, fitted; default %(default)s")
    add("--fit-max-pairs", type=int, default=20_000, help="more are sampled")
    add("--passage-characters", type=int, default=1000, help="at most; default %(default)s")
    add("--devices", nargs="+", default=(), metavar="DEVICE", help="of a pre-trained encoder")
    add("--batch-size", type=int, default=32, help="texts it encodes at once")
    add("--dtype", choices=DTYPES, default="float32", help="its numbers; halves are for GPUs")
    add("--query-prompt", help="words before queries (default: the model's own)")
    add("--passage-prompt", help="words before passages (default: the model's own)")


def add_search_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("search").add_argument
    add("--views", nargs="+", metavar="V=W", help=f"{' '.join(get_args(View))} and weights")
    add("--num-keywords", type=int, default=20, help="of the view keywords")
    add("--neighbours", type=int, default=32, help="passages found for each view")
    add("--candidates", type=int, default=16, help="passages kept for each document")
    add("--index", choices=get_args(IndexKind), default="auto", help="how vectors are searched")
    add("--index-probes", type=int, help="lists looked into (default: as recall needs)")
    add("--index-rerank", type=int, default=4, help="times k that are scored exactly")
    add("--index-code-bytes", type=int, help="of a vector in ivf (default: a quarter, 64 at most)")
    add("--target-recall", type=float, default=0.95, help="against exact search")


def add_selection_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("selection").add_argument
    add("--score", choices=get_args(SelectedScore), default="margin", help="what is thresholded")
    add("--min-score", type=float, help="least score of a pair; default 1.05 for margin")
    add("--passages-per-document", type=int, default=1, help="joined to one source text")
    add("--uses-per-passage", type=int, default=1, help="documents a passage may be paired with")
    add("--max-length-ratio", type=float, help="of the characters of both texts")
    add("--min-characters", type=int, default=100, help="of either text")
    add("--keep-linked", action="store_true", help="passages of the linked article may be chosen")
    add("--near-duplicate", type=float, default=0.8, help="similarity of passages left out; 0: off")
    add("--detect-languages", action="store_true", help="leave texts in other languages out")
    add("--exclude", nargs="+", default=(), metavar="FILE", help="evaluation sets not to overlap")
    add("--seed", type=int, default=0)


def to_options(a: argparse.Namespace) -> MiningOptions:
    """The command line as options."""
    return MiningOptions(
        corpus=expand_inputs(a.corpus),
        targets=expand_inputs(a.targets),
        work=a.work or beside(a.output, ".work"),
        **only(a, "passage_characters num_keywords neighbours candidates encoder"),
        corpus_language=a.corpus_lang,
        target_language=a.target_lang,
        fit_pairs=expand_inputs(a.fit_pairs),
        fit=FitOptions(dimension=a.dimension, max_pairs=a.fit_max_pairs, seed=a.seed),
        pretrained=SentenceEncoderOptions(
            devices=tuple(a.devices), **only(a, "batch_size dtype query_prompt passage_prompt")
        ),
        views=parse_views(a.views) if a.views else None,
        index=IndexOptions(
            kind=a.index, probes=a.index_probes, rerank=a.index_rerank,
            code_bytes=a.index_code_bytes, seed=a.seed, target_recall=a.target_recall,
        ),
        selection=SelectionOptions(
            **only(a, "score min_score passages_per_document uses_per_passage max_length_ratio"),
            **only(a, "min_characters detect_languages seed"),
            exclude_linked=not a.keep_linked, near_duplicate=a.near_duplicate or None,
            exclude_files=expand_inputs(a.exclude),
        ),
    )  # fmt: skip


def only(a: argparse.Namespace, names: str) -> dict[str, Any]:
    return {name: getattr(a, name) for name in names.split()}


if __name__ == "__main__":
    run(main)
