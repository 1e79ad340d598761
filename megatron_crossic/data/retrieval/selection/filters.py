"""Reasons in the texts why a candidate is no pair; asked only about candidates that would be one.

Cheap reasons come first. What is wrong with a document or a passage alone is found once: it holds
for all their candidates.

Measured on manuals, passages of 1,000 characters against linked articles of 32,000, for each
candidate asked about and without reading its texts: 0.3 ms to compare with those chosen, 2 ms with
the linked article, 2 ms to tell both languages.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from megatron_crossic.data.deduplicate.growing import GrowingIndex
from megatron_crossic.data.deduplicate.shingles import shingle
from megatron_crossic.data.hashing import Hashes
from megatron_crossic.data.languages import is_of_language, require_identifier
from megatron_crossic.data.records import Document, Pair
from megatron_crossic.data.retrieval.selection.contamination import EvaluationRuns
from megatron_crossic.data.retrieval.selection.options import SelectionOptions

SAME_DOCUMENT = "same_document"
TOO_SHORT = "too_short"
LENGTH_RATIO = "length_ratio"
WRONG_LANGUAGE = "wrong_language"
OVERLAPS_EVALUATION = "overlaps_evaluation"
NEAR_DUPLICATE_OF_LINKED = "near_duplicate_of_linked"
NEAR_DUPLICATE_OF_CHOSEN = "near_duplicate_of_chosen"


class Texts(Protocol):
    """Where texts are read from, by number."""

    def passage(self, number: int) -> Document:
        """A passage; its id is `<id of its document>#<start>-<stop>`."""

    def provenance(self, number: int) -> Mapping[str, Any]:
        """What else the record of the passage's document says: its address, for example."""

    def target(self, query: int) -> Pair:
        """The pair whose last document is the text looked for.

        Where that is linked to an English article, the article is `source`; else there are no
        targets and `source` is the text itself.
        """


def document_id(passage_id: str) -> str:
    """`fineweb:12#0-800` -> `fineweb:12`."""
    return passage_id.rpartition("#")[0] or passage_id


def linked_article(pair: Pair) -> Document | None:
    """The article that a target is linked to anyway."""
    return pair.source if pair.targets else None


def containment(part: Hashes, whole: Hashes) -> float:
    """The share of a text's distinct shingles that another has; 0 for a text without any."""
    own = np.unique(part)
    return float(np.isin(own, whole).mean()) if len(own) else 0.0


class TextFilters:
    """Knows which passages were taken; `accept` is what `assign` asks."""

    def __init__(
        self, texts: Texts, options: SelectionOptions, evaluation: EvaluationRuns | None = None
    ) -> None:
        self._texts = texts
        self._options = options
        self._evaluation = evaluation
        self._chosen = (
            None
            if options.near_duplicate is None
            else GrowingIndex(threshold=options.near_duplicate)
        )
        self._taken: set[int] = set()
        self._of_passage: dict[int, str | None] = {}
        self._of_target: dict[int, str | None] = {}
        if options.detect_languages:
            require_identifier()

    def accept(self, query: int, passage: int) -> str | None:
        """None takes the candidate: its passage counts as chosen from then on."""
        if (known := self._of_target.get(query) or self._of_passage.get(passage)) is not None:
            return known
        pair, document = self._texts.target(query), self._texts.passage(passage)
        target = pair.documents[-1]
        return (
            self._against_linked(pair, document)
            or self._alone(self._of_target, query, target, "target")
            or self._alone(self._of_passage, passage, document, "passage")
            or self._ratio(target, document)
            or self._duplicate_of_linked(pair, document)
            or self._take(passage, document)
        )

    def _against_linked(self, pair: Pair, passage: Document) -> str | None:
        linked = linked_article(pair)
        if not self._options.exclude_linked or linked is None or not linked.id:
            return None
        return SAME_DOCUMENT if document_id(passage.id) == linked.id else None

    def _alone(
        self, known: dict[int, str | None], number: int, document: Document, side: str
    ) -> str | None:
        """What is wrong with a text whatever its partner."""
        if number not in known:
            reason = self._look_at(document)
            known[number] = reason and f"{side}_{reason}"
        return known[number]

    def _look_at(self, document: Document) -> str | None:
        if len(document.text.strip()) < self._options.min_characters:
            return TOO_SHORT
        if self._options.detect_languages and not is_of_language(document.text, document.language):
            return WRONG_LANGUAGE
        if self._evaluation is not None and self._evaluation.overlaps(
            document.text, language=document.language
        ):
            return OVERLAPS_EVALUATION
        return None

    def _ratio(self, target: Document, passage: Document) -> str | None:
        most = self._options.max_length_ratio
        short, long = sorted((len(target.text), len(passage.text)))
        return LENGTH_RATIO if most is not None and long > most * short else None

    def _duplicate_of_linked(self, pair: Pair, passage: Document) -> str | None:
        """A passage that is a part of the article has a low Jaccard similarity to all of it."""
        linked, threshold = linked_article(pair), self._options.near_duplicate
        if not self._options.exclude_linked or linked is None or threshold is None:
            return None
        share = containment(_shingles(passage), _shingles(linked))
        return NEAR_DUPLICATE_OF_LINKED if share >= threshold else None

    def _take(self, number: int, passage: Document) -> str | None:
        if self._chosen is not None and number not in self._taken:
            if self._chosen.find_or_add(_shingles(passage)) is not None:
                return NEAR_DUPLICATE_OF_CHOSEN
            self._taken.add(number)
        return None


def _shingles(document: Document) -> Hashes:
    return shingle([document.text], language=document.language)[0]
