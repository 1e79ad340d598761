"""The records that flow through data preparation: documents and pairs, and their JSON form."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from megatron_crossic.errors import DataError

Origin = Literal["langlink", "retrieval", "given"]

# A line of blanks is a blank line, and so is one with the `\r` of Windows.
BLANK_LINES = re.compile(r"\n\s*\n")

# ISO 639-1, all 183 codes.
LANGUAGES = frozenset(
    """
    aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de
    dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia
    id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo
    lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl
    ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk
    tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
    """.split()
)


def check_language(code: str, *, thing: str) -> str:
    """Return `code` where it is ISO 639-1, else raise `DataError` naming `thing`."""
    if code not in LANGUAGES:
        raise DataError(
            f"{thing} must be a two-letter ISO 639-1 language code, got {code!r}. "
            "Use for example ar, en, es, ja, ko, pt or th."
        )
    return code


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """One article or page in one language."""

    language: str
    """ISO 639-1 code."""
    title: str
    text: str
    """Paragraphs separated by blank lines."""
    id: str = ""
    """Where it came from, for example `enwiki:33139`; empty where the pair's id says all."""

    def paragraphs(self) -> list[str]:
        """The paragraphs in order, without surrounding white space, none of them empty."""
        return [block for part in BLANK_LINES.split(self.text) if (block := part.strip())]


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Two documents about the same entity or topic; the source is the anchor."""

    id: str
    source: Document
    target: Document
    origin: Origin = "given"
    score: float | None = None
    """Similarity where the pair was retrieved; None where it was linked or given."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Whatever traces the pair to its sources: page and revision ids, URLs, licence."""


def pair_to_json(pair: Pair) -> dict[str, Any]:
    """The JSON form of a pair: `{id, source, target, origin, score}` and provenance if any."""
    record = {
        "id": pair.id,
        "source": _document_to_json(pair.source),
        "target": _document_to_json(pair.target),
        "origin": pair.origin,
        "score": pair.score,
    }
    if pair.provenance:
        record["provenance"] = dict(pair.provenance)
    return record


def pair_from_json(record: Mapping[str, Any], *, where: str) -> Pair:
    """Build a pair from its JSON form; `where` (file and line) opens every error message."""
    origin = record.get("origin", "given")
    if origin not in get_args(Origin):
        raise DataError(
            f"{where}: origin must be one of {', '.join(get_args(Origin))}, got {origin!r}. "
            "Mend that record."
        )
    score = record.get("score")
    if score is not None and (isinstance(score, bool) or not isinstance(score, (int, float))):
        raise DataError(f"{where}: score must be a number, got {score!r}. Mend that record.")
    provenance = record.get("provenance", {})
    if not isinstance(provenance, dict):
        raise DataError(
            f"{where}: provenance must be an object, got {provenance!r}. Mend that record."
        )
    return Pair(
        id=_text(record, "id", where=where),
        source=_document_from_json(record, "source", where=where),
        target=_document_from_json(record, "target", where=where),
        origin=origin,
        score=score,
        provenance=provenance,
    )


def _document_to_json(document: Document) -> dict[str, str]:
    record = {"lang": document.language, "title": document.title, "text": document.text}
    return {"id": document.id, **record} if document.id else record


def _document_from_json(record: Mapping[str, Any], side: str, *, where: str) -> Document:
    value = record.get(side)
    if not isinstance(value, dict):
        raise DataError(
            f"{where}: {side} must be an object with lang, title and text, got "
            f"{type(value).__name__}. Mend that record."
        )
    where = f"{where}: {side}"
    return Document(
        language=check_language(_text(value, "lang", where=where), thing=f"{where}.lang"),
        title=_text(value, "title", where=where),
        text=_text(value, "text", where=where),
        id=_text({"id": "", **value}, "id", where=where),
    )


def _text(record: Mapping[str, Any], key: str, *, where: str) -> str:
    value = record.get(key)
    if not isinstance(value, str):
        raise DataError(
            f"{where}: {key} must be a string, got {type(value).__name__}. Mend that record."
        )
    return value
