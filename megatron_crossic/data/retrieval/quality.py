"""How well an encoder finds the partner of a document among all source documents of a pair file.

    P@1   share of documents whose partner is the nearest
    MRR   mean of 1 / rank of the partner

with 95 % intervals by bootstrap over the documents, beside the same of partners by chance, never
their own: the better an encoder is, the fewer of those are nearest. One that tells nothing apart
has ties only, which count against it.

An embedded encoder must not have seen the pairs it is asked about. Without other pairs to fit on it
is fitted on four fifths of them and asked about the last, five times; candidates are all of them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.records import Document, Pair
from megatron_crossic.data.retrieval.encoders.encoder import Encoder
from megatron_crossic.data.retrieval.encoders.fitting import FitOptions, fit_encoder
from megatron_crossic.data.retrieval.index.vectors import Vectors
from megatron_crossic.data.retrieval.texts.queries import QueryTexts
from megatron_crossic.errors import DataError

FOLDS = 5
RESAMPLES = 2000
SEED = 0
TIE = 1e-6
"""Similarities this close are equal: float32 rounding of a product depends on its place among the
others, and of two equal texts one would look nearer."""
QUERY_BATCH = 1024

Interval = tuple[float, float]
Ranks = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Quality:
    """Of one view of the documents."""

    num_documents: int
    """Asked for, each among so many candidates."""
    precision: float
    """P@1."""
    precision_interval: Interval
    reciprocal_rank: float
    """MRR."""
    reciprocal_rank_interval: Interval
    chance_precision: float
    """P@1 of partners by chance, measured in the same way."""
    chance_reciprocal_rank: float


def partner_ranks(queries: Vectors, candidates: Vectors, partners: NDArray[np.int64]) -> Ranks:
    """Rank, from 1, of each query's partner among all candidates; ties count against it.

    [q, d], [n, d], [q] -> [q]
    """
    ranks = np.zeros(len(queries), dtype=np.int64)
    for start in range(0, len(queries), QUERY_BATCH):
        part = slice(start, start + QUERY_BATCH)
        similarities = queries[part] @ candidates.T
        own = np.take_along_axis(similarities, partners[part, None], axis=1)
        ranks[part] = (similarities >= own - TIE).sum(axis=1)
    return ranks


def quality_of(ranks: Ranks, chance: Ranks, *, seed: int = SEED) -> Quality:
    """Means and intervals; `chance` are ranks of partners by chance."""
    hits, reciprocals = (ranks == 1).astype(np.float64), 1 / ranks
    intervals = _intervals(np.stack((hits, reciprocals)), seed=seed)
    return Quality(
        num_documents=len(ranks),
        precision=float(hits.mean()),
        precision_interval=intervals[0],
        reciprocal_rank=float(reciprocals.mean()),
        reciprocal_rank_interval=intervals[1],
        chance_precision=float((chance == 1).mean()),
        chance_reciprocal_rank=float((1 / chance).mean()),
    )


def _intervals(values: NDArray[np.float64], *, seed: int) -> list[Interval]:
    """Of the mean of each row of values. [m, n] -> m intervals"""
    generator = np.random.Generator(np.random.PCG64(seed))
    num = values.shape[1]
    drawn = (generator.integers(0, num, size=num) for _ in range(RESAMPLES))
    means = np.array([values[:, numbers].mean(axis=1) for numbers in drawn])
    low, high = np.quantile(means, (0.025, 0.975), axis=0).tolist()
    return list(zip(low, high, strict=True))


def measure_encoder(
    encoder: Encoder, pairs: Sequence[Pair], texts: QueryTexts, *, views: Sequence[str]
) -> dict[str, Quality]:
    """By view: the targets of all pairs, each looked for among the sources of all."""
    return measure_encoders([(encoder, range(len(pairs)))], pairs, texts, views=views)


def measure_by_folds(
    pairs: Sequence[Pair],
    texts: QueryTexts,
    options: FitOptions,
    *,
    views: Sequence[str],
    on_fold: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[str, Quality]:
    """The same for an encoder that is fitted on the pairs it is not asked about."""

    def fitted() -> Iterator[tuple[Encoder, Sequence[int]]]:
        for fold in range(FOLDS):
            asked = range(fold, len(pairs), FOLDS)
            others = [pair for number, pair in enumerate(pairs) if number % FOLDS != fold]
            yield fit_encoder(others, options).encoder, asked
            on_fold(fold + 1, FOLDS)

    return measure_encoders(fitted(), pairs, texts, views=views)


def measure_encoders(
    encoders: Iterator[tuple[Encoder, Sequence[int]]] | Sequence[tuple[Encoder, Sequence[int]]],
    pairs: Sequence[Pair],
    texts: QueryTexts,
    *,
    views: Sequence[str],
) -> dict[str, Quality]:
    """Each encoder is asked about the pairs of these numbers; ranks of all go into one figure."""
    if len(pairs) < FOLDS:
        raise DataError(
            f"pairs to measure an encoder with must be at least {FOLDS}, got {len(pairs)}. "
            "Name a larger pair file."
        )
    generator = np.random.Generator(np.random.PCG64(SEED))
    strangers = (np.arange(len(pairs)) + generator.integers(1, len(pairs))) % len(pairs)
    found: dict[str, list[Ranks]] = {view: [] for view in views}
    by_chance: dict[str, list[Ranks]] = {view: [] for view in views}
    for encoder, numbers in encoders:
        asked = np.array(numbers, dtype=np.int64)
        sources = encode_documents(encoder, [pair.source for pair in pairs])
        for view in views:
            queries = _queries(encoder, [pairs[n].documents[-1] for n in asked], texts, view)
            found[view].append(partner_ranks(queries, sources, asked))
            by_chance[view].append(partner_ranks(queries, sources, strangers[asked]))
    return {
        view: quality_of(np.concatenate(found[view]), np.concatenate(by_chance[view]))
        for view in views
    }


def encode_documents(encoder: Encoder, documents: Sequence[Document]) -> Vectors:
    """Whole documents as what is found. [n, d]"""
    texts = [f"{document.title}\n{document.text}" for document in documents]
    return encoder.encode(texts, language=documents[0].language, purpose="passage")


def _queries(
    encoder: Encoder, documents: Sequence[Document], texts: QueryTexts, view: str
) -> Vectors:
    asked = [texts.query(view, document) for document in documents]
    return encoder.encode(asked, language=documents[0].language, purpose="query")
