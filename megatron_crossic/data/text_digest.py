"""Which texts a data set holds, whatever windows they are in: a digest for each side.

A document's tokens are put together again from its spans. The digest of a side is the sum, modulo
2^128, of a hash of each of its documents: it does not depend on their order nor on their partners,
and it changes when a token of any document does.

With `split_aware` the windows of a file are in the order of the texts. With `best_fit` the parts of
a document longer than a window may stand in any order, so there a document is hashed by its tokens
sorted: that proves that each document has the same tokens, not their order.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.budget import document_tokens
from megatron_crossic.data.spans import Role
from megatron_crossic.data.store import WindowStore, open_windows

_MODULUS = 1 << 128


@dataclass(frozen=True, kw_only=True, slots=True)
class TextDigest:
    """The texts of a data set by side."""

    in_order: bool
    """Whether documents were hashed with their tokens in order."""
    tokens: dict[str, int]
    """Side -> number of tokens."""
    digests: dict[str, str]
    """Side -> 32 hexadecimal digits; empty where there is no document."""


def digest_texts(prefix: Path, *, in_order: bool, num_tokens: int) -> TextDigest:
    """Digest the first `num_tokens` document tokens of a data set: one pass over its data."""
    store = open_windows(prefix)
    spans, counts = store.spans_block(0, len(store))
    lengths = document_tokens(spans)
    within = np.cumsum(lengths) <= num_tokens
    tokens, digests = {}, {}
    for side, role in (("source", Role.SOURCE), ("target", Role.TARGET)):
        own = np.flatnonzero((spans["role"] == role) & within)
        tokens[side] = int(lengths[own].sum())
        digests[side] = _digest_side(store, own, counts, in_order=in_order)
    return TextDigest(in_order=in_order, tokens=tokens, digests=digests)


def _digest_side(
    store: WindowStore, own: NDArray[np.int64], counts: NDArray[np.int64], *, in_order: bool
) -> str:
    """The digest of the documents that the spans `own` belong to."""
    if not len(own):
        return ""
    spans, _ = store.spans_block(0, len(store))
    chosen = np.array(spans[own])
    window = np.repeat(np.arange(len(counts)), counts)[own]
    # A pair has one document of each language and role; a stable sort keeps the parts in order.
    key = chosen["pair"].astype(np.int64) * 256 + chosen["language"]
    order = np.argsort(key, kind="stable")
    bounds = np.flatnonzero(np.diff(key[order], prepend=-1, append=-1))
    total = 0
    for first, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        parts = []
        for i in order[first:stop].tolist():
            start = int(chosen["start"][i])
            row = store.tokens(int(window[i]))
            parts.append(row[start : start + int(chosen["length"][i])])
        document = np.concatenate(parts)
        if not in_order:
            document = np.sort(document)
        digest = hashlib.blake2b(document.astype("<i4").tobytes(), digest_size=16).digest()
        total = (total + int.from_bytes(digest, "little")) % _MODULUS
    return f"{total:032x}"
