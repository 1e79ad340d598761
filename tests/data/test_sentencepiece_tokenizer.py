import io
from pathlib import Path

import pytest
import sentencepiece

from megatron_crossic.data.tokenizer import load_tokenizer
from megatron_crossic.errors import ConfigError, DataError

TEXTS = ["Berlin is a city\n\n", "ベルリン は 都市\n\n", " two  spaces ", "𠮷 is unknown"]


@pytest.fixture(scope="module")
def llama_style() -> bytes:
    """A model as Llama 2 and Mistral ship it: dummy prefix, byte fallback, <s> and </s>."""
    return train(add_dummy_prefix=True)


@pytest.mark.parametrize("text", TEXTS)
def test_texts_come_back(llama_style: bytes, tmp_path: Path, text: str) -> None:
    tokenizer = load_tokenizer(write(tmp_path, llama_style))
    ids = tokenizer.encode_batch([text])[0]
    assert tokenizer.decode(ids) == text
    assert len(tokenizer.token_starts(text)) == len(ids)


def test_no_space_is_put_in_front(llama_style: bytes, tmp_path: Path) -> None:
    plain = sentencepiece.SentencePieceProcessor(model_proto=llama_style)
    assert plain.encode("a", out_type=str)[0].startswith("▁")
    tokenizer = load_tokenizer(write(tmp_path, llama_style))
    assert tokenizer.encode_batch(["a"])[0].tolist() == [tokenizer.token_id("a")]
    after_a_space = tokenizer.encode_batch([" city"])[0]
    assert after_a_space.tolist() == plain.encode("city")


def test_special_tokens(llama_style: bytes, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(write(tmp_path, llama_style))
    assert (tokenizer.bos_id, tokenizer.eod_id, tokenizer.pad_id) == (1, 2, 2)
    assert tokenizer.vocab_size == 300
    assert (tokenizer.token_id("</s>"), tokenizer.token_id("<none>")) == (2, None)
    assert load_tokenizer(tmp_path / "t.model", eod_token="<s>").eod_id == 1


def test_bytes_of_a_character_start_at_it(llama_style: bytes, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(write(tmp_path, llama_style))
    assert tokenizer.token_starts("a𠮷").tolist() == [0, 1, 1, 1, 1]


def test_a_folder_with_one_model_is_that_model(llama_style: bytes, tmp_path: Path) -> None:
    path = write(tmp_path, llama_style)
    assert load_tokenizer(tmp_path).fingerprint == load_tokenizer(path).fingerprint


def test_without_an_end_of_document_token(tmp_path: Path) -> None:
    path = write(tmp_path, train(eos_id=-1))
    with pytest.raises(ConfigError, match=r"end-of-document token, got 'no eos'.*--eod-token"):
        load_tokenizer(path)
    assert load_tokenizer(path, eod_token="<s>").eod_id == 1


def test_white_space_removal_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, train(remove_extra_whitespaces=True))
    with pytest.raises(ConfigError, match="must keep blank lines between paragraphs"):
        load_tokenizer(path)


def test_files_that_are_no_models(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must be a SentencePiece model"):
        load_tokenizer(write(tmp_path, b"\xff\xff nothing of the kind"))
    with pytest.raises(DataError, match="must be readable"):
        load_tokenizer(tmp_path / "missing.model")


def train(**options: object) -> bytes:
    model = io.BytesIO()
    defaults = {
        "normalization_rule_name": "identity" if "remove" not in str(options) else "nmt_nfkc",
        "remove_extra_whitespaces": False,
    }
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["Berlin is a city", "ベルリン は 都市", "a city is a city"] * 4),
        model_writer=model,
        vocab_size=300,
        model_type="bpe",
        byte_fallback=True,
        minloglevel=2,
        **(defaults | options),
    )
    return model.getvalue()


def write(folder: Path, content: bytes) -> Path:
    path = folder / "t.model"
    path.write_bytes(content)
    return path
