"""How often an encoder finds a document's partner, and how fast it is, language by language.

    python benchmarks/retrieval_quality.py --fit FOLDER --test FOLDER --output RESULT.json

Both folders hold pair files `en-LANG.jsonl`. The embedded encoder is fitted on the first folder and
asked about the second, which it has not seen; a language that the first has not got is fitted on
four fifths of the second and asked about the last, five times. `--encoder` adds a pre-trained one.
Rates are megabytes (UTF-8) per second of one core.
"""

import argparse
import dataclasses
import json
import time
from pathlib import Path
from typing import Any

from preprocess_report import machine

from megatron_crossic.data.pairs import read_pairs
from megatron_crossic.data.retrieval.encoders.encoder import Encoder
from megatron_crossic.data.retrieval.encoders.fitting import FitOptions, fit_encoder
from megatron_crossic.data.retrieval.evaluation import EvaluationOptions, evaluate_encoder
from megatron_crossic.data.retrieval.libraries import limited_threads
from megatron_crossic.data.retrieval.options import EMBEDDED
from megatron_crossic.data.retrieval.texts.passages import cut_passages
from megatron_crossic.files import write_text_atomically

LEAST_BYTES = 4_000_000
"""Texts are repeated up to so many before they are timed."""
PASSAGE_CHARACTERS = 1000
BATCH = 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fit", type=Path, required=True, help="pairs to fit on")
    parser.add_argument("--test", type=Path, required=True, help="pairs to ask about")
    parser.add_argument("--encoder", action="append", default=[], help="a pre-trained one as well")
    parser.add_argument("--output", type=Path, help="write the figures as JSON")
    arguments = parser.parse_args()
    if not (tests := sorted(arguments.test.glob("en-*.jsonl"))):
        parser.error(f"--test must hold pair files en-LANG.jsonl, got none in {arguments.test}")
    rows = [
        row
        for test in tests
        for encoder in (EMBEDDED, *arguments.encoder)
        for row in measure(encoder, arguments.fit / test.name, test)
    ]
    print(table(rows))
    if arguments.output:
        report = {"machine": machine(), "rows": rows}
        write_text_atomically(arguments.output, json.dumps(report, indent=1) + "\n")


def measure(encoder: str, fit: Path, test: Path) -> list[dict[str, Any]]:
    """A row a view."""
    fits = encoder == EMBEDDED and fit.exists()
    options = EvaluationOptions(
        pairs=(test,), encoder=encoder, fit_pairs=(fit,) if fits else (), fit=FitOptions()
    )
    speed = speeds(fit, test) if fits else {}
    language = test.stem.partition("-")[2]
    how = "" if encoder != EMBEDDED else fit.parent.name if fits else "by folds"
    return [
        {"language": language, "encoder": encoder, "fitted": how, "view": view}
        | dataclasses.asdict(quality)
        | speed
        for view, quality in evaluate_encoder(options).items()
    ]


def speeds(fit: Path, test: Path) -> dict[str, float]:
    """Seconds of fitting, and megabytes a second of each side, on one core."""
    with limited_threads(1):
        started = time.process_time()
        encoder = fit_encoder(read_pairs(fit), FitOptions()).encoder
        seconds = time.process_time() - started
        pairs = list(read_pairs(test))
        sources = [(p.source.language, p.source.text) for p in pairs]
        targets = [(p.documents[-1].language, p.documents[-1].text) for p in pairs]
        return {
            "fit_core_seconds": seconds,
            "source_mb_per_second": rate(encoder, sources),
            "target_mb_per_second": rate(encoder, targets),
        }


def rate(encoder: Encoder, documents: list[tuple[str, str]]) -> float:
    """Of passages, as mining encodes them; what is prepared at the first call is not timed."""
    language = documents[0][0]
    texts = [
        passage.text
        for _, text in documents
        for passage in cut_passages(text, characters=PASSAGE_CHARACTERS, language=language)
    ]
    size = sum(len(text.encode()) for text in texts)
    texts *= -(-LEAST_BYTES // size)
    encoder.encode(texts[:1], language=language, purpose="passage")
    started = time.process_time()
    for start in range(0, len(texts), BATCH):
        encoder.encode(texts[start : start + BATCH], language=language, purpose="passage")
    return sum(len(text.encode()) for text in texts) / 1e6 / (time.process_time() - started)


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: a row a language, encoder and view."""
    lines = [
        "| language | encoder | query | documents | P@1 | MRR | by chance: P@1 | MRR |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        low, high = row["precision_interval"]
        precision = f"{row['precision']:.3f} ({low:.3f} to {high:.3f})"
        low, high = row["reciprocal_rank_interval"]
        rank = f"{row['reciprocal_rank']:.3f} ({low:.3f} to {high:.3f})"
        encoder = f"{row['encoder']}, {row['fitted']}" if row["fitted"] else row["encoder"]
        lines.append(
            f"| {row['language']} | {encoder} | {row['view']} | {row['num_documents']} "
            f"| {precision} | {rank} | {row['chance_precision']:.3f} "
            f"| {row['chance_reciprocal_rank']:.3f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
