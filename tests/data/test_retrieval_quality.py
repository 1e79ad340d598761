"""How well an encoder finds partners: by hand, its intervals, and what a fold has seen."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from mined_corpus import TOPICS, fit_pairs, topic_pair
from small_pairs import make_pair, write_pairs

from megatron_crossic.data.records import Pair
from megatron_crossic.data.retrieval.encoders.encoder import Encoder, Purpose
from megatron_crossic.data.retrieval.encoders.file import save_encoder
from megatron_crossic.data.retrieval.encoders.fitting import FitOptions, fit_encoder
from megatron_crossic.data.retrieval.evaluation import EvaluationOptions, evaluate_encoder
from megatron_crossic.data.retrieval.index.vectors import Vectors
from megatron_crossic.data.retrieval.quality import (
    FOLDS,
    QUERY_BATCH,
    Quality,
    measure_by_folds,
    measure_encoder,
    measure_encoders,
    partner_ranks,
    quality_of,
)
from megatron_crossic.data.retrieval.texts.queries import QueryTexts
from megatron_crossic.errors import CrossicError, DataError
from megatron_crossic.files import FileFingerprint
from megatron_crossic.manifest import Manifest

pytest.importorskip("sklearn", reason="the embedded encoder needs the extra `retrieval`")

NUMBERED = [make_pair(f"pair {n}", f"{n}", f"{n}") for n in range(10)]
SMALL = FitOptions(dimension=16)


@dataclass(frozen=True)
class OneHot:
    """Takes a text that is a number for its direction; every other text is nothing."""

    shift: int = 0
    """Queries look for the passage so many further on."""
    asked: list[str] = field(default_factory=list)
    name: str = "one hot"
    fingerprint: str = "one-hot"
    dimension: int = len(NUMBERED)
    is_one_process: bool = False

    def encode(self, texts: Sequence[str], *, language: str, purpose: Purpose) -> Vectors:
        del language
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            if (last := text.split()[-1]).isdigit():
                shift = self.shift if purpose == "query" else 0
                vectors[row, (int(last) + shift) % self.dimension] = 1
        self.asked.extend(texts if purpose == "query" else ())
        return vectors


def texts_of(pairs: Sequence[Pair]) -> QueryTexts:
    documents = [pair.documents[-1] for pair in pairs]
    return QueryTexts.of(documents, num_keywords=5, document_characters=1000)


def measured(encoder: Encoder) -> Quality:
    found = measure_encoder(encoder, NUMBERED, texts_of(NUMBERED), views=["document"])
    return found["document"]


def test_ranks_by_hand() -> None:
    candidates = np.array([[1, 0], [0.8, 0.6], [0, 1], [0, 0]], dtype=np.float32)
    queries = np.array([[1, 0], [1, 0], [1, 0], [0, 1], [0, -1]], dtype=np.float32)
    partners = np.array([0, 1, 3, 1, 0])
    # 1 > .8 > 0 = 0: the third ties with the second last; 1 > .6; 0 = 0 > -.6 > -1.
    assert partner_ranks(queries, candidates, partners).tolist() == [1, 2, 4, 2, 2]
    assert partner_ranks(queries[:0], candidates, partners[:0]).tolist() == []


def test_a_query_of_zeros_ties_with_all() -> None:
    candidates = np.eye(4, dtype=np.float32)
    queries = np.zeros((1, 4), dtype=np.float32)
    assert partner_ranks(queries, candidates, np.array([2])).tolist() == [4]


@pytest.mark.parametrize("num", [5, 17, 116])
def test_equal_texts_tie_wherever_they_stand(num: int) -> None:
    """BLAS rounds the same product in other ways at the edge of a block."""
    generator = np.random.default_rng(0)
    rows = generator.standard_normal((num + 1, 384)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    candidates = np.repeat(rows[:1], num, axis=0)
    for place in (0, num // 2, num - 1):
        ranks = partner_ranks(rows[1:], candidates, np.full(num, place))
        assert ranks.tolist() == [num] * num


def test_batches_of_queries_change_nothing() -> None:
    generator = np.random.default_rng(1)
    queries = generator.integers(-3, 4, size=(2 * QUERY_BATCH + 3, 6)).astype(np.float32)
    partners = generator.integers(len(queries), size=len(queries))
    ranks = partner_ranks(queries, queries, partners)
    chosen = np.array([0, QUERY_BATCH - 1, QUERY_BATCH, len(queries) - 1])
    assert np.array_equal(ranks[chosen], partner_ranks(queries[chosen], queries, partners[chosen]))


def test_means_and_intervals() -> None:
    ranks, chance = np.array([1, 1, 2, 4] * 25), np.array([1, 2, 2, 2] * 25)
    quality = quality_of(ranks, chance)
    assert quality == quality_of(ranks, chance)
    assert (quality.num_documents, quality.precision) == (100, 0.5)
    assert quality.reciprocal_rank == pytest.approx((1 + 1 + 0.5 + 0.25) / 4)
    assert (quality.chance_precision, quality.chance_reciprocal_rank) == (0.25, 0.625)
    low, high = quality.precision_interval
    assert low < 0.5 < high
    # Two standard errors of a share of 0.5 of 100 to either side.
    assert (low, high) == pytest.approx((0.4, 0.6), abs=0.02)
    low, high = quality.reciprocal_rank_interval
    assert low < quality.reciprocal_rank < high
    assert quality != quality_of(ranks, chance, seed=1)


def test_an_interval_of_one_value_is_a_point() -> None:
    quality = quality_of(np.ones(7, dtype=np.int64), np.full(7, 7))
    assert quality.precision_interval == quality.reciprocal_rank_interval == (1.0, 1.0)


def test_partners_and_partners_by_chance() -> None:
    knowing = measured(OneHot())
    assert (knowing.precision, knowing.reciprocal_rank) == (1, 1)
    # A stranger is one of the nine that the query has nothing in common with, and all of them tie.
    assert (knowing.chance_precision, knowing.chance_reciprocal_rank) == (0, 0.1)
    mistaken = measured(OneHot(shift=3))
    assert (mistaken.precision, mistaken.reciprocal_rank) == (0, 0.1)


def test_what_tells_nothing_apart_finds_nothing() -> None:
    pairs = [make_pair("p", "words", "palabras") for _ in range(10)]
    found = measure_encoder(OneHot(), pairs, texts_of(pairs), views=["title", "document"])
    for quality in found.values():
        assert (quality.precision, quality.reciprocal_rank) == (0, 0.1)
        assert (quality.chance_precision, quality.chance_reciprocal_rank) == (0, 0.1)


def test_each_encoder_is_asked_about_its_own() -> None:
    encoders = [OneHot(), OneHot(shift=1)]
    numbers = [range(4), range(4, 10)]
    found = measure_encoders(
        list(zip(encoders, numbers, strict=True)),
        NUMBERED,
        texts_of(NUMBERED),
        views=["document"],
    )
    assert found["document"].precision == 0.4
    assert [len(encoder.asked) for encoder in encoders] == [4, 6]


def test_a_fold_has_not_seen_what_it_is_asked_about() -> None:
    """Words of a topic that are all in one fold are unknown to the encoder asked about it."""
    by_topic = [topic_pair(topic, variant) for topic in range(FOLDS) for variant in range(FOLDS)]
    by_variant = sorted(by_topic, key=lambda pair: pair.id.partition("-")[2])
    told: list[tuple[int, int]] = []
    found = [
        measure_by_folds(
            pairs,
            texts_of(pairs),
            SMALL,
            views=["document"],
            on_fold=lambda done, total: told.append((done, total)),
        )["document"]
        for pairs in (by_topic, by_variant)
    ]
    assert found[0].num_documents == found[1].num_documents == FOLDS**2
    assert found[0].precision > 0.3
    # Every document is zeros and ties with all.
    assert (found[1].precision, found[1].reciprocal_rank) == (0, pytest.approx(1 / FOLDS**2))
    assert told == [(n + 1, FOLDS) for n in range(FOLDS)] * 2


def test_too_few_pairs() -> None:
    with pytest.raises(DataError, match="pairs to measure an encoder with must be at least 5, got"):
        measure_encoder(OneHot(), NUMBERED[:4], texts_of(NUMBERED[:4]), views=["title"])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    write_pairs(folder / "fit.jsonl", fit_pairs())
    write_pairs(folder / "held.jsonl", [topic_pair(topic, 20) for topic in range(TOPICS)])
    write_pairs(folder / "fr.jsonl", [make_pair("p", "a", "b", languages="en fr")])
    write_pairs(folder / "empty.jsonl", [])
    return folder


def evaluated(folder: Path, *names: str, **options: object) -> dict[str, Quality]:
    pairs = tuple(folder / f"{name}.jsonl" for name in names)
    return evaluate_encoder(EvaluationOptions(pairs=pairs, fit=SMALL, **options))  # type: ignore[arg-type]


def test_fitted_on_other_pairs_or_by_folds_or_before(files: Path, tmp_path: Path) -> None:
    found = evaluated(files, "held", fit_pairs=(files / "fit.jsonl",))
    assert list(found) == ["title", "keywords", "document"]
    assert found["document"].precision == 1
    encoder = fit_encoder(fit_pairs(), SMALL).encoder

    def account(file: FileFingerprint) -> Manifest:
        return Manifest(kind="encoder", options={}, counts={}, files={"encoder": file})

    save_encoder(tmp_path, encoder, account)
    assert evaluated(files, "held", encoder=f"embedded:{tmp_path}") == found
    assert evaluated(files, "fit")["document"].num_documents == len(fit_pairs())


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        (["fit", "fr"], {}, "must be of one pair of languages, got en-es, en-fr. Measure each"),
        (["empty"], {}, "must be at least 5, got 0. Name a larger pair file"),
        (["fit"], {"num_keywords": 0}, "num-keywords must be positive, got 0. Leave it out"),
        (["fit"], {"encoder": "e5"}, "encoder must be embedded, embedded:FOLDER or"),
        (
            ["fit"],
            {"encoder": "embedded:x", "fit_pairs": (Path("y"),)},
            "fit-pairs must go with the encoder embedded, got embedded:x, which is not fitted",
        ),
        (
            ["fr"],
            {"encoder": "embedded:x"},
            "encoder manifest must exist, got nothing at x/encoder",
        ),
    ],
)
def test_mistakes(files: Path, names: list[str], options: dict[str, object], message: str) -> None:
    with pytest.raises(CrossicError, match=message):
        evaluated(files, *names, **options)
