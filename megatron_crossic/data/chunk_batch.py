"""Chunks as arrays: what workers hand over and windows are made of.

Everything of one batch lies in flat arrays, so that handing it to another process is copying a few
buffers: `tokens` holds the chunks as they will stand in a window, each with its SPLIT. A chunk of 7
source tokens, 5 target tokens and its SPLIT has size 13 and the spans (0, 7), (7, 5), (12, 1).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.spans import NO_LANGUAGE, Role
from megatron_crossic.errors import DataError

Ints = NDArray[np.int64]

SPLIT_TOKENS = 1
"""What a chunk costs in a window beside its own tokens."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChunkBatch:
    """Chunks of consecutive pairs."""

    tokens: NDArray[Any]
    """All chunks, one after the other, in the type on disk."""
    sizes: Ints
    """Tokens of each chunk, SPLIT included."""  # [chunks]
    groups: Ints
    """Ordinal of the group each chunk belongs to; nondecreasing."""  # [chunks]
    group_pairs: Ints
    """Ordinal of the pair each group belongs to."""  # [groups]
    group_documents: Ints
    """Which document of the pair the group is, where each is on its own."""  # [groups]
    span_counts: Ints
    """Spans of each chunk."""  # [chunks]
    span_starts: Ints
    """First token of each span, counted from its chunk's start."""  # [spans]
    span_lengths: Ints
    span_languages: NDArray[np.uint8]
    """Index into `languages`; NO_LANGUAGE for SPLIT."""
    span_roles: NDArray[np.uint8]
    languages: tuple[str, ...]
    num_pairs: int
    provenance: bytes
    """One JSON line a pair."""


class ChunkBatchBuilder:
    """Collects chunks one by one."""

    def __init__(self, *, split_id: int, dtype: np.dtype[Any]) -> None:
        self._dtype = dtype
        self._split = np.array([split_id], dtype=np.int32)
        self._pieces: list[NDArray[np.int32]] = []
        self._sizes: list[int] = []
        self._groups: list[int] = []
        self._group_pairs: list[int] = []
        self._group_documents: list[int] = []
        self._span_counts: list[int] = []
        self._spans: list[tuple[int, int, int, int]] = []
        self._languages: dict[str, int] = {}
        self._provenance: list[bytes] = []

    @property
    def num_chunks(self) -> int:
        return len(self._sizes)

    def begin_pair(self, provenance: bytes) -> None:
        self._provenance.append(provenance)

    def begin_group(self, document: int) -> None:
        self._group_pairs.append(len(self._provenance) - 1)
        self._group_documents.append(document)

    def language(self, name: str) -> int:
        """Index of a language, by the order in which they come."""
        return self._languages.setdefault(name, len(self._languages))

    def add_chunk(self, parts: Sequence[tuple[NDArray[np.int32], int, Role]]) -> None:
        """Tokens, language index and role of each part in order; none of them empty.

        Neighbours of the same side become one span.
        """
        spans: list[tuple[int, int, int, int]] = []
        at = 0
        for tokens, language, role in parts:
            length = len(tokens)
            self._pieces.append(tokens)
            if spans and spans[-1][2:] == (language, role):
                start, before = spans[-1][:2]
                spans[-1] = (start, before + length, language, role)
            else:
                spans.append((at, length, language, role))
            at += length
        self._pieces.append(self._split)
        spans.append((at, SPLIT_TOKENS, NO_LANGUAGE, Role.SPLIT))
        self._spans += spans
        self._span_counts.append(len(spans))
        self._sizes.append(at + SPLIT_TOKENS)
        self._groups.append(len(self._group_pairs) - 1)

    def build(self) -> ChunkBatch:
        spans = np.array(self._spans, dtype=np.int64).reshape(-1, 4)
        pieces = [np.empty(0, dtype=np.int32), *self._pieces]
        return ChunkBatch(
            tokens=np.concatenate(pieces).astype(self._dtype, copy=False),
            sizes=np.array(self._sizes, dtype=np.int64),
            groups=np.array(self._groups, dtype=np.int64),
            group_pairs=np.array(self._group_pairs, dtype=np.int64),
            group_documents=np.array(self._group_documents, dtype=np.int64),
            span_counts=np.array(self._span_counts, dtype=np.int64),
            span_starts=spans[:, 0].copy(),
            span_lengths=spans[:, 1].copy(),
            span_languages=spans[:, 2].astype(np.uint8),
            span_roles=spans[:, 3].astype(np.uint8),
            languages=tuple(self._languages),
            num_pairs=len(self._provenance),
            provenance=b"".join(self._provenance),
        )


class LanguageTable:
    """Languages of a data set by the order in which they were first seen."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        self._indices = {name: i for i, name in enumerate(names)}

    def remap(self, names: Sequence[str]) -> NDArray[np.uint8]:
        """What replaces each language index of a batch with these names."""  # [256]
        table = np.full(256, NO_LANGUAGE, dtype=np.uint8)
        for i, name in enumerate(names):
            index = self._indices.setdefault(name, len(self._indices))
            if index >= NO_LANGUAGE:
                raise DataError(
                    f"a data set must have fewer than {NO_LANGUAGE} languages, got {name!r} as one "
                    "more. Make several data sets and blend them in training."
                )
            table[i] = index
        return table

    def names(self) -> list[str]:
        return list(self._indices)


def join_batches(batches: Sequence[ChunkBatch], languages: LanguageTable) -> ChunkBatch:
    """The chunks of several batches as one, with the language indices of the data set."""
    groups_before = np.cumsum([0, *(len(batch.group_pairs) for batch in batches)])
    pairs_before = np.cumsum([0, *(batch.num_pairs for batch in batches)])

    def joined(name: str, shifts: Ints | None = None) -> NDArray[Any]:
        arrays = [getattr(batch, name) for batch in batches]
        if shifts is not None:
            arrays = [array + shift for array, shift in zip(arrays, shifts, strict=False)]
        return np.concatenate(arrays)

    return ChunkBatch(
        tokens=joined("tokens"),
        sizes=joined("sizes"),
        groups=joined("groups", groups_before),
        group_pairs=joined("group_pairs", pairs_before),
        group_documents=joined("group_documents"),
        span_counts=joined("span_counts"),
        span_starts=joined("span_starts"),
        span_lengths=joined("span_lengths"),
        span_languages=np.concatenate(
            [languages.remap(batch.languages)[batch.span_languages] for batch in batches]
        ),
        span_roles=joined("span_roles"),
        languages=tuple(languages.names()),
        num_pairs=int(pairs_before[-1]),
        provenance=b"".join(batch.provenance for batch in batches),
    )


def ranges(starts: Ints, counts: Ints) -> Ints:
    """The numbers starts[i] … starts[i] + counts[i] - 1 of every i, one after the other.

    starts 5, 20 and counts 2, 3 give 5, 6, 20, 21, 22.
    """
    before = np.cumsum(counts) - counts
    return np.repeat(starts - before, counts) + np.arange(int(counts.sum()))
