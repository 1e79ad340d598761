"""The records that flow through data preparation: documents and pairs, and their JSON form."""

import re
from collections.abc import Iterable, Iterator, Mapping
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


PAIR_FIELDS = frozenset("id source target targets origin score provenance".split())
"""What a pair record consists of."""


LINKED = "linked"
"""In the provenance of a retrieved pair: the article that its target is linked to,
`{"lang", "title"}`, or `"text"` where that has no title."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Documents about the same entity or topic; the source is the anchor.

    One target as a rule. Several make windows of three or more languages, none makes the source a
    document on its own (mode `documents`).
    """

    id: str
    source: Document
    targets: tuple[Document, ...]
    origin: Origin = "given"
    score: float | None = None
    """Similarity where the pair was retrieved; None where it was linked or given."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Whatever traces the pair to its sources: page and revision ids, URLs, licence."""

    @property
    def documents(self) -> tuple[Document, ...]:
        """Source first, then the targets."""
        return (self.source, *self.targets)


def batches_of_text(pairs: Iterable[Pair], *, characters: int) -> Iterator[list[Pair]]:
    """Pairs in order, some at a time: each list ends where it has so much text."""
    batch: list[Pair] = []
    found = 0
    for pair in pairs:
        batch.append(pair)
        found += sum(len(document.text) for document in pair.documents)
        if found >= characters:
            yield batch
            batch, found = [], 0
    if batch:
        yield batch


def pair_to_json(pair: Pair) -> dict[str, Any]:
    """The JSON form of a pair: `{id, source, target, origin, score}` and provenance if any.

    Several targets are a list under `targets`.
    """
    targets = [document_to_json(document) for document in pair.targets]
    record = {
        "id": pair.id,
        "source": document_to_json(pair.source),
        **({"target": targets[0]} if len(targets) == 1 else {"targets": targets}),
        "origin": pair.origin,
        "score": pair.score,
    }
    if pair.provenance:
        record["provenance"] = dict(pair.provenance)
    return record


def pair_from_json(record: Mapping[str, Any], *, where: str) -> Pair:
    """Build a pair from its JSON form; `where` (file and line) opens every error message.

    Fields of other names are kept with its provenance.
    """
    if "text" in record and "source" not in record:
        raise DataError(
            f"{where}: record must be a pair with source and target, got a single document with "
            "text. Say that they are documents: --mode documents to preprocess them, --target-lang "
            "CODE to mine for them."
        )
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
        source=_document_from_json(record.get("source"), "source", where=where),
        targets=_targets_from_json(record, where=where),
        origin=origin,
        score=score,
        provenance={**_others(record), **provenance},
    )


def _others(record: Mapping[str, Any]) -> dict[str, Any]:
    # In the order of the record: a set's order changes from run to run.
    return {key: value for key, value in record.items() if key not in PAIR_FIELDS}


def document_from_json(record: Mapping[str, Any], *, language: str | None, where: str) -> Pair:
    """Build a pair without targets from a document record: `{text, title?, lang?, id?, …}`.

    `language` stands in where the record has no `lang`. Fields of other names (`url`, a score of
    quality) are its provenance. A null is no value, as in a column of Parquet.
    """
    if "source" in record and "text" not in record:
        raise DataError(
            f"{where}: record must be a single document with text, got a pair. "
            "Leave --mode documents out, or give each text a record of its own."
        )
    record = {key: value for key, value in record.items() if value is not None}
    fields = {"lang": language, "title": "", **record}
    if fields["lang"] is None:
        raise DataError(
            f"{where}: lang must be a two-letter ISO 639-1 language code, got none. "
            "Name the language of all such records with --language."
        )
    fields["id"] = str(fields.get("id", ""))
    document = _document_from_json(fields, "document", where=where)
    known = {"lang", "title", "text", "id"}
    return Pair(
        id=document.id,
        source=document,
        targets=(),
        provenance={key: value for key, value in record.items() if key not in known},
    )


def _targets_from_json(record: Mapping[str, Any], *, where: str) -> tuple[Document, ...]:
    targets = record.get("targets")
    if targets is None:
        return (_document_from_json(record.get("target"), "target", where=where),)
    if not isinstance(targets, list) or not targets or "target" in record:
        raise DataError(
            f"{where}: targets must be a list of documents and stand alone, got "
            f"{type(targets).__name__}{' beside target' if 'target' in record else ''}. "
            "Give target for one document, targets for several."
        )
    return tuple(
        _document_from_json(value, f"targets[{i}]", where=where) for i, value in enumerate(targets)
    )


def document_to_json(document: Document) -> dict[str, str]:
    """The JSON form of one document of a pair."""
    record = {"lang": document.language, "title": document.title, "text": document.text}
    return {"id": document.id, **record} if document.id else record


def _document_from_json(value: Any, side: str, *, where: str) -> Document:
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
