"""Languages detected against languages claimed, for some texts of a pair file."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from megatron_crossic.data.languages import detect_language, excerpt
from megatron_crossic.data.records import Document, Pair
from megatron_crossic.inspection.marks import visible_line

MOST_STRANGERS = 50
"""Documents of another language that are listed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A document whose language is to be told."""

    pair_id: str
    title: str
    claimed: str
    excerpt: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Stranger:
    """A document that is not in the language it claims; every text is safe to show."""

    pair: int
    """Number in the file, from 0."""
    pair_id: str
    title: str
    claimed: str
    detected: str
    text: str
    """Its beginning, on one line."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Confusion:
    """What was detected, by what was claimed."""

    num_too_short: int
    """Documents of the sample that were not looked at."""
    counts: dict[str, Counter[str]]
    """Claimed language -> documents by detected language."""
    strangers: tuple[Stranger, ...]
    """The first of those that disagree."""

    @property
    def num_looked_at(self) -> int:
        return sum(counts.total() for counts in self.counts.values())

    @property
    def num_strangers(self) -> int:
        return sum(
            n
            for claimed, counts in self.counts.items()
            for detected, n in counts.items()
            if detected != claimed
        )


def candidates(pair: Pair) -> list[Candidate]:
    """All documents of a pair, as little of them as is needed."""
    return [_candidate(pair.id, document) for document in pair.documents]


def _candidate(pair_id: str, document: Document) -> Candidate:
    return Candidate(
        pair_id=pair_id,
        title=document.title,
        claimed=document.language,
        excerpt=excerpt(document.text),
    )


def confuse(sample: Iterable[tuple[int, list[Candidate]]]) -> Confusion:
    """Tell the language of all documents of some numbered pairs."""
    counts: dict[str, Counter[str]] = {}
    strangers: list[Stranger] = []
    num_too_short = 0
    for number, documents in sample:
        for document in documents:
            detected = detect_language(document.excerpt, claimed=document.claimed)
            if detected is None:
                num_too_short += 1
                continue
            counts.setdefault(document.claimed, Counter())[detected] += 1
            if detected != document.claimed and len(strangers) < MOST_STRANGERS:
                strangers.append(_stranger(number, document, detected))
    return Confusion(num_too_short=num_too_short, counts=counts, strangers=tuple(strangers))


def _stranger(number: int, document: Candidate, detected: str) -> Stranger:
    return Stranger(
        pair=number,
        pair_id=visible_line(document.pair_id),
        title=visible_line(document.title),
        claimed=document.claimed,
        detected=visible_line(detected),
        text=visible_line(" ".join(document.excerpt[:400].split())[:160]),
    )
