"""Which candidates become pairs: greedy, best first, within capacities.

Candidates are taken in descending score. A document takes at most p passages and a passage is used
at most m times; with p = m = 1 the result is one-to-one. Only a candidate that would be taken is
looked at by `accept`, so texts are read for few of them, and one that is rejected leaves its
document's place to the next. What happens to a candidate depends on better ones alone: a higher
threshold takes pairs away and never adds one.

Ten million candidates of a million documents, all above the threshold: 20 s on one core and 0.3 GB
besides them; half of them below: 10 s. Reading texts comes on top, see `filters`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.retrieval.index.exact import Progress, no_progress

Accept = Callable[[int, int], str | None]
"""Called with the numbers of a query and a passage that would be paired; None takes them, else the
reason why not."""

CHOSEN = "chosen"
BELOW_THRESHOLD = "below_threshold"
DOCUMENT_FULL = "document_full"
PASSAGE_USED = "passage_used"
REPEATED = "repeated_candidate"
NO_CANDIDATE = "no_candidate"

_AT_ONCE = 1 << 13
"""Candidates that are Python numbers at a time, and between two calls of a `Progress`."""


def accept_all(_query: int, _passage: int) -> None:
    """An `Accept` that does not look at texts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Assignment:
    """What became of every candidate."""

    outcomes: NDArray[np.uint8]
    """Index into `reasons`, in the order of the candidates.  # [c]"""
    reasons: tuple[str, ...]
    """`CHOSEN` first."""

    @property
    def chosen(self) -> NDArray[np.intp]:
        """Numbers of the candidates that were taken, in the order of the candidates."""
        return np.flatnonzero(self.outcomes == 0)

    def rejected(self) -> dict[str, int]:
        """Number of candidates under each reason."""
        counts = np.bincount(self.outcomes, minlength=len(self.reasons)).tolist()
        return {reason: n for reason, n in zip(self.reasons[1:], counts[1:], strict=True) if n}


def assign(
    queries: NDArray[np.unsignedinteger],
    passages: NDArray[np.signedinteger],
    scores: NDArray[np.floating],
    *,
    min_score: float,
    passages_per_document: int = 1,
    uses_per_passage: int = 1,
    accept: Accept = accept_all,
    on_progress: Progress = no_progress,
) -> Assignment:
    """Take candidates greedily; the three arrays have one entry each.  # [c]

    Equal scores are taken by query, then by passage, so the order of the candidates is no matter.
    """
    greedy = _Greedy(passages_per_document, uses_per_passage, accept)
    outcomes = np.full(len(scores), greedy.code(BELOW_THRESHOLD), dtype=np.uint8)
    # As wide as the scores: 1.05 as float32 must not lie below 1.05.
    above = np.flatnonzero(scores >= np.asarray(min_score, dtype=scores.dtype))
    order = above[np.lexsort((passages[above], queries[above], -scores[above]))]
    for start in range(0, len(order), _AT_ONCE):
        part = order[start : start + _AT_ONCE]
        outcomes[part] = [
            greedy.take(query, passage)
            for query, passage in zip(queries[part].tolist(), passages[part].tolist(), strict=True)
        ]
        on_progress(start + len(part), len(order))
    return Assignment(outcomes=outcomes, reasons=tuple(greedy.codes))


class _Greedy:
    """What is taken so far."""

    def __init__(self, passages_per_document: int, uses_per_passage: int, accept: Accept) -> None:
        self.codes: dict[str, int] = {CHOSEN: 0}
        self._most_passages = passages_per_document
        self._most_uses = uses_per_passage
        self._accept = accept
        self._passages: dict[int, tuple[int, ...]] = {}
        self._uses: dict[int, int] = {}
        self._full, self._used, self._repeated = map(
            self.code, (DOCUMENT_FULL, PASSAGE_USED, REPEATED)
        )

    def code(self, reason: str) -> int:
        code = self.codes.setdefault(reason, len(self.codes))
        assert code < 256, "the reasons of an assignment must fit in a byte"
        return code

    def take(self, query: int, passage: int) -> int:
        """Decide about the next best candidate; its outcome as a code."""
        own = self._passages.get(query, ())
        if len(own) >= self._most_passages:
            return self._full
        uses = self._uses.get(passage, 0)
        if passage in own:
            return self._repeated
        if uses >= self._most_uses:
            return self._used
        reason = self._accept(query, passage)
        if reason is not None:
            return self.code(reason)
        self._passages[query] = (*own, passage)
        self._uses[passage] = uses + 1
        return 0


def best_of_documents(
    queries: NDArray[np.unsignedinteger],
    passages: NDArray[np.signedinteger],
    scores: NDArray[np.floating],
) -> NDArray[np.intp]:
    """Number of the best candidate of each document that has one, by query; ties as in `assign`."""
    order = np.lexsort((passages, -scores, queries))
    ordered = queries[order]
    is_first = np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]
    return np.asarray(order[is_first])
