"""Pre-trained encoders: a tiny one of random weights, made here, is run as a real one is."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mined_corpus import mine, write_records
from safetensors.numpy import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.modules import Pooling
from transformers import BertConfig, BertModel, BertTokenizerFast

from megatron_crossic.data.pairs import read_pairs
from megatron_crossic.data.retrieval.encoders.model_folder import find_model
from megatron_crossic.data.retrieval.encoders.pretrained import (
    SentenceEncoder,
    SentenceEncoderOptions,
)
from megatron_crossic.data.retrieval.options import MiningOptions
from megatron_crossic.data.retrieval.selection.options import SelectionOptions
from megatron_crossic.errors import ConfigError, DataError

WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] bees honey hive river sea query passage topic : . bad"
TEXTS = ["bees honey hive", "sea", "river sea . bees . honey", "hive " * 30, "honey bees", "river"]
WORD_WEIGHTS = "embeddings.word_embeddings.weight"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of two layers, dimension 32, with prompts."""
    base = tmp_path_factory.mktemp("bert")
    vocabulary = base / "vocab.txt"
    vocabulary.write_text("\n".join(WORDS.split()), encoding="utf-8")
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(WORDS.split()),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.5,
    )
    BertModel(config).save_pretrained(base)
    BertTokenizerFast(vocab=str(vocabulary), model_max_length=64).save_pretrained(base)
    model = SentenceTransformer(
        modules=[Transformer(str(base)), Pooling(32)],
        prompts={"query": "query : ", "document": "passage : "},
        device="cpu",
    )
    model.save(str(base / "model"))
    return base / "model"


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def encoder_of(folder: Path, **options: object) -> SentenceEncoder:
    return SentenceEncoder(
        f"sentence-transformers:{folder}",
        SentenceEncoderOptions(**{"devices": ("cpu",), **options}),  # type: ignore[arg-type]
    )


@pytest.fixture(scope="module")
def encoder(folder: Path) -> SentenceEncoder:
    return encoder_of(folder)


def passages(encoder: SentenceEncoder, texts: list[str]) -> np.ndarray:
    return encoder.encode(texts, language="en", purpose="passage")


def set_prompts(folder: Path, prompts: dict[str, str]) -> None:
    path = folder / "config_sentence_transformers.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "prompts": prompts}))


