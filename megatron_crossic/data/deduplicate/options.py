"""The options of near-duplicate removal, checked once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from megatron_crossic.data.deduplicate.shingles import CHARACTERS, WORDS
from megatron_crossic.data.deduplicate.sketches import SEED, SLOTS
from megatron_crossic.errors import ConfigError

CompareSide = Literal["both", "source", "target"]

LOWEST_THRESHOLD = 0.5
"""Below, texts that share no more than a topic's phrases would be compared and removed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeduplicateOptions:
    """From which pairs to leave out which duplicates, and where the rest goes."""

    pairs: tuple[Path, ...]
    """Pair files, read one after the other; the first occurrence of a text wins."""
    output: Path
    """The pair file to write, its manifest beside it."""
    pairs_threshold: float | None = None
    """A pair goes at this estimated Jaccard similarity to an earlier kept one; None: no pair."""
    paragraphs_threshold: float | None = None
    """The same for each paragraph; None: no paragraph. Both are compared inside pairs of the same
    languages: an English document paired with Spanish and with Japanese stays in both."""
    paragraphs_min_characters: int = 100
    """Shorter paragraphs stay: headings and table cells repeat rightly."""
    side: CompareSide = "both"
    """What of a pair is compared. `both`: its texts together, so that a source paired with two
    different targets stays twice; `source`, `target`: that side alone."""
    log: Path | None = None
    """JSON lines: what was removed, and which earlier pair it repeats."""
    overwrite: bool = False
    """Replace an existing output."""

    def __post_init__(self) -> None:
        if not self.pairs:
            raise ConfigError("pairs must name at least one file, got none. Pass --pairs FILE.")
        if self.side not in get_args(CompareSide):
            raise ConfigError(
                f"side must be one of {', '.join(get_args(CompareSide))}, got {self.side!r}. "
                "Choose one of them."
            )
        if self.pairs_threshold is None and self.paragraphs_threshold is None:
            raise ConfigError(
                "pairs-threshold or paragraphs-threshold must be given, got neither. "
                "Use for example --pairs-threshold 0.8."
            )
        for name in ("pairs_threshold", "paragraphs_threshold"):
            value = getattr(self, name)
            if value is not None and not LOWEST_THRESHOLD <= value <= 1:
                raise ConfigError(
                    f"{name.replace('_', '-')} must be {LOWEST_THRESHOLD} to 1, got {value}. "
                    "Use for example 0.8."
                )
        if self.paragraphs_min_characters < 1:
            raise ConfigError(
                "paragraphs-min-characters must be positive, got "
                f"{self.paragraphs_min_characters}. Use for example 100."
            )

    def for_manifest(self) -> dict[str, Any]:
        """Every choice that shaped the result."""
        return {
            "pairs_threshold": self.pairs_threshold,
            "paragraphs_threshold": self.paragraphs_threshold,
            "paragraphs_min_characters": self.paragraphs_min_characters,
            "side": self.side,
            "shingle_words": WORDS,
            "shingle_characters": CHARACTERS,
            "signature_slots": SLOTS,
            "seed": SEED,
        }
