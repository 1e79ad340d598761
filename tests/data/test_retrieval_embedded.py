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


def test_a_text_is_encoded_the_same_in_any_company(encoder: EmbeddedEncoder) -> None:
    texts = [topic_text("en", n % TOPICS, n, count=n % 9 + 3) for n in range(70)]
    whole = encoder.encode(texts, language="en", purpose="passage")
    for start, stop in ((0, 1), (3, 10), (69, 70), (5, 70)):
        part = encoder.encode(texts[start:stop], language="en", purpose="query")
        assert np.array_equal(part, whole[start:stop])


def test_lengths_are_one_or_nothing(encoder: EmbeddedEncoder) -> None:
    texts = ["", " ", "never read before", topic_text("en", 1, 50), "\ud800"]
    vectors = encoder.encode(texts, language="en", purpose="query")
    assert vectors.dtype == np.float32
    lengths = np.linalg.norm(vectors, axis=1)
    assert lengths == pytest.approx([0, 0, 0, 1, 0], abs=1e-6)
    assert encoder.encode([], language="es", purpose="query").shape == (0, encoder.dimension)


def test_what_is_all_mean_is_nothing() -> None:
    """Of a language with one known word every text points the same way; rounding is no topic."""
    generator = np.random.default_rng(0)
    vectors = generator.standard_normal((1, 384)).astype(np.float32)
    lexicon = Lexicon.of(["bee", "bee", "other things", "and more"])
    assert len(lexicon.features) == 1
    language = EncodedLanguage(
        lexicon=lexicon, feature_vectors=vectors, mean_direction=unit_rows(vectors)[0]
    )
    assert not language.encode(["bee", "bee bee", "wasp"]).any()


@pytest.mark.parametrize("options", [{"seed": -1}, {"seed": 2**32}, {"dimension": 0}])
def test_options_that_cannot_be(options: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="must be"):
        FitOptions(**options)