def test_unit_vectors_in_the_order_of_the_texts(encoder: SentenceEncoder) -> None:
    vectors = passages(encoder, TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), encoder.dimension) == (len(TEXTS), 32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    alone = np.concatenate([passages(encoder, [text]) for text in TEXTS])
    np.testing.assert_allclose(vectors, alone, atol=1e-5)
    assert len(np.unique(vectors.round(3), axis=0)) == len(TEXTS), "texts must differ"


@pytest.mark.parametrize("batch_size", [1, 2, 4, 100])
def test_any_batch_size_gives_the_same(
    folder: Path, encoder: SentenceEncoder, batch_size: int
) -> None:
    other = encoder_of(folder, batch_size=batch_size)
    np.testing.assert_allclose(passages(other, TEXTS), passages(encoder, TEXTS), atol=1e-5)
    assert other.fingerprint == encoder.fingerprint


def test_prompts_of_the_model(folder: Path, encoder: SentenceEncoder) -> None:
    assert encoder.prompts == {"query": "query : ", "passage": "passage : "}
    bare = encoder_of(folder, query_prompt="", passage_prompt="")
    for purpose, prompt in encoder.prompts.items():
        expected = bare.encode([prompt + "bees"], language="en", purpose=purpose)
        found = encoder.encode(["bees"], language="en", purpose=purpose)
        np.testing.assert_allclose(found, expected, atol=1e-5)
        without = bare.encode(["bees"], language="en", purpose=purpose)
        assert np.abs(found - without).max() > 1e-2
    assert bare.fingerprint != encoder.fingerprint


@pytest.mark.parametrize(
    ("own", "options", "expected"),
    [
        ({}, {}, ("", "")),
        ({"query": "q", "passage": "p", "document": "d"}, {}, ("q", "p")),
        ({"query": "q", "document": ""}, {}, ("q", "")),
        ({"search_query": "q", "search_document": "d"}, {}, ("q", "d")),
        ({"topic": "t"}, {"query_prompt": "mine "}, ("mine ", "")),
        ({"query": "q", "passage": "p"}, {"passage_prompt": ""}, ("q", "")),
    ],
)
def test_names_of_prompts(
    copy: Path, own: dict[str, str], options: dict[str, str], expected: tuple[str, str]
) -> None:
    set_prompts(copy, own)
    assert tuple(encoder_of(copy, **options).prompts.values()) == expected


def test_blank_texts_are_zeros_and_half_characters_no_hindrance(encoder: SentenceEncoder) -> None:
    vectors = passages(encoder, ["bees", " \n", "", "honey \ud800"])
    assert np.linalg.norm(vectors, axis=1).round(5).tolist() == [1, 0, 0, 1]
    assert passages(encoder, []).shape == (0, 32)


def test_the_fingerprint_is_of_the_content(folder: Path, copy: Path) -> None:
    encoder = encoder_of(folder)
    assert encoder_of(copy).fingerprint == encoder.fingerprint, "wherever it is"
    (copy / "README.md").write_text("Nothing about the vectors.")
    assert encoder_of(copy).fingerprint == encoder.fingerprint
    assert encoder_of(copy, dtype="bfloat16").fingerprint != encoder.fingerprint
    set_prompts(copy, {"query": "topic : "})
    assert encoder_of(copy).fingerprint != encoder.fingerprint


def test_other_weights_are_another_encoder(folder: Path, copy: Path) -> None:
    change_weights(copy, "hive", 0.25)
    assert encoder_of(copy).fingerprint != encoder_of(folder).fingerprint


def test_half_precision_is_near(folder: Path, encoder: SentenceEncoder) -> None:
    vectors = passages(encoder_of(folder, dtype="bfloat16"), TEXTS)
    assert vectors.dtype == np.float32
    assert np.einsum("nd,nd->n", vectors, passages(encoder, TEXTS)).min() > 0.99


def test_several_devices(folder: Path, encoder: SentenceEncoder) -> None:
    several = encoder_of(folder, devices=("cpu", "cpu"))
    try:
        for texts in (TEXTS, TEXTS[:1]):
            found, expected = passages(several, texts), passages(encoder, texts)
            np.testing.assert_allclose(found, expected, atol=1e-5)
    finally:
        several.close()


def change_weights(folder: Path, word: str, value: float) -> None:
    path = folder / "model.safetensors"
    weights = load_file(path)
    (name,) = (name for name in weights if name.endswith(WORD_WEIGHTS))
    weights[name][WORDS.split().index(word)] = value
    save_file(weights, path, metadata={"format": "pt"})


def test_vectors_that_are_no_numbers(copy: Path) -> None:
    change_weights(copy, "bad", float("nan"))
    encoder = encoder_of(copy)
    with pytest.raises(DataError, match=r"got NaN or infinity for text 2 of 4 \('bees bad'\)"):
        passages(encoder, ["bees", "", "bees bad", "bad"])
    assert np.isfinite(passages(encoder, ["bees"])).all()


@pytest.mark.parametrize("name", ["./none", "/no/such/folder", "a/b/c", "~/no such"])
def test_a_path_that_does_not_exist(name: str) -> None:
    with pytest.raises(ConfigError, match=r"must be a folder that exists, got '.*'. Check"):
        SentenceEncoder(name)


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must have modules.json or config.json, got neither"):
        SentenceEncoder(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ConfigError, match="must be one that sentence-transformers can load"):
        SentenceEncoder(str(tmp_path))
    (tmp_path / "modules.json").write_text("[")
    with pytest.raises(ConfigError, match="must have files in JSON, got .*modules.json"):
        SentenceEncoder(str(tmp_path))


def test_pickled_weights(copy: Path) -> None:
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(ConfigError, match="must be safetensors, got pytorch_model.bin in"):
        encoder_of(copy)


@pytest.mark.parametrize("damage", [b"", b"\xff" * 100])
def test_damaged_weights(copy: Path, damage: bytes) -> None:
    (copy / "model.safetensors").write_bytes(damage)
    with pytest.raises(ConfigError, match="must be one that sentence-transformers can load"):
        encoder_of(copy)


def test_a_device_that_is_not_there(folder: Path) -> None:
    with pytest.raises(ConfigError, match="Choose another model, or another device"):
        encoder_of(folder, devices=("nonsense",))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"batch_size": 0}, "batch-size must be positive"), ({"dtype": "int8"}, "dtype must be one")],
)
def test_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SentenceEncoderOptions(**options)  # type: ignore[arg-type]


