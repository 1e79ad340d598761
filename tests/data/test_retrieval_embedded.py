"""The embedded encoder in small numbers: rounding is no topic, and no matter of company."""

import numpy as np
import pytest
from mined_corpus import TOPICS, fit_pairs, topic_text

from megatron_crossic.data.retrieval.encoders.embedded import EmbeddedEncoder, EncodedLanguage
from megatron_crossic.data.retrieval.encoders.encoder import unit_rows
from megatron_crossic.data.retrieval.encoders.fitting import FitOptions, fit_encoder
from megatron_crossic.data.retrieval.encoders.lexicon import Lexicon
from megatron_crossic.errors import ConfigError

pytest.importorskip("sklearn", reason="the embedded encoder needs the extra `retrieval`")

OPTIONS = FitOptions(dimension=16)


@pytest.fixture(scope="module")
def encoder() -> EmbeddedEncoder:
    return fit_encoder(fit_pairs(), OPTIONS).encoder


def language_of(texts: list[str], *, dimension: int = 384) -> EncodedLanguage:
    """With vectors by chance, of a usual length."""
    lexicon = Lexicon.of(texts)
    generator = np.random.default_rng(0)
    vectors = generator.standard_normal((len(lexicon.features), dimension)).astype(np.float32)
    mean = unit_rows(vectors.mean(axis=0, keepdims=True))[0]
    return EncodedLanguage(lexicon=lexicon, feature_vectors=vectors, mean_direction=mean)


def test_a_text_is_encoded_the_same_in_any_company() -> None:
    """BLAS rounds a row by its place among others; shards and resumed runs place it elsewhere."""
    texts = [topic_text("en", n % TOPICS, n, count=n % 9 + 3) for n in range(600)]
    language = language_of(texts)
    whole = language.encode(texts)
    for start, stop in ((0, 1), (3, 10), (69, 70), (5, 600), (513, 600)):
        assert np.array_equal(language.encode(texts[start:stop]), whole[start:stop])


def test_lengths_are_one_or_nothing(encoder: EmbeddedEncoder) -> None:
    texts = ["", " ", "never read before", topic_text("en", 1, 50), "\ud800"]
    vectors = encoder.encode(texts, language="en", purpose="query")
    assert vectors.dtype == np.float32
    lengths = np.linalg.norm(vectors, axis=1)
    assert lengths == pytest.approx([0, 0, 0, 1, 0], abs=1e-6)
    assert encoder.encode([], language="es", purpose="query").shape == (0, encoder.dimension)


def test_what_is_all_mean_is_nothing() -> None:
    """Of a language with one known word every text points the same way; rounding is no topic."""
    language = language_of(["bee", "bee", "other things", "and more"])
    assert len(language.lexicon.features) == 1
    assert not language.encode(["bee", "bee bee", "wasp"]).any()


@pytest.mark.parametrize("options", [{"seed": -1}, {"seed": 2**32}, {"dimension": 0}])
def test_options_that_cannot_be(options: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="must be"):
        FitOptions(**options)
