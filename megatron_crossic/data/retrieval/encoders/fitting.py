"""Fits the embedded encoder on pairs: which texts make a row, and the truncated SVD of the rows.

A row is a pair. Where the parts of both texts say the same in the same order, as in translations,
each part is a row: 252 Japanese documents become 3,138 rows, and more of their words find their
partners. Whether they do is asked of the encoder fitted on whole texts: where does the part of the
other text stand that is nearest to the i-th? Rows of parts that do not belong together are worse
than whole texts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.records import Pair
from megatron_crossic.data.retrieval.encoders.embedded import EmbeddedEncoder, EncodedLanguage
from megatron_crossic.data.retrieval.encoders.encoder import unit_rows
from megatron_crossic.data.retrieval.encoders.lexicon import Lexicon
from megatron_crossic.data.retrieval.encoders.rows import (
    Row,
    num_parts,
    parts_of,
    sample_of,
    texts_of,
    whole_row,
)
from megatron_crossic.data.retrieval.index.vectors import Vectors
from megatron_crossic.data.retrieval.libraries import check_seed, load_scipy_sparse, load_svd
from megatron_crossic.errors import ConfigError, DataError

MIN_DIMENSION = 2

ASKED_PAIRS = 500
"""Pairs by chance that say whether parts belong together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FitOptions:
    """How an encoder is fitted."""

    dimension: int = 384
    """Numbers of a vector at most; fewer where there are fewer rows."""
    max_pairs: int = 20_000
    """More pairs are sampled."""
    max_rows: int = 20_000
    """More rows of parts are sampled."""
    part_characters: int = 1500
    """Length of a part of the source text. Of 1,000, 1,500 and 2,000 the best of four languages."""
    least_aligned: float = 0.4
    """Texts are cut where their parts find their own places at least so well; see `_alignment`.
    Translations had 0.44 (252 long documents) and more, with paragraphs in any order 0.03."""
    iterations: int = 3
    """Power iterations of the randomised SVD: more changed nothing in what is found."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("dimension", "max_pairs", "max_rows", "part_characters", "iterations"):
            if getattr(self, name) < 1:
                raise ConfigError(
                    f"{name.replace('_', '-')} must be positive, got {getattr(self, name)}. "
                    "Leave it out for the default."
                )
        check_seed(self.seed)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fit:
    """A fitted encoder and what it was fitted on."""

    encoder: EmbeddedEncoder
    num_pairs: int
    """Pairs read."""
    num_fitted: int
    """Pairs that were fitted on."""
    num_rows: int
    aligned: float | None
    """How well parts find their own places, from 0 for chance to 1; None where no text has any."""

    def counts(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "pairs_read": self.num_pairs,
            "pairs": self.num_fitted,
            "rows": self.num_rows,
            "aligned_parts": self.aligned,
            "features": {
                code: len(known.lexicon.features) for code, known in self.encoder.languages.items()
            },
            "dimension": self.encoder.dimension,
        }


def fit_encoder(pairs: Iterable[Pair], options: FitOptions) -> Fit:
    """Raises `DataError` for fewer than three pairs with texts in two languages."""
    sample, num_pairs = sample_of(pairs, options.max_pairs, seed=options.seed)
    rows = _with_partners(map(whole_row, sample))
    num_fitted = len(rows)
    encoder = _fit(rows, options)
    aligned = _alignment(encoder, sample, options)
    if aligned is not None and aligned >= options.least_aligned:
        parts = (row for pair in sample for row in _parts(pair, options))
        rows, _ = sample_of(_with_partners(parts), options.max_rows, seed=options.seed)
        encoder = _fit(rows, options)
    return Fit(
        encoder=encoder,
        num_pairs=num_pairs,
        num_fitted=num_fitted,
        num_rows=len(rows),
        aligned=aligned,
    )


def _with_partners(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if len(row) > 1]


def _parts(pair: Pair, options: FitOptions) -> list[Row]:
    return parts_of(pair, num_parts(pair, characters=options.part_characters))


def _alignment(
    encoder: EmbeddedEncoder, pairs: Sequence[Pair], options: FitOptions
) -> float | None:
    """How much nearer to their own place parts find each other than by chance: 1 is exactly there,
    0 is anywhere; None where no text has parts."""
    candidates = (
        parts
        for pair in pairs
        if len({document.language for document in pair.documents}) > 1
        and len(parts := _with_partners(_parts(pair, options))) > 1
    )
    asked, _ = sample_of(candidates, ASKED_PAIRS, seed=options.seed)
    places = [_places(encoder, parts) for parts in asked]
    expected = sum(len(found) * _chance_distance(len(found)) for found in places)
    distance = sum(np.abs(found - np.arange(len(found))).sum() for found in places)
    return float(1 - distance / expected) if expected else None


def _places(encoder: EmbeddedEncoder, parts: Sequence[Row]) -> NDArray[np.intp]:
    """Where the nearest part of the other text stands, for each part. [num_parts]"""
    first, second = list(parts[0])[:2]
    own = [row for row in parts if first in row and second in row]
    sides = [
        encoder.encode(texts_of(own, code), language=code, purpose="passage")
        for code in (first, second)
    ]
    return np.asarray((sides[0] @ sides[1].T).argmax(axis=1))


def _chance_distance(count: int) -> float:
    """Mean distance of two places of `count` taken by chance: 0.5 for two, 0.89 for three."""
    return (count**2 - 1) / (3 * count)


def _fit(rows: Sequence[Row], options: FitOptions) -> EmbeddedEncoder:
    if len(rows) <= MIN_DIMENSION:
        raise DataError(
            f"pairs to fit the encoder on must be more than {MIN_DIMENSION} with texts in two "
            f"languages, got {len(rows)}. Name a pair file with --fit-pairs."
        )
    codes = sorted({code for row in rows for code in row})
    lexicons = {code: Lexicon.of([row[code] for row in rows if code in row]) for code in codes}
    blocks = [lexicons[code].weigh(texts_of(rows, code)) for code in codes]
    stacked = load_scipy_sparse().hstack(blocks).tocsr()
    dimension = min(options.dimension, len(rows) - 1, stacked.shape[1] - 1)
    if dimension < MIN_DIMENSION:
        raise DataError(
            f"pairs to fit the encoder on must share words, got {stacked.shape[1]} that are in two "
            f"of {len(rows)} texts. Name a larger pair file with --fit-pairs."
        )
    _, _, components = load_svd().randomized_svd(
        stacked, dimension, n_iter=options.iterations, random_state=options.seed
    )
    borders = accumulate((block.shape[1] for block in blocks), initial=0)
    vectors = np.split(components.T.astype(np.float32), list(borders)[1:-1])
    return EmbeddedEncoder(
        languages={
            code: _language(lexicon, block, np.ascontiguousarray(of_features))
            for (code, lexicon), block, of_features in zip(
                lexicons.items(), blocks, vectors, strict=True
            )
        }
    )


def _language(lexicon: Lexicon, block: Any, of_features: Vectors) -> EncodedLanguage:
    mean = unit_rows(np.asarray(block @ of_features)).mean(axis=0, keepdims=True)
    return EncodedLanguage(
        lexicon=lexicon, feature_vectors=of_features, mean_direction=unit_rows(mean)[0]
    )
