"""The encoder that needs no download: cross-lingual latent semantic indexing.

Each pair is a row in which the tf-idf of its texts stand side by side, a block a language. The
truncated SVD of these rows gives every feature of every language a vector such that features of
texts that belong together lie close; a new text is the weighted sum of its features ("folding in").
What all texts of a language have in common, the direction of their mean, is taken out: it says
which language a text is in, not what it is about.

Dumais et al., Automatic Cross-Language Retrieval Using Latent Semantic Indexing, AAAI 1997.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from megatron_crossic.data.retrieval.encoder import Purpose, Vectors, unit_rows
from megatron_crossic.data.retrieval.lexicon import Lexicon
from megatron_crossic.errors import ConfigError
from megatron_crossic.files import HashingWriter, atomic_output
from megatron_crossic.manifest import (
    Manifest,
    manifest_path,
    write_manifest,
)

KIND = "encoder"
FILE_NAME = "encoder.safetensors"
PARTS = ("features", "idf", "feature_vectors", "mean_direction")


@dataclass(frozen=True, kw_only=True, slots=True)
class EncodedLanguage:
    """What the encoder knows of one language."""

    lexicon: Lexicon
    feature_vectors: NDArray[np.float32]
    """[v, d]"""
    mean_direction: NDArray[np.float32]
    """Unit length. [d]"""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """[len(texts), d]"""
        vectors = unit_rows(np.asarray(self.lexicon.weigh(texts) @ self.feature_vectors))
        along = vectors @ self.mean_direction
        return unit_rows(vectors - along[:, None] * self.mean_direction)


@dataclass(frozen=True, kw_only=True)
class EmbeddedEncoder:
    """Knows the languages it was fitted on."""

    languages: Mapping[str, EncodedLanguage]

    @property
    def name(self) -> str:
        return f"embedded ({' '.join(self.languages)})"

    @property
    def dimension(self) -> int:
        return next(iter(self.languages.values())).feature_vectors.shape[1]

    @cached_property
    def fingerprint(self) -> str:
        digest = hashlib.sha256()
        for name, tensor in sorted(self._tensors().items()):
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

    def save(self, folder: Path, manifest: Manifest) -> None:
        """Write `folder/encoder.safetensors` and the manifest, which comes last."""
        path = folder / FILE_NAME
        with atomic_output(path) as file:
            writer = HashingWriter(file)
            writer.write(save(self._tensors(), {"languages": json.dumps([*self.languages])}))
        fingerprint = writer.fingerprint(FILE_NAME)
        write_manifest(manifest_path(path), _with_file(manifest, fingerprint))

    def _tensors(self) -> dict[str, NDArray[np.generic]]:
        return {
            f"{code}.{part}": np.ascontiguousarray(value)
            for code, known in self.languages.items()
            for part, value in zip(
                PARTS,
                (
                    known.lexicon.features,
                    known.lexicon.idf,
                    known.feature_vectors,
                    known.mean_direction,
                ),
                strict=True,
            )
        }
