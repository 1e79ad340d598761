"""The embedded encoder: features, lexicon, rows, the fit and its file."""

import json
import math
import random
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mined_corpus import TOPICS, fit_pairs, topic_pair, topic_text

from megatron_crossic.data.hashing import folded_characters
from megatron_crossic.data.records import Document, Pair
from megatron_crossic.data.retrieval.encoders.encoder import unit_rows
from megatron_crossic.data.retrieval.encoders.features import (
    RUN,
    WORD,
    character_classes,
    text_features,
)
from megatron_crossic.data.retrieval.encoders.file import is_saved, load_encoder, save_encoder
from megatron_crossic.data.retrieval.encoders.fitting import FitOptions, fit_encoder
from megatron_crossic.data.retrieval.encoders.lexicon import BATCH_CHARACTERS, Lexicon
from megatron_crossic.data.retrieval.encoders.rows import num_parts, parts_of, sample_of, whole_row
from megatron_crossic.errors import ConfigError, DataError
from megatron_crossic.manifest import Manifest, manifest_path

pytest.importorskip("sklearn", reason="the embedded encoder needs the extra `retrieval`")

TEXT = st.text(st.characters(codec=None), max_size=40)
MIXED = st.text("aB1 é.のテスト設定ไทย한국\u0301\uff21\x00", max_size=40)


def features_of(text: str) -> Counter[int]:
    return Counter(text_features([text])[0].tolist())


def feature(text: str) -> int:
    """Of a text that has one feature."""
    ((found, _),) = features_of(text).items()
    return found


def spelled(text: str) -> Counter[tuple[str, str]]:
    """Words and runs, found character by character."""
    folded = "".join(map(chr, folded_characters([text])[0]))
    classes = [character_classes()[ord(character)] for character in folded]
    found: Counter[tuple[str, str]] = Counter()
    word = ""
    for at, kind in enumerate([*classes, 0]):
        if kind == WORD:
            word += folded[at]
        elif word:
            found["word", word] += 1
            word = ""
        for length in (1, 2, 3):
            run = classes[at : at + length]
            if len(run) == length and all(each == RUN for each in run):
                found["run", folded[at : at + length]] += 1
    return found


def test_the_example_of_the_module() -> None:
    found = features_of("Azureの設定")
    assert set(found.values()) == {1}
    assert len(found) == 7
    assert found == features_of("azure") + features_of("の設定")
    assert features_of("の設") | features_of("設定") < features_of("の設定")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Bees, honey!", "honey BEES"),
        ("ＡＢＣ", "abc"),
        ("ﾃｽﾄ", "テスト"),
        ("x\n\ny", "x y"),
        ("straße", "STRASSE"),
    ],
)
def test_what_is_the_same(one: str, other: str) -> None:
    assert features_of(one) == features_of(other)


@pytest.mark.parametrize(
    ("one", "other"), [("ab", "ba"), ("a b", "ab"), ("日本", "本日"), ("é", "e")]
)
def test_what_is_not(one: str, other: str) -> None:
    assert features_of(one) != features_of(other)


def test_nothing_to_count() -> None:
    for texts in ([], [""], ["", " .,;! \n"], ["\x00"]):
        hashes, owners = text_features(texts)
        assert (len(hashes), len(owners)) == (0, 0)
        assert hashes.dtype == np.uint64


@settings(max_examples=60)
@given(st.lists(TEXT | MIXED, max_size=5))
def test_features_are_words_and_runs_wherever_they_stand(texts: list[str]) -> None:
    hashes, owners = text_features(texts)
    for number, text in enumerate(texts):
        own = Counter(hashes[owners == number].tolist())
        assert own == features_of(text)
        assert sorted(own.values()) == sorted(spelled(text).values())


@settings(max_examples=60)
@given(MIXED, MIXED)
def test_equal_words_and_runs_are_equal_features(one: str, other: str) -> None:
    shared = spelled(one) & spelled(other)
    found = features_of(one) & features_of(other)
    assert sorted(found.values()) == sorted(shared.values())


