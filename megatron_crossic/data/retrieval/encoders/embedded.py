"""The encoder that needs no download: cross-lingual latent semantic indexing.

Each pair is a row in which the tf-idf of its texts stand side by side, a block a language. The
truncated SVD of these rows gives every feature of every language a vector such that features of
texts that belong together lie close; a new text is the weighted sum of its features ("folding in").
What all texts of a language have in common, the direction of their mean, is taken out: it says
which language a text is in, not what it is about.

Dumais et al., Automatic Cross-Language Retrieval Using Latent Semantic Indexing, AAAI 1997.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.retrieval.encoders.encoder import Purpose, unit_rows
from megatron_crossic.data.retrieval.encoders.lexicon import Lexicon
from megatron_crossic.data.retrieval.index.vectors import Vectors
from megatron_crossic.errors import ConfigError

ROUNDING = 1e-5
"""What may be left of a vector of length 1 that is all mean direction: it points anywhere."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EncodedLanguage:
    """What the encoder knows of one language."""

    lexicon: Lexicon
    feature_vectors: NDArray[np.float32]
    """[v, d]"""
    mean_direction: NDArray[np.float32]
    """Unit length. [d]"""

    def parts(self) -> dict[str, NDArray[Any]]:
        """Name -> array, the inverse of `from_parts`."""
        return {
            "features": self.lexicon.features,
            "idf": self.lexicon.idf,
            "feature_vectors": self.feature_vectors,
            "mean_direction": self.mean_direction,
        }

    @classmethod
    def from_parts(cls, parts: Mapping[str, NDArray[Any]]) -> Self:
        """Raises `KeyError` where one is missing."""
        return cls(
            lexicon=Lexicon(features=parts["features"], idf=parts["idf"]),
            feature_vectors=parts["feature_vectors"].astype(np.float32),
            mean_direction=parts["mean_direction"],
        )

    def encode(self, texts: Sequence[str]) -> Vectors:
        """[len(texts), d]"""
        vectors = unit_rows(np.asarray(self.lexicon.weigh(texts) @ self.feature_vectors))
        # Not by BLAS, whose rounding depends on the place of a text among the others.
        along = np.einsum("nd,d->n", vectors, self.mean_direction)
        return unit_rows(vectors - along[:, None] * self.mean_direction, least=ROUNDING)


@dataclass(frozen=True, kw_only=True)
class EmbeddedEncoder:
    """Knows the languages it was fitted on."""

    languages: Mapping[str, EncodedLanguage]

    @property
    def name(self) -> str:
        return f"embedded ({' '.join(self.languages)})"

    @property
    def is_one_process(self) -> bool:
        return False

    @property
    def dimension(self) -> int:
        return len(next(iter(self.languages.values())).mean_direction)

    @cached_property
    def fingerprint(self) -> str:
        digest = hashlib.sha256()
        for name, tensor in sorted(self.tensors().items()):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(tensor).data)
        return f"embedded-{digest.hexdigest()[:16]}"

    def encode(self, texts: Sequence[str], *, language: str, purpose: Purpose) -> Vectors:
        """Queries and passages alike. Raises `ConfigError` for a language it was not fitted on."""
        del purpose
        if language not in self.languages:
            raise ConfigError(
                f"language must be one the encoder was fitted on ({', '.join(self.languages)}), "
                f"got {language}. Fit it on pairs of that language, or name another encoder."
            )
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        return self.languages[language].encode(texts)

    def tensors(self) -> dict[str, NDArray[Any]]:
        """What the encoder consists of, as it is saved."""
        return {
            f"{code}.{part}": np.ascontiguousarray(value)
            for code, known in self.languages.items()
            for part, value in known.parts().items()
        }
