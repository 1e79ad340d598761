"""Pairs become token arrays: all texts of many pairs are tokenized in one call.

A side's tokens are the tokens of its paragraphs, one after the other, each encoded as its text and
"\n\n": so a side may be cut after any paragraph, and the source is followed by a blank line before
the target begins. The title is the first paragraph unless it is switched off.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice, pairwise

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.bulk import Encoder
from megatron_crossic.data.chunks import Outline, Positions
from megatron_crossic.data.records import Document, Pair, batches_of_text
from megatron_crossic.data.sentences import sentence_ends
from megatron_crossic.data.spans import Role
from megatron_crossic.data.tokenizer import Tokenizer

PARAGRAPH_BREAK = "\n\n"

BATCH_CHARACTERS = 4_000_000
"""Text tokenized at once: enough that a call costs nothing, little enough to forget about."""


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
    splitter: str = "sentencex"
    """What finds its sentence ends."""
    has_title: bool = False
    """Whether the first paragraph is the title."""

    @property
    def num_tokens(self) -> int:
        return len(self.tokens)

    def outline(self) -> Outline:
        return Outline(paragraph_ends=self.paragraph_ends, sentence_ends=self.sentence_ends)

    def sentence_ends(self, paragraph: int) -> Positions:
        """Positions in `tokens` after each sentence of one paragraph.

        The paragraph is not encoded sentence by sentence, which could give other tokens. A sentence
        ends before the first token that starts at or after its last character.
        """
        text = self.paragraphs[paragraph]
        start = int(self.paragraph_ends[paragraph - 1]) if paragraph else 0
        tokens = self.tokens[start : self.paragraph_ends[paragraph]]
        ends = sentence_ends(text, language=self.language, splitter=self.splitter)
        found = _token_positions(text, tokens, ends, self.tokenizer)
        return np.unique(start + found)

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
    """A pair and the tokens of all its sides."""

    pair: Pair
    sides: tuple[Side, ...]
    """The source, then the targets."""

    @property
    def num_tokens(self) -> int:
        return sum(side.num_tokens for side in self.sides)


def encode_pairs(
    pairs: Iterable[Pair],
    tokenizer: Tokenizer,
    encoder: Encoder,
    *,
    with_title: bool = True,
    splitter: str = "sentencex",
) -> Iterator[EncodedPair]:
    """Tokenize pairs in order, about `BATCH_CHARACTERS` at a time."""
    for batch in batches_of_text(pairs, characters=BATCH_CHARACTERS):
        documents = [document for pair in batch for document in pair.documents]
        roles = [role for pair in batch for role in _roles(pair)]
        texts = [_paragraphs(document, with_title=with_title) for document in documents]
        encoded = encoder.encode([text for side in texts for text in side])
        ends = np.cumsum([0, *map(len, texts)]).tolist()
        sides = (
            Side(
                language=document.language,
                role=role,
                tokens=encoded.ids[encoded.offsets[first] : encoded.offsets[last]],
                paragraphs=tuple(paragraphs),
                paragraph_ends=encoded.offsets[first + 1 : last + 1] - encoded.offsets[first],
                tokenizer=tokenizer,
                splitter=splitter,
                has_title=with_title and bool(document.title.strip()),
            )
            for document, role, paragraphs, (first, last) in zip(
                documents, roles, texts, pairwise(ends), strict=True
            )
        )
        for pair in batch:
            yield EncodedPair(pair=pair, sides=tuple(islice(sides, len(pair.documents))))


def _roles(pair: Pair) -> list[Role]:
    return [Role.SOURCE, *[Role.TARGET] * len(pair.targets)]


def _token_positions(
    text: str, tokens: NDArray[np.int32], ends: Positions, tokenizer: Tokenizer
) -> Positions:
    """For character offsets, the number of tokens that start before them.

    Counted in bytes, which takes no tokenizer. Where a tokenizer changed the text (normalization)
    its tokens do not add up to the text's bytes, and it is asked instead.
    """
    if tokenizer.byte_lengths is not None:
        content = np.frombuffer(text.encode(), dtype=np.uint8)
        lengths = tokenizer.byte_lengths[tokens].astype(np.int64)
        if lengths.sum() == len(content):
            # Every byte but those of the form 10xxxxxx starts a character.
            characters = np.append(np.flatnonzero(content & 0xC0 != 0x80), len(content))
            return np.searchsorted(np.cumsum(lengths) - lengths, characters[ends], side="left")
    starts = np.maximum.accumulate(tokenizer.token_starts(text))
    return np.searchsorted(starts, ends, side="left")


def _paragraphs(document: Document, *, with_title: bool) -> list[str]:
    title = document.title.strip() if with_title else ""
    return [text + PARAGRAPH_BREAK for text in ([title] if title else []) + document.paragraphs()]
