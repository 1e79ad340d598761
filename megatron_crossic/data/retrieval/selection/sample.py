"""What a person needs to set the threshold: some candidates around it, and the account, as JSON."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.records import Document
from megatron_crossic.data.retrieval.selection.filters import Texts
from megatron_crossic.data.retrieval.selection.selection import (
    Selection,
    candidate_json,
    target_provenance,
)
from megatron_crossic.files import write_text_atomically

KIND = "mining"
FORMAT_VERSION = 1

SAMPLE = 50
NEAREST = 10
"""The sample is drawn from this many times as many candidates nearest the threshold."""
SHOWN_CHARACTERS = 700
"""Of each text."""


def sample_around_threshold(selection: Selection, *, count: int = SAMPLE) -> NDArray[np.intp]:
    """Numbers of some documents' best candidates near the threshold, by descending score.

    Half of them above and half below, by chance from the nearest `NEAREST` times as many of each
    side; a side with too few gives what it has and the other fills up.
    """
    best, scores = selection.best, selection.scores[selection.best]
    random = np.random.Generator(np.random.PCG64(selection.options.seed))
    is_above = scores >= np.asarray(selection.options.threshold, dtype=scores.dtype)
    num_above, num_below = int(is_above.sum()), int((~is_above).sum())
    above = min(num_above, max(count // 2, count - num_below))
    below = min(num_below, count - above)
    drawn = []
    for side, wanted in ((is_above, above), (~is_above, below)):
        own = best[side]
        distance = np.abs(scores[side] - selection.options.threshold)
        pool = own[np.lexsort((own, distance))][: wanted * NEAREST]
        drawn.append(random.choice(pool, size=wanted, replace=False) if wanted else pool[:0])
    found = np.concatenate(drawn)
    return found[np.lexsort((found, -selection.scores[found]))]


def write_mining_report_data(path: Path, selection: Selection, texts: Texts) -> None:
    """Write `mining.json`: what the report is made of, so that it can be made again later."""
    text = json.dumps(mining_record(selection, texts), ensure_ascii=False, indent=1, default=str)
    # A lone surrogate in a text cannot be written; the report shows that something stood there.
    write_text_atomically(path, text.encode("utf-8", "replace").decode("utf-8") + "\n")


def mining_record(
    selection: Selection, texts: Texts, *, count: int = SAMPLE, characters: int = SHOWN_CHARACTERS
) -> dict[str, Any]:
    """Options, counts, histograms and the sample with its texts."""
    account = selection.account
    return {
        "kind": KIND,
        "format_version": FORMAT_VERSION,
        "options": selection.options.for_manifest(),
        "views": list(selection.views),
        "counts": account.counts(),
        "drops": account.drops,
        "histograms": account.histograms(),
        "sample": list(_samples(selection, texts, count, characters)),
    }


def _samples(
    selection: Selection, texts: Texts, count: int, characters: int
) -> Iterator[dict[str, Any]]:
    for candidate in sample_around_threshold(selection, count=count).tolist():
        row = selection.candidates[candidate]
        pair = texts.target(int(row["query"]))
        passage = texts.passage(int(row["passage"]))
        yield candidate_json(selection, candidate, passage.id) | {
            "outcome": selection.assignment.reasons[selection.assignment.outcomes[candidate]],
            "passage": _shown(passage, characters)
            | {"record": dict(texts.provenance(int(row["passage"])))},
            "target": _shown(pair.documents[-1], characters) | {"record": target_provenance(pair)},
        }


def _shown(document: Document, characters: int) -> dict[str, Any]:
    """The beginning of a document."""
    text = document.text.strip()
    return {
        "language": document.language,
        "title": document.title,
        "text": text[:characters],
        "num_characters": len(text),
    }