def test_the_package_is_not_installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ConfigError, match=r"pip install 'megatron-crossic\[encoders\]'"):
        SentenceEncoder(str(folder))


def mining_options(folder: Path, model: Path, *, passages: list[str]) -> MiningOptions:
    """Each document looked for says what a passage says, so that it is known what is near."""
    corpus = [{"id": f"web:{n}", "text": text} for n, text in enumerate(passages)]
    targets = [{"id": f"doc:{n}", "text": text} for n, text in enumerate(reversed(TEXTS))]
    return MiningOptions(
        corpus=(write_records(folder / "corpus.jsonl", corpus),),
        targets=(write_records(folder / "targets.jsonl", targets),),
        target_language="es",
        work=folder / "work",
        encoder=f"sentence-transformers:{model}",
        pretrained=SentenceEncoderOptions(devices=("cpu",), query_prompt="", passage_prompt=""),
        views={"document": 1.0},
        selection=SelectionOptions(min_characters=1, min_score=1.0, near_duplicate=None),
    )


def test_pairs_are_mined_with_it(folder: Path, tmp_path: Path) -> None:
    options = mining_options(tmp_path, folder, passages=TEXTS)
    pairs = list(read_pairs(mine(options, tmp_path / "out.jsonl", workers=2)))
    assert [pair.source.text for pair in pairs] == [text.strip() for text in reversed(TEXTS)]
    assert [pair.provenance["passages"][0]["score"] for pair in pairs] == pytest.approx(
        [1] * len(TEXTS), abs=1e-3
    )


def test_mining_ends_at_vectors_that_are_no_numbers(copy: Path, tmp_path: Path) -> None:
    change_weights(copy, "bad", float("nan"))
    options = mining_options(tmp_path, copy, passages=[*TEXTS, "bees bad"])
    with pytest.raises(DataError, match=r"must be finite, got NaN or infinity for text .*bees bad"):
        mine(options, tmp_path / "out.jsonl")


def find_offline(name: str, home: Path) -> str:
    """What a process without a network says to a model's name."""
    program = (
        "import sys\n"
        "from megatron_crossic.errors import ConfigError\n"
        "from megatron_crossic.data.retrieval.encoders.model_folder import find_model\n"
        "try:\n    print(find_model(sys.argv[1]))\n"
        "except ConfigError as error:\n    print(error)\n"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(home)}
    return subprocess.run(
        [sys.executable, "-c", program, name],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def test_an_id_without_a_network(tmp_path: Path) -> None:
    message = find_offline("organization/none", tmp_path)
    assert "the Hugging Face Hub or its cache has, got 'organization/none'" in message
    assert "Check the name and the network, or give the path of a folder" in message


def test_an_id_that_is_in_the_cache(folder: Path, tmp_path: Path) -> None:
    model = tmp_path / "hub" / "models--organization--tiny"
    commit = "0" * 40
    (model / "refs").mkdir(parents=True)
    (model / "refs" / "main").write_text(commit)
    shutil.copytree(folder, model / "snapshots" / commit)
    found = find_offline("organization/tiny", tmp_path)
    assert Path(found) == model / "snapshots" / commit
    assert find_model(found) == Path(found)
