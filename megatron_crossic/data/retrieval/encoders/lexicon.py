"""The features of one language that an encoder knows, and texts as weighted counts of them.

A text becomes tf-idf: 1 + ln(count) times ln((1 + n) / (1 + df)) + 1, at unit length, where df of
the n texts that were seen have the feature.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.hashing import Hashes
from megatron_crossic.data.retrieval.encoders.features import text_features
from megatron_crossic.data.retrieval.libraries import load_scipy_sparse

MIN_TEXTS = 2
"""A feature of one text says nothing about any other."""

MAX_SHARE = 0.5
"""A feature of more than half of the texts does not tell them apart."""

MAX_FEATURES = 60_000
"""The most frequent are kept: 60,000 rows of 384 numbers are 92 MB. Words need fewer."""

BATCH_CHARACTERS = 1 << 20
"""Texts are taken apart so much at a time: Japanese takes 200 bytes a character meanwhile."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lexicon:
    """What is known of one language."""

    features: Hashes
    """Sorted, each once. [v]"""
    idf: NDArray[np.float32]
    """Weight of each feature. [v]"""

    @classmethod
    def of(cls, texts: Sequence[str]) -> Self:
        """The lexicon of a language of which these are texts."""
        counted = [_document_frequency(batch) for batch in _batches(texts)]
        features, places = np.unique(
            np.concatenate([features for features, _ in counted]), return_inverse=True
        )
        counts = np.concatenate([counts for _, counts in counted])
        document_frequency = np.bincount(places, counts, minlength=len(features)).astype(np.int64)
        known = np.flatnonzero(
            (document_frequency >= MIN_TEXTS)
            & (document_frequency <= max(MIN_TEXTS, MAX_SHARE * len(texts)))
        )
        if len(known) > MAX_FEATURES:
            order = np.argsort(-document_frequency[known], kind="stable")
            known = np.sort(known[order[:MAX_FEATURES]])
        idf = np.log((1 + len(texts)) / (1 + document_frequency[known])) + 1
        return cls(features=features[known], idf=idf.astype(np.float32))

    def weigh(self, texts: Sequence[str]) -> Any:
        """Sparse float32 matrix of the texts, CSR. [len(texts), v]

        A text without a known feature is a row of zeros.
        """
        rows = [self._weigh(batch) for batch in _batches(texts)]
        return load_scipy_sparse().vstack(rows, format="csr") if len(rows) > 1 else rows[0]

    def _weigh(self, texts: Sequence[str]) -> Any:
        values, owners = text_features(texts)
        if not len(self.features):
            return _count(values[:0], owners[:0], shape=(len(texts), 0))
        places = np.minimum(np.searchsorted(self.features, values), len(self.features) - 1)
        known = self.features[places] == values
        matrix = _count(places[known], owners[known], shape=(len(texts), len(self.features)))
        matrix.data = (1 + np.log(matrix.data)) * self.idf[matrix.indices]
        row_numbers = np.repeat(np.arange(len(texts)), np.diff(matrix.indptr))
        lengths = np.sqrt(np.bincount(row_numbers, matrix.data**2, minlength=len(texts)))
        matrix.data /= np.maximum(lengths, 1e-9)[row_numbers].astype(np.float32)
        return matrix


def _batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """The texts in order, in one batch at least."""
    start = size = 0
    for number, text in enumerate(texts):
        if size and size + len(text) > BATCH_CHARACTERS:
            yield texts[start:number]
            start, size = number, 0
        size += len(text)
    yield texts[start:]


def _document_frequency(texts: Sequence[str]) -> tuple[Hashes, NDArray[np.int64]]:
    """The features of these texts, sorted, and how many texts have each."""
    values, owners = text_features(texts)
    features, places = np.unique(values, return_inverse=True)
    seen = _count(places, owners, shape=(len(texts), len(features)))
    return features, np.bincount(seen.indices, minlength=len(features))


def _count(places: NDArray[Any], owners: NDArray[Any], *, shape: tuple[int, int]) -> Any:
    ones = np.ones(len(places), dtype=np.float32)
    matrix = load_scipy_sparse().csr_matrix((ones, (owners, places)), shape=shape)
    matrix.sum_duplicates()
    return matrix
