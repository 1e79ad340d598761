"""Pairs become token arrays: both sides of many pairs are tokenized in one call.

A side's tokens are the tokens of its paragraphs, one after the other, each encoded as its text and
"\n\n": so a side may be cut after any paragraph, and the source is followed by a blank line before
the target begins. The title is the first paragraph unless it is switched off.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.chunks import Outline, Positions
from megatron_crossic.data.records import Document, Pair
from megatron_crossic.data.sentences import sentence_ends
from megatron_crossic.data.spans import Role
from megatron_crossic.data.tokenizer import Tokenizer

PARAGRAPH_BREAK = "\n\n"

BATCH_CHARACTERS = 1_000_000
"""Text tokenized at once: enough to keep all threads busy, little enough to forget about."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One document as tokens."""

    language: str
    role: Role
    tokens: NDArray[np.int32]
    paragraphs: tuple[str, ...]
    """The texts that were encoded, paragraph breaks included."""
    paragraph_ends: Positions
    """Position in `tokens` after each paragraph."""
    tokenizer: Tokenizer
    has_title: bool = False
    """Whether the first paragraph is the title."""

    @property
    def num_tokens(self) -> int:
        return len(self.tokens)

    def outline(self) -> Outline:
        # A paragraph of a thousand windows is asked for its sentences a thousand times.
        return Outline(paragraph_ends=self.paragraph_ends, sentence_ends=cache(self.sentence_ends))

    def sentence_ends(self, paragraph: int) -> Positions:
        """Positions in `tokens` after each sentence of one paragraph.

        The paragraph is not encoded sentence by sentence, which could give other tokens. A sentence
        ends before the first token that starts at or after its last character.
        """
        text = self.paragraphs[paragraph]
        starts = np.maximum.accumulate(self.tokenizer.token_starts(text))
        start = int(self.paragraph_ends[paragraph - 1]) if paragraph else 0
        ends = np.searchsorted(starts, sentence_ends(text, language=self.language), side="left")
        return np.unique(start + ends)

    def leading(self, num_paragraphs: int) -> "Side":
        """The same side cut short after some of its paragraphs."""
        ends = self.paragraph_ends[:num_paragraphs]
        return replace(
            self,
            tokens=self.tokens[: ends[-1]],
            paragraphs=self.paragraphs[:num_paragraphs],
            paragraph_ends=ends,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class EncodedPair:
    """A pair and the tokens of both its sides."""

    pair: Pair
    source: Side
    target: Side

    @property
    def num_tokens(self) -> int:
        return self.source.num_tokens + self.target.num_tokens


def encode_pairs(
    pairs: Iterable[Pair], tokenizer: Tokenizer, *, with_title: bool = True
) -> Iterator[EncodedPair]:
    """Tokenize pairs in order, about `BATCH_CHARACTERS` at a time."""
    for batch in _batches(pairs):
        texts = [
            _paragraphs(document, with_title=with_title)
            for pair in batch
            for document in (pair.source, pair.target)
        ]
        encoded = iter(tokenizer.encode_batch([text for side in texts for text in side]))
        arrays = [list(islice(encoded, len(side))) for side in texts]
        side = partial(_side, tokenizer=tokenizer, with_title=with_title)
        for i, pair in enumerate(batch):
            source = side(pair.source, Role.SOURCE, texts[2 * i], arrays[2 * i])
            target = side(pair.target, Role.TARGET, texts[2 * i + 1], arrays[2 * i + 1])
            yield EncodedPair(pair=pair, source=source, target=target)


def _batches(pairs: Iterable[Pair]) -> Iterator[list[Pair]]:
    batch: list[Pair] = []
    characters = 0
    for pair in pairs:
        batch.append(pair)
        characters += len(pair.source.text) + len(pair.target.text)
        if characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _paragraphs(document: Document, *, with_title: bool) -> list[str]:
    title = document.title.strip() if with_title else ""
    return [text + PARAGRAPH_BREAK for text in ([title] if title else []) + document.paragraphs()]


def _side(
    document: Document,
    role: Role,
    texts: Sequence[str],
    arrays: Sequence[NDArray[np.int32]],
    *,
    tokenizer: Tokenizer,
    with_title: bool,
) -> Side:
    return Side(
        language=document.language,
        role=role,
        tokens=np.concatenate(arrays) if arrays else np.empty(0, dtype=np.int32),
        paragraphs=tuple(texts),
        paragraph_ends=np.cumsum([len(array) for array in arrays], dtype=np.int64),
        tokenizer=tokenizer,
        has_title=with_title and bool(document.title.strip()),
    )
