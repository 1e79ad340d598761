"""Measure how well an encoder finds the partner of each document of a pair file: P@1 and MRR.

    python tools/evaluate_encoder.py --pairs data/en-th-held-out.jsonl --fit-pairs data/en-th.jsonl
    python tools/evaluate_encoder.py --pairs data/en-th.jsonl      # fitted on four fifths, 5 times

An embedded encoder is fitted here, on other pairs or by folds; `embedded:FOLDER` and
`sentence-transformers:MODEL` are taken as they are.
"""

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from megatron_crossic.commandline import ArgumentParser, StageProgress, run
from megatron_crossic.data.inputs import expand_inputs
from megatron_crossic.data.retrieval.encoders.fitting import FitOptions
from megatron_crossic.data.retrieval.encoders.pretrained import SentenceEncoderOptions
from megatron_crossic.data.retrieval.evaluation import EvaluationOptions, evaluate_encoder
from megatron_crossic.data.retrieval.quality import Quality
from megatron_crossic.files import refuse_existing, refuse_inputs, write_text_atomically


def main() -> None:
    arguments = parse(sys.argv[1:])
    options = to_options(arguments)
    if arguments.json:
        refuse_inputs([arguments.json], inputs=(*options.pairs, *options.fit_pairs))
        refuse_existing(arguments.json, overwrite=arguments.overwrite)
    progress = StageProgress(items=("fit and measure",))
    try:
        found = evaluate_encoder(options, show=progress)
    finally:
        progress.end()
    print("\n".join(table_lines(found)))
    if arguments.json:
        values = {view: dataclasses.asdict(quality) for view, quality in found.items()}
        write_text_atomically(arguments.json, json.dumps(values, indent=2) + "\n")


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--pairs", nargs="+", required=True, metavar="FILE", help="pairs whose partners are known")
    add("--encoder", default="embedded", help="embedded[:FOLDER] or sentence-transformers:MODEL")
    add("--fit-pairs", nargs="+", default=(), metavar="FILE", help="other pairs to fit on")
    add("--dimension", type=int, default=384, help="of vectors, fitted; default %(default)s")
    add("--num-keywords", type=int, default=20, help="of the queries made of keywords")
    add("--query-prompt", help="words before queries (default: the model's own)")
    add("--passage-prompt", help="words before documents (default: the model's own)")
    add("--json", type=Path, metavar="FILE", help="write the figures")
    add("--overwrite", action="store_true", help="replace that file")
    return parser.parse_args(arguments)


def to_options(arguments: argparse.Namespace) -> EvaluationOptions:
    return EvaluationOptions(
        pairs=expand_inputs(arguments.pairs),
        encoder=arguments.encoder,
        fit_pairs=expand_inputs(arguments.fit_pairs),
        fit=FitOptions(dimension=arguments.dimension),
        pretrained=SentenceEncoderOptions(
            query_prompt=arguments.query_prompt, passage_prompt=arguments.passage_prompt
        ),
        num_keywords=arguments.num_keywords,
    )


def table_lines(found: dict[str, Quality]) -> list[str]:
    """One row a view, with 95 % intervals."""
    rows = ["query        documents   P@1                     MRR                     chance P@1"]
    for view, q in found.items():
        low, high = q.precision_interval
        precision = f"{q.precision:.3f} [{low:.3f}, {high:.3f}]"
        low, high = q.reciprocal_rank_interval
        rank = f"{q.reciprocal_rank:.3f} [{low:.3f}, {high:.3f}]"
        rows.append(
            f"{view:12} {q.num_documents:>9,}   {precision:22}  {rank:22}  {q.chance_precision:.3f}"
        )
    return rows


if __name__ == "__main__":
    run(main)
