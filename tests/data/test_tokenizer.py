import json
from pathlib import Path

import numpy as np
import pytest
from small_pairs import EOD, PAD, write_byte_tokenizer
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from megatron_crossic.data.tokenizer import load_tokenizer
from megatron_crossic.errors import ConfigError, DataError

TEXTS = ["Berlin\n\n", "日本語 x\n\n", "é\u0301 ก 𠮷", " two  spaces ", ""]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_byte_tokenizer(tmp_path_factory.mktemp("byte"))


def test_ids_are_those_of_the_tokenizers_package(folder: Path) -> None:
    reference = Tokenizer.from_file(str(folder / "tokenizer.json"))
    expected = [reference.encode(text, add_special_tokens=False).ids for text in TEXTS]
    found = load_tokenizer(folder).encode_batch(TEXTS)
    assert [ids.tolist() for ids in found] == expected
    assert found[0].tolist() == list(b"Berlin\n\n")
    assert {ids.dtype for ids in found} == {np.dtype(np.int32)}


@pytest.mark.parametrize("text", TEXTS)
def test_texts_come_back(folder: Path, text: str) -> None:
    tokenizer = load_tokenizer(folder)
    assert tokenizer.decode(tokenizer.encode_batch([text])[0]) == text


def test_special_tokens(folder: Path) -> None:
    tokenizer = load_tokenizer(folder)
    assert (tokenizer.bos_id, tokenizer.eod_id, tokenizer.pad_id) == (None, 256, 257)
    assert (tokenizer.vocab_size, tokenizer.token_id(PAD)) == (258, 257)
    assert tokenizer.token_id("<|nothing|>") is None


def test_a_text_that_spells_a_special_token_stays_text(folder: Path) -> None:
    assert load_tokenizer(folder).encode_batch([EOD])[0].tolist() == list(EOD.encode())


def test_token_starts_count_characters(folder: Path) -> None:
    # 日 is three bytes, so three tokens that start at its character.
    assert load_tokenizer(folder).token_starts("a日b").tolist() == [0, 1, 1, 1, 2]


def test_pad_falls_back_to_the_end_of_document(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(write_byte_tokenizer(tmp_path, config={"eos_token": EOD}))
    assert tokenizer.pad_id == tokenizer.eod_id == 256


def test_the_end_of_a_turn_is_not_the_end_of_a_document(tmp_path: Path) -> None:
    config = {"eos_token": {"content": "A"}, "pad_token": EOD}
    tokenizer = load_tokenizer(write_byte_tokenizer(tmp_path, config=config))
    assert tokenizer.eod_id == 256
    assert load_tokenizer(tmp_path, eod_token="A").eod_id == ord("A")


def test_without_an_end_of_document_token(tmp_path: Path) -> None:
    _save(tmp_path, _byte_tokenizer())
    with pytest.raises(ConfigError, match=r"end-of-document token, got 'no eos_token'.*--eod-tok"):
        load_tokenizer(tmp_path)
    with pytest.raises(ConfigError, match="got '<gone>'.*--split-token"):
        load_tokenizer(tmp_path, eod_token="<gone>")


@pytest.mark.parametrize(
    ("config", "bos_id"),
    [
        ({}, 256),
        ({"add_bos_token": True, "bos_token": PAD}, 257),
        ({"add_bos_token": False, "bos_token": EOD}, None),
    ],
)
def test_bos_is_what_the_tokenizer_adds(
    tmp_path: Path, config: dict[str, object], bos_id: int | None
) -> None:
    write_byte_tokenizer(tmp_path, config={"eos_token": EOD, **config})
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{EOD} $A", special_tokens=[(EOD, 256)]
    )
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert load_tokenizer(tmp_path).bos_id == bos_id


@pytest.mark.parametrize("style", ["normalizer", "pre_tokenizer"])
def test_no_space_is_put_in_front(tmp_path: Path, style: str) -> None:
    """Both ways in which Llama 2 style tokenizers are written down."""
    vocab = {piece: i for i, piece in enumerate(["▁", "a", "b", "\n", "</s>"])}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    if style == "normalizer":
        tokenizer.normalizer = normalizers.Sequence(
            [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
        )
        tokenizer.decoder = decoders.Sequence(
            [decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
        )
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=False)
        tokenizer.decoder = decoders.Metaspace(prepend_scheme="always", split=False)
    assert tokenizer.encode("a b").tokens == ["▁", "a", "▁", "b"]
    _save(tmp_path, tokenizer, {"eos_token": "</s>"})
    loaded = load_tokenizer(tmp_path)
    assert loaded.encode_batch(["a b\n\n"])[0].tolist() == [1, 0, 2, 3, 3]
    assert loaded.decode([0, 1, 3]) == " a\n"


def test_a_tokenizer_that_loses_blank_lines_is_refused(tmp_path: Path) -> None:
    tokenizer = _byte_tokenizer()
    tokenizer.normalizer = normalizers.Strip()
    tokenizer.add_special_tokens([EOD])
    _save(tmp_path, tokenizer)
    with pytest.raises(ConfigError, match=r"must keep blank lines .* got 'a\\n\\nb'"):
        load_tokenizer(tmp_path)


def test_the_fingerprint_is_of_content_not_of_formatting(folder: Path, tmp_path: Path) -> None:
    spec = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    write_byte_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text(json.dumps(spec, indent=7), encoding="utf-8")
    fingerprint = load_tokenizer(folder).fingerprint
    assert load_tokenizer(tmp_path).fingerprint == fingerprint
    spec["model"]["vocab"]["A"], spec["model"]["vocab"]["B"] = 66, 65
    (tmp_path / "tokenizer.json").write_text(json.dumps(spec), encoding="utf-8")
    assert load_tokenizer(tmp_path).fingerprint != fingerprint


def test_damaged_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"must hold a tokenizer\.json or one SentencePiece"):
        load_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match="tokenizer file must be JSON"):
        load_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text("[]", encoding="utf-8")
    with pytest.raises(DataError, match="must be a JSON object"):
        load_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text('{"model": {"type": "Odd"}}', encoding="utf-8")
    with pytest.raises(DataError, match="must be usable by the tokenizers package"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize(
    "spec",
    [
        {"model": None},
        {"model": [1], "normalizer": {"type": "Sequence", "normalizers": None}},
        {"model": {"type": "WordLevel", "vocab": {"b": 0}, "unk_token": "?"}, "added_tokens": []},
    ],
)
def test_files_the_package_cannot_use(tmp_path: Path, spec: dict[str, object]) -> None:
    (tmp_path / "tokenizer.json").write_text(json.dumps(spec), encoding="utf-8")
    with pytest.raises(DataError, match="must be usable by the tokenizers package"):
        load_tokenizer(tmp_path)


def test_an_empty_vocabulary(tmp_path: Path) -> None:
    _save(tmp_path, Tokenizer(models.BPE(vocab={}, merges=[])))
    with pytest.raises(ConfigError, match="tokenizer must have an end-of-document token"):
        load_tokenizer(tmp_path)


def _byte_tokenizer() -> Tokenizer:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _save(folder: Path, tokenizer: Tokenizer, config: dict[str, str] | None = None) -> None:
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(config or {}), encoding="utf-8")
