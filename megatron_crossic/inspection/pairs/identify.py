"""Languages detected against languages claimed, for some texts of a pair file.

py3langid tells 140 languages apart from the bytes of a text, 2,000 texts a second on one core. Its
model lies in its package: 5 MB, read without pickle, nothing to download.
"""

import importlib.util
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from megatron_crossic.data.records import Document, Pair
from megatron_crossic.errors import ConfigError
from megatron_crossic.inspection.marks import visible_line
from megatron_crossic.inspection.pairs.scripts import excerpt

LEAST_CHARACTERS = 50
"""Shorter texts are not looked at: a guess would say little."""
MOST_STRANGERS = 50
"""Documents of another language that are listed."""

_ALIKE = {"nb": "no"}
"""Claimed code -> what the identifier calls the same language."""


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


def require_identifier() -> None:
    """Refuse a wish for detection before anything is read."""
    if importlib.util.find_spec("py3langid") is None:
        raise ConfigError(
            "--detect-languages must find a language identifier, got none. "
            "Install it: pip install py3langid, or leave the option out."
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


def detect_language(text: str) -> str:
    """The identifier's code of the most likely language."""
    import py3langid  # `require_identifier` has looked for it; reading its model takes 0.6 s

    return str(py3langid.classify(text)[0])


def confuse(sample: Iterable[tuple[int, list[Candidate]]]) -> Confusion:
    """Tell the language of all documents of some numbered pairs."""
    counts: dict[str, Counter[str]] = {}
    strangers: list[Stranger] = []
    num_too_short = 0
    for number, documents in sample:
        for document in documents:
            if len(document.excerpt.strip()) < LEAST_CHARACTERS:
                num_too_short += 1
                continue
            detected = detect_language(document.excerpt)
            if detected == _ALIKE.get(document.claimed):
                detected = document.claimed
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
