"""What became of every candidate and every document, and their scores as histograms."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.retrieval.selection.assignment import (
    CHOSEN,
    NO_CANDIDATE,
    Assignment,
    best_of_documents,
)

FIRST_EDGE, LAST_EDGE, BINS_PER_UNIT = -1, 3, 100
"""Fixed, so that histograms of several runs can be added: bins of 0.01. Scores beyond are counted
in the outermost bins."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SelectionAccount:
    """Every candidate is chosen or under one reason; every document is in a pair or under one."""

    num_documents: int
    num_with_candidates: int
    num_candidates: int
    num_pairs: int
    num_chosen: int
    """Candidates: more than pairs where a document has several passages."""
    num_passages: int
    """Different passages among the chosen."""
    rejected: dict[str, int]
    """Candidates by reason."""
    drops: dict[str, int]
    """Documents without a pair by reason: that of their best candidate."""
    best_scores: NDArray[np.int64]
    """Documents by the score of their best candidate.  # [bins]"""
    chosen_scores: NDArray[np.int64]
    """Pairs by their score.  # [bins]"""

    def check(self) -> None:
        """Nothing is lost without a reason."""
        lost = self.num_candidates - self.num_chosen - sum(self.rejected.values())
        assert lost == 0, f"{lost} candidates are neither chosen nor under a reason"
        lost = self.num_documents - self.num_pairs - sum(self.drops.values())
        assert lost == 0, f"{lost} documents are neither in a pair nor under a reason"
        assert self.best_scores.sum() == self.num_with_candidates, "a best score each"
        assert self.chosen_scores.sum() == self.num_pairs, "a score a pair"

    def counts(self) -> dict[str, Any]:
        """For the manifest, beside `drops`."""
        return {
            "documents": self.num_documents,
            "documents_with_candidates": self.num_with_candidates,
            "candidates": self.num_candidates,
            "pairs": self.num_pairs,
            "candidates_chosen": self.num_chosen,
            "passages_chosen": self.num_passages,
            "candidates_rejected": self.rejected,
        }

    def histograms(self) -> dict[str, Any]:
        """Both histograms, by the lower edges of their bins that hold anything."""
        return {
            "bins_per_unit": BINS_PER_UNIT,
            "best": _sparse(self.best_scores),
            "chosen": _sparse(self.chosen_scores),
        }


def score_histogram(scores: NDArray[np.floating]) -> NDArray[np.int64]:
    """Scores counted in the fixed bins."""
    num_bins = (LAST_EDGE - FIRST_EDGE) * BINS_PER_UNIT
    # 1.05 as float32 is 1.04999995 and belongs into the bin of 1.05.
    places = np.floor((scores.astype(np.float64) - FIRST_EDGE) * BINS_PER_UNIT + 1e-4)
    return np.bincount(np.clip(places, 0, num_bins - 1).astype(np.int64), minlength=num_bins)


def _sparse(counts: NDArray[np.int64]) -> dict[str, int]:
    return {
        f"{FIRST_EDGE + i / BINS_PER_UNIT:.2f}": int(counts[i])
        for i in np.flatnonzero(counts).tolist()
    }


def account_of(
    candidates: NDArray[np.void],
    scores: NDArray[np.floating],
    assignment: Assignment,
    best: NDArray[np.intp],
    *,
    num_documents: int,
) -> SelectionAccount:
    """Count; `best` are the numbers of the best candidate of each document that has one."""
    chosen = assignment.chosen
    queries, passages = candidates["query"][chosen], candidates["passage"][chosen]
    firsts = chosen[best_of_documents(queries, passages, scores[chosen])]
    paired = np.unique(queries)
    alone = best[~np.isin(candidates["query"][best], paired)]
    drops = Counter(assignment.reasons[code] for code in assignment.outcomes[alone].tolist())
    assert CHOSEN not in drops, "a chosen document has a pair"
    drops[NO_CANDIDATE] = num_documents - len(best)
    account = SelectionAccount(
        num_documents=num_documents,
        num_with_candidates=len(best),
        num_candidates=len(candidates),
        num_pairs=len(paired),
        num_chosen=len(chosen),
        num_passages=len(np.unique(passages)),
        rejected=dict(sorted(assignment.rejected().items())),
        drops={reason: n for reason, n in sorted(drops.items()) if n},
        best_scores=score_histogram(scores[best]),
        chosen_scores=score_histogram(scores[firsts]),
    )
    account.check()
    return account
