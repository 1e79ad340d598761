"""Which texts of a pair are compared, and their sketches: the first pass."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from megatron_crossic.data.deduplicate.index import DuplicateIndex
from megatron_crossic.data.deduplicate.options import CompareSide, DeduplicateOptions
from megatron_crossic.data.deduplicate.shingles import shingle
from megatron_crossic.data.deduplicate.sketches import Sketches
from megatron_crossic.data.hashing import Hashes
from megatron_crossic.data.records import Document, Pair, batches_of_text

BATCH_CHARACTERS = 1_000_000
"""Text hashed at once: enough for array operations, little enough to forget about."""

NO_DIGEST = bytes(8)


def with_documents(pair: Pair, changed: Sequence[Document]) -> Pair:
    """The same pair with its documents exchanged for others, the source first."""
    source, *targets = changed
    return replace(pair, source=source, targets=tuple(targets))


def compared(pair: Pair, side: CompareSide) -> tuple[Document, ...]:
    """The documents whose texts together decide whether a pair is a duplicate."""
    found = pair.documents
    return {"both": found, "source": found[:1], "target": found[1:]}[side]


def is_long(paragraph: str, options: DeduplicateOptions) -> bool:
    """Whether a paragraph can be a duplicate; the two passes number those that can alike."""
    return len(paragraph) >= options.paragraphs_min_characters


@dataclass(frozen=True, kw_only=True, slots=True)
class PairIndexes:
    """What the second pass needs to know of all texts; None for what is not looked for."""

    pairs: DuplicateIndex | None
    """One text a pair, in order."""
    paragraphs: DuplicateIndex | None
    """One text for each long paragraph, in the order of pairs, documents and paragraphs."""


def index_pairs(pairs: Iterable[Pair], options: DeduplicateOptions) -> PairIndexes:
    """Read all pairs once."""
    whole, parts = options.pairs_threshold, options.paragraphs_threshold
    pair_sketches = None if whole is None else Sketches(threshold=whole)
    paragraph_sketches = None if parts is None else Sketches(threshold=parts)
    for batch in batches_of_text(pairs, characters=BATCH_CHARACTERS):
        if pair_sketches is not None:
            _add(pair_sketches, [_pair_texts(pair, options.side) for pair in batch])
        if paragraph_sketches is not None:
            _add(paragraph_sketches, [[text] for text in _long_paragraphs(batch, options)])
    return PairIndexes(
        pairs=_index(pair_sketches, whole), paragraphs=_index(paragraph_sketches, parts)
    )


def _index(sketches: Sketches | None, threshold: float | None) -> DuplicateIndex | None:
    if sketches is None or threshold is None:
        return None
    return DuplicateIndex(sketches, threshold=threshold)


Text = tuple[str, str]
"""Domain and text; texts of different domains are never alike."""


def _domain(document: Document, pair: Pair) -> str:
    """`en of en es`: an English document paired with Spanish and with Japanese stays in both."""
    languages = " ".join(other.language for other in pair.documents)
    return f"{document.language} of {languages}"


def _pair_texts(pair: Pair, side: CompareSide) -> list[Text]:
    return [
        (_domain(document, pair), "\n\n".join(document.paragraphs()))
        for document in compared(pair, side)
    ]


def _long_paragraphs(batch: list[Pair], options: DeduplicateOptions) -> Iterator[Text]:
    for pair in batch:
        for document in pair.documents:
            domain = _domain(document, pair)
            for paragraph in document.paragraphs():
                if is_long(paragraph, options):
                    yield domain, paragraph


def _add(sketches: Sketches, items: Sequence[Sequence[Text]]) -> None:
    """Add items of one or more texts each; texts of one domain are hashed together."""
    by_domain: dict[str, list[str]] = {}
    for item in items:
        for domain, text in item:
            by_domain.setdefault(domain, []).append(text)
    hashed = {
        domain: iter(shingle(texts, language=domain.split()[0], domain=domain))
        for domain, texts in by_domain.items()
    }
    shingles = [_joined([next(hashed[domain]) for domain, _ in item]) for item in items]
    sketches.add(shingles, [_digest(item) for item in items])


def _joined(parts: Sequence[Hashes]) -> Hashes:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _digest(item: Sequence[Text]) -> bytes:
    """Eight bytes: among 100 million texts two share them by chance with probability 0.0003."""
    if not any(text for _, text in item):
        return NO_DIGEST
    content = "\0".join(part for text in item for part in text)
    return hashlib.blake2b(content.encode("utf-8", "surrogatepass"), digest_size=8).digest()
