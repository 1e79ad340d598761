"""The options of the selection of mined pairs, checked once."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from megatron_crossic.data.deduplicate.options import LOWEST_THRESHOLD
from megatron_crossic.data.retrieval.libraries import check_seed
from megatron_crossic.data.retrieval.selection.contamination import CHARACTERS, WORDS
from megatron_crossic.errors import ConfigError

SelectedScore = Literal["margin", "similarity"]

MIN_MARGIN = 1.05
"""Our default: of the thresholds that mining by this margin has been published with, 1.04 and 1.06,
the middle. Those were for sentences and another encoder: look at the report and set your own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SelectionOptions:
    """Which candidates become pairs."""

    score: SelectedScore = "margin"
    """What is thresholded and ordered by: the ratio margin, or the weighted sum of the views."""
    min_score: float | None = None
    """A pair has at least this score. None: `MIN_MARGIN`; similarities differ from encoder to
    encoder and have no default."""
    passages_per_document: int = 1
    """Passages a document is paired with at most; several become one source text."""
    uses_per_passage: int = 1
    """Documents a passage is paired with at most; with 1 and 1 the result is one-to-one."""
    max_length_ratio: float | None = None
    """A text may be longer than the other so many times, in characters; None: preprocessing
    shortens the longer side in any case, see its length ratio."""
    min_characters: int = 100
    """Shorter texts, passages or documents, are left out. Our choice: two sentences."""
    exclude_linked: bool = True
    """Leave out passages of the English article that a document is linked to anyway."""
    near_duplicate: float | None = 0.8
    """A passage is left out at this estimated Jaccard similarity to one chosen before, or with this
    share of its shingles in the linked article (with `exclude_linked`); None: neither is looked
    for. As in near-duplicate removal: 0.8 is one changed word in 27."""
    detect_languages: bool = False
    """Leave out texts that are not in the language they claim, told by py3langid."""
    exclude_files: tuple[Path, ...] = ()
    """Evaluation sets, text or JSON lines or Parquet: a text that has a run of 13 words in common
    with one is left out."""
    seed: int = 0
    """Of the sample that the report shows."""

    def __post_init__(self) -> None:
        if self.score not in get_args(SelectedScore):
            raise ConfigError(
                f"score must be one of {', '.join(get_args(SelectedScore))}, got {self.score!r}. "
                "Choose one of them."
            )
        if self.score == "similarity" and self.min_score is None:
            raise ConfigError(
                "min-score must be given with score similarity, got none. "
                "Similarities differ from encoder to encoder: try --min-score 0.5 and look at the "
                "report."
            )
        if not math.isfinite(self.threshold):
            raise ConfigError(
                f"min-score must be a finite number, got {self.min_score}. Use for example 1.05."
            )
        check_seed(self.seed)
        self._check_ranges()

    def _check_ranges(self) -> None:
        for name in ("passages_per_document", "uses_per_passage", "min_characters"):
            if getattr(self, name) < 1:
                raise ConfigError(
                    f"{name.replace('_', '-')} must be at least 1, got {getattr(self, name)}. "
                    "Use a positive number."
                )
        if self.max_length_ratio is not None and not 1 <= self.max_length_ratio < math.inf:
            raise ConfigError(
                f"max-length-ratio must be finite and at least 1, got {self.max_length_ratio}. "
                "Use for example 10, or leave it out."
            )
        if self.near_duplicate is not None and not LOWEST_THRESHOLD <= self.near_duplicate <= 1:
            raise ConfigError(
                f"near-duplicate must be {LOWEST_THRESHOLD} to 1, got {self.near_duplicate}. "
                "Use for example 0.8."
            )

    @property
    def threshold(self) -> float:
        """The least score of a pair."""
        return MIN_MARGIN if self.min_score is None else self.min_score

    def for_manifest(self) -> dict[str, Any]:
        """Every choice that shaped the result."""
        return {
            "score": self.score,
            "min_score": self.threshold,
            "passages_per_document": self.passages_per_document,
            "uses_per_passage": self.uses_per_passage,
            "max_length_ratio": self.max_length_ratio,
            "min_characters": self.min_characters,
            "exclude_linked": self.exclude_linked,
            "near_duplicate": self.near_duplicate,
            "detect_languages": self.detect_languages,
            "exclude_files": [path.name for path in self.exclude_files],
            "exclude_words": WORDS,
            "exclude_characters": CHARACTERS,
            "seed": self.seed,
        }
