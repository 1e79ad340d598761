"""One window as a person reads it: labelled segments of text and the pairs they came from."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.loss_roles import roles_with_loss
from megatron_crossic.data.spans import NO_CHUNK, NO_PAIR, Role
from megatron_crossic.data.store import WindowStore
from megatron_crossic.data.tokenizer import Tokenizer
from megatron_crossic.errors import DataError
from megatron_crossic.inspection.facts import Fact, facts
from megatron_crossic.inspection.marks import one_cut_mark, visible, visible_line


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """The tokens of one span."""

    role: Role
    language: int | None
    """Index into the data set's languages; None for BOS, SPLIT and PAD."""
    start: int
    length: int
    chunk: int | None
    pair: int | None
    """Ordinal of the pair in the data set."""
    num_with_loss: int
    """Tokens of the segment that have loss."""
    text: str
    """Decoded, with acting characters made visible; one token's name for BOS, SPLIT and PAD."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowView:
    """Everything there is to see in one window."""

    number: int
    segments: tuple[Segment, ...]
    """In order, covering the window."""

    @property
    def num_tokens(self) -> int:
        return sum(segment.length for segment in self.segments)

    @property
    def fill_rate(self) -> float:
        """Share of positions that are not padding."""
        padding = sum(s.length for s in self.segments if s.role == Role.PAD)
        return 1 - padding / self.num_tokens

    @property
    def num_with_loss(self) -> int:
        return sum(segment.num_with_loss for segment in self.segments)

    @property
    def num_chunks(self) -> int:
        return len({segment.chunk for segment in self.segments} - {None})

    @property
    def pairs(self) -> list[int]:
        """The pairs of the window, in order of appearance."""
        return list(dict.fromkeys(s.pair for s in self.segments if s.pair is not None))


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Where a pair came from; every text has been made safe to show."""

    pair: int
    id: str
    documents: tuple[tuple[str, str], ...]
    """Language and title of each document, in the pair's order."""
    facts: tuple[Fact, ...]
    """Origin, score and whatever else is known."""


def view_window(
    store: WindowStore, tokenizer: Tokenizer, number: int, *, split_loss: bool = True
) -> WindowView:
    """Decode one window, span by span."""
    tokens = store.tokens(number)
    if int(tokens.max()) >= store.vocab_size:
        raise DataError(
            f"tokens of window {number} must be below {store.vocab_size}, got {tokens.max()} in "
            f"{store.prefix}.bin. The file was damaged: make the data set again."
        )
    counts = roles_with_loss(split_loss=split_loss)
    return WindowView(
        number=number,
        segments=tuple(
            _segment(span, tokens, tokenizer, has_loss=bool(counts[span["role"]]))
            for span in store.spans(number)
        ),
    )


def _segment(
    span: np.void, tokens: NDArray[np.integer[Any]], tokenizer: Tokenizer, *, has_loss: bool
) -> Segment:
    role, start, length = Role(span["role"]), int(span["start"]), int(span["length"])
    is_text = role in (Role.SOURCE, Role.TARGET)
    shown = tokens[start : start + (length if is_text else 1)]
    text = visible(one_cut_mark(tokenizer.decode(shown)))
    return Segment(
        role=role,
        language=int(span["language"]) if is_text else None,
        start=start,
        length=length,
        chunk=None if span["chunk"] == NO_CHUNK else int(span["chunk"]),
        pair=None if span["pair"] == NO_PAIR else int(span["pair"]),
        num_with_loss=length - (start == 0) if has_loss else 0,
        text=text if is_text else visible_line(text),
    )


def read_source(store: WindowStore, pair: int) -> Source:
    """What the data set knows about one of its pairs."""
    record = dict(store.provenance(pair))
    names = [visible_line(str(name)) for name in record.pop("languages", [])]
    titles = [visible_line(str(title)) for title in record.pop("titles", [])]
    return Source(
        pair=pair,
        id=visible_line(str(record.pop("id", ""))),
        documents=tuple(zip(names, titles, strict=False)),
        facts=tuple(facts(record)),
    )