def test_a_lexicon_by_hand() -> None:
    """Of four texts "bee" is in two, "hive" in three (too many), "sea" in one (too few)."""
    lexicon = Lexicon.of(["bee bee hive", "bee hive", "hive river", "sea river"])
    assert lexicon.features.tolist() == sorted([feature("bee"), feature("river")])
    assert lexicon.idf == pytest.approx([math.log(5 / 3) + 1] * 2)
    rows = lexicon.weigh(["bee bee bee river", "river", "sea", ""]).toarray()
    bee = int(np.searchsorted(lexicon.features, feature("bee")))
    weights = np.array([1 + math.log(3), 1]) / math.hypot(1 + math.log(3), 1)
    assert rows[0, [bee, 1 - bee]] == pytest.approx(weights)
    assert rows[1, [bee, 1 - bee]].tolist() == [0, 1]
    assert not rows[2:].any()
    assert rows.dtype == np.float32


def test_a_lexicon_of_nothing() -> None:
    lexicon = Lexicon.of(["bee", "sea"])
    assert lexicon.weigh(["bee", ""]).shape == (2, 0)
    assert (lexicon.weigh(["bee"]) @ np.zeros((0, 3), dtype=np.float32)).tolist() == [[0, 0, 0]]


def test_batches_of_texts_change_nothing() -> None:
    """Texts of more than a batch together are weighed as each is alone."""
    texts = [topic_text("en", topic, 0, count=BATCH_CHARACTERS // 20) for topic in range(6)]
    texts = [*texts, "", *texts[:2]]
    assert sum(map(len, texts)) > 2 * BATCH_CHARACTERS
    lexicon = Lexicon.of(texts)
    one_by_one = [Lexicon.of([text, text]).features for text in texts[:2]]
    assert lexicon.features.tolist() == sorted(np.concatenate(one_by_one).tolist())
    together = lexicon.weigh(texts)
    assert together.shape == (len(texts), len(lexicon.features))
    for number, text in enumerate(texts):
        np.testing.assert_array_equal(together[number].toarray(), lexicon.weigh([text]).toarray())


PARAGRAPHS = st.lists(st.text("ab ", min_size=1, max_size=9).filter(str.strip), max_size=8)


@given(PARAGRAPHS, PARAGRAPHS, st.integers(1, 6))
def test_parts_have_every_paragraph_once(one: list[str], other: list[str], count: int) -> None:
    texts = {"en": "\n\n".join(one), "es": "\n\n".join(other)}
    documents = [Document(language=code, title="t", text=text) for code, text in texts.items()]
    pair = Pair(id="1", source=documents[0], targets=(documents[1],))
    rows = parts_of(pair, count)
    assert len(rows) == count
    for document in documents:
        code = document.language
        parts = [row[code].removeprefix("t\n") for row in rows if code in row]
        found = [each for part in parts for each in part.split("\n\n")]
        assert [each.strip() for each in found if each.strip()] == document.paragraphs()


def test_parts_by_hand() -> None:
    sides = ("one\n\ntwo\n\nthree\n\nfour", "A much longer one\n\nb\n\nc")
    pair = Pair(
        id="1",
        source=Document(language="en", title="T", text=sides[0]),
        targets=(Document(language="es", title="U", text=sides[1]),),
    )
    rows = parts_of(pair, 2)
    assert rows == [
        {"en": "T\none\n\ntwo", "es": "U\nA much longer one"},
        {"en": "T\nthree\n\nfour", "es": "U\nb\n\nc"},
    ]
    assert num_parts(pair, characters=10) == 2
    assert num_parts(pair, characters=10_000) == 1


def test_of_two_texts_in_a_language_the_first_counts() -> None:
    texts = [Document(language="en", title="", text=text) for text in ("a", "b")]
    assert whole_row(Pair(id="1", source=texts[0], targets=(texts[1],))) == {"en": "\na"}


@given(st.integers(0, 40), st.integers(1, 20), st.integers(0, 3))
def test_samples(total: int, count: int, seed: int) -> None:
    found, number = sample_of(iter(range(total)), count, seed=seed)
    assert number == total
    assert found == sorted(set(found))
    assert len(found) == min(total, count)
    assert sample_of(range(total), count, seed=seed)[0] == found


OPTIONS = FitOptions(dimension=16)


def test_a_text_is_nearest_to_its_partner() -> None:
    fit = fit_encoder(fit_pairs(), OPTIONS)
    assert (fit.num_pairs, fit.num_fitted, fit.num_rows, fit.aligned) == (24, 24, 24, None)
    assert fit.encoder.dimension == 16
    sides = [
        fit.encoder.encode(
            [topic_text(code, topic, 50) for topic in range(TOPICS)], language=code, purpose=purpose
        )
        for code, purpose in (("es", "query"), ("en", "passage"))
    ]
    nearest = (sides[0] @ sides[1].T).argmax(axis=1)
    assert nearest.tolist() == list(range(TOPICS))
    np.testing.assert_allclose(np.linalg.norm(sides[0], axis=1), 1, atol=1e-5)


def test_texts_of_no_known_word_are_zeros_and_batches_change_nothing() -> None:
    encoder = fit_encoder(fit_pairs(), OPTIONS).encoder
    texts = ["", "unheard of", topic_text("en", 1, 7), "en3w3", topic_text("en", 2, 7)]
    vectors = encoder.encode(texts, language="en", purpose="passage")
    assert vectors.any(axis=1).tolist() == [False, False, True, True, True]
    for number, text in enumerate(texts):
        alone = encoder.encode([text], language="en", purpose="query")
        np.testing.assert_allclose(alone[0], vectors[number], atol=1e-6)
    assert encoder.encode([], language="en", purpose="query").shape == (0, 16)
    with pytest.raises(ConfigError, match=r"fitted on \(en, es\), got th. Fit it on pairs"):
        encoder.encode(["x"], language="th", purpose="query")


def test_not_a_number_stays_one() -> None:
    rows = np.array([[np.nan, 1], [0, 0], [3, 4], [1e-12, 0]], dtype=np.float32)
    units = unit_rows(rows)
    assert np.isnan(units[0]).any()
    assert units[1:].tolist() == [[0, 0], [np.float32(0.6), np.float32(0.8)], [0, 0]]


def long_pairs(*, shuffled: bool) -> list[Pair]:
    """Documents of six paragraphs, each of one topic; in the other language in the same order."""
    chance = random.Random(3)
    pairs = []
    for number in range(60):
        topics = chance.sample(range(40), 6)
        others = chance.sample(topics, 6) if shuffled else topics
        sides = [
            Document(
                language=code,
                title="",
                text="\n\n".join(topic_text(code, topic, number) for topic in order),
            )
            for code, order in (("en", topics), ("es", others))
        ]
        pairs.append(Pair(id=str(number), source=sides[0], targets=(sides[1],)))
    return pairs


def test_parts_that_belong_together_become_rows() -> None:
    options = FitOptions(dimension=40, part_characters=180)
    aligned = fit_encoder(long_pairs(shuffled=False), options)
    shuffled = fit_encoder(long_pairs(shuffled=True), options)
    assert aligned.aligned is not None
    assert shuffled.aligned is not None
    assert aligned.aligned > 0.7 > 0.3 > shuffled.aligned
    assert (aligned.num_rows, shuffled.num_rows) == (6 * 60, 60)
    few = fit_encoder(long_pairs(shuffled=False), replace(options, max_rows=70, max_pairs=50))
    assert (few.num_pairs, few.num_fitted, few.num_rows) == (60, 50, 70)


def test_a_fit_is_the_same_again_and_elsewhere() -> None:
    fingerprint = fit_encoder(fit_pairs(), OPTIONS).encoder.fingerprint
    assert fit_encoder(fit_pairs(), OPTIONS).encoder.fingerprint == fingerprint
    assert fit_encoder(fit_pairs()[1:], OPTIONS).encoder.fingerprint != fingerprint
    other = replace(OPTIONS, dimension=8)
    assert fit_encoder(fit_pairs(), other).encoder.fingerprint != fingerprint
    program = (
        "from mined_corpus import fit_pairs\n"
        "from megatron_crossic.data.retrieval.encoders.fitting import FitOptions, fit_encoder\n"
        "print(fit_encoder(fit_pairs(), FitOptions(dimension=16)).encoder.fingerprint)\n"
    )
    command = [sys.executable, "-c", program]
    folder = Path(__file__).parents[1]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == fingerprint


def test_what_cannot_be_fitted() -> None:
    with pytest.raises(DataError, match="must be more than 2 with texts in two languages, got 2"):
        fit_encoder(fit_pairs()[:2], OPTIONS)
    alone = [Pair(id="1", source=topic_pair(1, 1).source, targets=())] * 5
    with pytest.raises(DataError, match="must be more than 2 with texts in two languages, got 0"):
        fit_encoder(alone, OPTIONS)
    strangers = [
        Pair(
            id="1",
            source=Document(language="en", title="", text=f"only{n}"),
            targets=(Document(language="es", title="", text=f"solo{n}"),),
        )
        for n in range(5)
    ]
    with pytest.raises(DataError, match="must share words, got 0 that are in two of 5 texts"):
        fit_encoder(strangers, OPTIONS)
    with pytest.raises(ConfigError, match="max-rows must be positive, got 0"):
        FitOptions(max_rows=0)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    encoder = fit_encoder(fit_pairs(), OPTIONS).encoder
    save_encoder(
        tmp_path,
        encoder,
        lambda file: Manifest(kind="encoder", options={}, counts={}, files={"encoder": file}),
    )
    return tmp_path


def test_an_encoder_comes_back_bit_by_bit(saved: Path) -> None:
    encoder, back = fit_encoder(fit_pairs(), OPTIONS).encoder, load_encoder(saved)
    assert back.fingerprint == encoder.fingerprint
    assert (back.name, back.dimension) == ("embedded (en es)", 16)
    before, after = encoder.tensors(), back.tensors()
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        assert tensor.dtype == after[name].dtype
        np.testing.assert_array_equal(tensor, after[name])
    texts = [topic_text("es", 3, 1)]
    np.testing.assert_array_equal(
        encoder.encode(texts, language="es", purpose="query"),
        back.encode(texts, language="es", purpose="query"),
    )


def test_an_encoder_file_that_was_changed(saved: Path) -> None:
    path = saved / "encoder.safetensors"
    whole = path.read_bytes()
    assert is_saved(saved)
    for content, message in (
        (whole[:-1], "must have .* bytes as its manifest says"),
        (whole[:-1] + bytes([whole[-1] ^ 1]), "must have the content its manifest says"),
    ):
        path.write_bytes(content)
        assert not is_saved(saved)
        with pytest.raises(DataError, match=message):
            load_encoder(saved)
    path.unlink()
    with pytest.raises(DataError, match="got no file at"):
        load_encoder(saved)


def test_an_encoder_file_of_another_kind(saved: Path) -> None:
    """Whatever it holds it is read as safetensors, never as a pickle."""
    account = manifest_path(saved / "encoder.safetensors")
    values = json.loads(account.read_text())
    account.write_text(json.dumps({**values, "files": {}}))
    with pytest.raises(DataError, match="must be one that tools/mine_pairs.py fit has written"):
        load_encoder(saved)
    account.unlink()
    with pytest.raises(DataError, match="encoder manifest must exist, got nothing"):
        load_encoder(saved)
