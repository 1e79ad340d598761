"""From candidates to pairs: assignment, filters, account, and pairs in the order of the documents.

candidates ─► score >= threshold ─► greedy, best first ─► texts in order? ─► pairs
                    └────────────────────┴──────────────────────┴─► a reason each, counted
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.records import LINKED, Document, Pair
from megatron_crossic.data.retrieval.index.exact import Progress, no_progress
from megatron_crossic.data.retrieval.selection.account import SelectionAccount, account_of
from megatron_crossic.data.retrieval.selection.assignment import (
    Assignment,
    assign,
    best_of_documents,
)
from megatron_crossic.data.retrieval.selection.contamination import read_evaluation_sets
from megatron_crossic.data.retrieval.selection.filters import TextFilters, Texts
from megatron_crossic.data.retrieval.selection.options import SelectedScore, SelectionOptions
from megatron_crossic.errors import DataError

_FIELDS: Mapping[SelectedScore, str] = {"margin": "margin", "similarity": "score"}
"""What candidates are selected by -> the field it stands in."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """What became of all candidates."""

    candidates: NDArray[np.void]
    scores: NDArray[np.floating]
    """What they were selected by.  # [c]"""
    best: NDArray[np.intp]
    """Number of the best candidate of each document that has one, by document."""
    assignment: Assignment
    account: SelectionAccount
    options: SelectionOptions
    views: tuple[str, ...]
    """Names of the views whose similarities candidates have."""


def select(
    candidates: NDArray[np.void],
    texts: Texts,
    options: SelectionOptions,
    *,
    num_documents: int,
    languages: Sequence[str],
    views: Sequence[str],
    on_progress: Progress = no_progress,
) -> Selection:
    """Decide about every candidate; texts are read for those that would be taken.

    `languages` are all that the texts have, `views` the names of the candidates' view scores.
    """
    scores = candidates[_FIELDS[options.score]]
    _check(candidates, scores, num_documents=num_documents, num_views=len(views))
    evaluation = None
    if options.exclude_files:
        evaluation = read_evaluation_sets(options.exclude_files, languages=languages)
    filters = TextFilters(texts, options, evaluation)
    queries, passages = candidates["query"], candidates["passage"]
    assignment = assign(
        queries,
        passages,
        scores,
        min_score=options.threshold,
        passages_per_document=options.passages_per_document,
        uses_per_passage=options.uses_per_passage,
        accept=filters.accept,
        on_progress=on_progress,
    )
    best = best_of_documents(queries, passages, scores)
    return Selection(
        candidates=candidates,
        scores=scores,
        best=best,
        assignment=assignment,
        account=account_of(candidates, scores, assignment, best, num_documents=num_documents),
        options=options,
        views=tuple(views),
    )


def _check(
    candidates: NDArray[np.void],
    scores: NDArray[np.floating],
    *,
    num_documents: int,
    num_views: int,
) -> None:
    if not np.isfinite(scores).all():
        raise DataError(
            f"scores of candidates must be finite, got {int((~np.isfinite(scores)).sum()):,} of "
            f"{len(scores):,} that are not. Search again."
        )
    if len(candidates) and int(candidates["query"].max()) >= num_documents:
        raise DataError(
            f"candidates must be of the {num_documents:,} documents given, got document number "
            f"{int(candidates['query'].max()):,}. Search again with these documents."
        )
    assert candidates["views"].shape[1:] == (num_views,), "each view has a name"


def selected_pairs(selection: Selection, texts: Texts) -> Iterator[Pair]:
    """The pairs by document; a document's passages are one source text, the best first."""
    chosen = selection.assignment.chosen
    queries = selection.candidates["query"][chosen]
    passages = selection.candidates["passage"][chosen]
    order = np.lexsort((passages, -selection.scores[chosen], queries))
    starts = np.flatnonzero(np.diff(queries[order].astype(np.int64), prepend=-1))
    for group in np.split(chosen[order], starts[1:]) if len(chosen) else []:
        yield _pair(selection, group, texts)


def _pair(selection: Selection, group: NDArray[np.intp], texts: Texts) -> Pair:
    """The pair of one document; `group` are its candidates, the best first."""
    pair = texts.target(int(selection.candidates["query"][group[0]]))
    numbers = selection.candidates["passage"][group].tolist()
    found = [texts.passage(number) for number in numbers]
    passages = [
        candidate_json(selection, int(candidate), passage.id)
        | {"record": dict(texts.provenance(number))}
        for candidate, passage, number in zip(group, found, numbers, strict=True)
    ]
    best = found[0]
    source = Document(
        language=best.language,
        title=best.title,
        text="\n\n".join(passage.text for passage in found),
        id=best.id,
    )
    return Pair(
        id=f"{pair.id}+{best.id}",
        source=source,
        targets=(pair.documents[-1],),
        origin="retrieval",
        score=_rounded(selection.scores[group[0]]),
        provenance={"target": target_provenance(pair), "passages": passages, **_linked(pair)},
    )


def _linked(pair: Pair) -> dict[str, Any]:
    """The article the target is linked to, so that both its pairs are held out or neither."""
    if not pair.targets:
        return {}
    name = {"title": pair.source.title} if pair.source.title.strip() else {"text": pair.source.text}
    return {LINKED: {"lang": pair.source.language, **name}}


def candidate_json(selection: Selection, candidate: int, passage_id: str) -> dict[str, Any]:
    """The scores of one candidate."""
    row = selection.candidates[candidate]
    views = zip(selection.views, row["views"], strict=True)
    return {
        "id": passage_id,
        "score": _rounded(row["score"]),
        "margin": _rounded(row["margin"]),
        "views": {name: _rounded(value) for name, value in views},
    }


def target_provenance(pair: Pair) -> dict[str, Any]:
    """What is known about the target of a pair, or about a document on its own."""
    if not pair.targets:
        return {"id": pair.id, **pair.provenance}
    own = pair.provenance.get("target")
    licence = {k: pair.provenance[k] for k in ("licence", "license") if k in pair.provenance}
    return {"id": pair.id, **(own if isinstance(own, Mapping) else {}), **licence}


def _rounded(score: np.floating) -> float:
    """Six digits: more say nothing in single precision."""
    return round(float(score), 6)
