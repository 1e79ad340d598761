"""What a selection wrote about itself (`mining.json`), read back and made safe to show."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from megatron_crossic.data.records import Document
from megatron_crossic.data.retrieval.selection.assignment import BELOW_THRESHOLD, CHOSEN
from megatron_crossic.data.retrieval.selection.sample import FORMAT_VERSION, KIND
from megatron_crossic.errors import DataError
from megatron_crossic.files import unreadable
from megatron_crossic.inspection.documents import ShownDocument, link_of, show_document
from megatron_crossic.inspection.marks import visible_line


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownCandidate:
    """A document, its best passage, and what became of them."""

    passage: ShownDocument
    target: ShownDocument
    passage_id: str
    target_id: str
    value: float
    """What was selected by."""
    scores: tuple[tuple[str, float], ...]
    """Name and value: similarity, margin, each view."""
    outcome: str
    """`chosen` or the reason."""

    @property
    def is_chosen(self) -> bool:
        return self.outcome == CHOSEN


@dataclass(frozen=True, kw_only=True, slots=True)
class MiningRecord:
    """Everything the page shows."""

    options: Mapping[str, Any]
    counts: Mapping[str, Any]
    drops: Mapping[str, int]
    """Documents without a pair by reason."""
    best: Mapping[int, int]
    """Documents by the score of their best candidate: number of the bin and count. Bin i goes from
    i / `bins_per_unit` to (i + 1) / `bins_per_unit`."""
    chosen: Mapping[int, int]
    """The same for pairs by their score."""
    bins_per_unit: int
    sample: tuple[ShownCandidate, ...]
    """By descending score."""

    @property
    def score_name(self) -> str:
        return str(self.options["score"])

    @property
    def threshold(self) -> float:
        return float(self.options["min_score"])

    @property
    def num_documents(self) -> int:
        return int(self.counts["documents"])

    @property
    def num_pairs(self) -> int:
        return int(self.counts["pairs"])

    @property
    def num_above(self) -> int:
        """Documents whose best candidate reaches the threshold."""
        below = self.drops.get(BELOW_THRESHOLD, 0)
        return int(self.counts["documents_with_candidates"]) - below


def read_mining_record(path: Path) -> MiningRecord:
    """Read `mining.json`; raises `DataError` where it is missing, damaged or of another kind."""
    try:
        values = json.loads(path.read_bytes())
        kind, version = values["kind"], values["format_version"]
        record = _record(values) if (kind, version) == (KIND, FORMAT_VERSION) else None
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise DataError(
            f"mining record must be a JSON object written by the selection, got {path}: {error!r}. "
            "Select again."
        ) from error
    if record is None:
        raise DataError(
            f"mining record must be of kind {KIND}, format {FORMAT_VERSION}, got {kind!r}, format "
            f"{version!r} in {path}. Name another file, or select again."
        )
    return record


def _record(values: Mapping[str, Any]) -> MiningRecord:
    histograms = values["histograms"]
    bins_per_unit = int(histograms["bins_per_unit"])
    by_margin = values["options"]["score"] == "margin"
    record = MiningRecord(
        options=values["options"],
        counts=values["counts"],
        drops={visible_line(str(reason)): int(n) for reason, n in values["drops"].items()},
        best=_bins(histograms["best"], bins_per_unit),
        chosen=_bins(histograms["chosen"], bins_per_unit),
        bins_per_unit=bins_per_unit,
        sample=tuple(_candidate(sample, by_margin=by_margin) for sample in values["sample"]),
    )
    _check(record)
    return record


def _check(record: MiningRecord) -> None:
    """Refuse what cannot be drawn."""
    if not (bins := record.bins_per_unit) > 0:
        raise ValueError(f"{bins} bins per unit")
    if not math.isfinite(record.threshold):
        raise ValueError(f"threshold {record.threshold}")
    if not 0 <= record.num_pairs <= record.num_documents >= record.num_above:
        raise ValueError(f"{record.num_pairs} pairs of {record.num_documents} documents")


def _bins(counts: Mapping[str, Any], bins_per_unit: int) -> dict[int, int]:
    return {round(float(edge) * bins_per_unit): int(n) for edge, n in counts.items()}


def _candidate(sample: Mapping[str, Any], *, by_margin: bool) -> ShownCandidate:
    similarity, margin = float(sample["score"]), float(sample["margin"])
    views = [(f"by {visible_line(name)}", float(v)) for name, v in sample["views"].items()]
    target, passage = sample["target"], sample["passage"]
    return ShownCandidate(
        passage=_document(passage),
        target=_document(target),
        passage_id=visible_line(str(sample["id"])),
        target_id=visible_line(str(target["record"].get("id", ""))),
        value=margin if by_margin else similarity,
        scores=(("margin", margin), ("similarity", similarity), *views),
        outcome=visible_line(str(sample["outcome"])),
    )


def _document(values: Mapping[str, Any]) -> ShownDocument:
    text, num_characters = str(values["text"]), int(values["num_characters"])
    cut = "…" if len(text) < num_characters else ""
    document = Document(
        language=str(values["language"]), title=str(values["title"]), text=text + cut
    )
    link = link_of(values["record"])
    return show_document(
        document, link, paragraphs=len(text) + 1, characters=len(text) + 1, whole=num_characters
    )
