from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_pairs import make_pair
from transformers import AutoTokenizer

from megatron_crossic.data.tokenizer import Tokenizer, load_tokenizer
from megatron_crossic.data.tokenizer_training import TokenizerType, train_tokenizer
from megatron_crossic.errors import ConfigError, DataError

PAIRS = [
    make_pair(
        "Bees", "Bees fly to flowers.\n\nBees make honey.", "Las abejas vuelan a las flores."
    ),
    make_pair(
        "ミツバチ",
        "A bee is an insect.",
        "ミツバチは昆虫です。\n\n蜜を作ります。",
        languages="en ja",
    ),
]
VOCAB_SIZE = 320


@pytest.fixture(scope="module", params=["bpe", "sentencepiece"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    path = train_tokenizer(
        PAIRS,
        tokenizer_type=request.param,
        vocab_size=VOCAB_SIZE,
        output=tmp_path_factory.mktemp("trained"),
    )
    return load_tokenizer(path)


def test_special_tokens(trained: Tokenizer) -> None:
    assert trained.vocab_size == VOCAB_SIZE
    assert trained.bos_id is None
    assert trained.eod_id == trained.token_id("<|endoftext|>")
    assert trained.pad_id == trained.token_id("<|padding|>")
    assert trained.eod_id != trained.pad_id


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0▁")))
def test_every_text_comes_back(trained: Tokenizer, text: str) -> None:
    ids = trained.encode_batch([text])[0]
    assert trained.decode(ids) == text
    assert len(trained.token_starts(text)) == len(ids)


def test_what_was_seen_got_tokens_of_its_own(trained: Tokenizer) -> None:
    text = "Bees make honey.\n\n"
    assert len(trained.encode_batch([text])[0]) < len(text) * 0.8


def test_transformers_gives_the_same_ids(tmp_path: Path) -> None:
    train_tokenizer(PAIRS, tokenizer_type="bpe", vocab_size=VOCAB_SIZE, output=tmp_path)
    ours, theirs = load_tokenizer(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    text = "Bees fly.\n\n蜜を作ります。"
    assert theirs(text)["input_ids"] == ours.encode_batch([text])[0].tolist()
    assert (theirs.eos_token_id, theirs.pad_token_id) == (ours.eod_id, ours.pad_id)
    assert len(theirs) == ours.vocab_size


@pytest.mark.parametrize("kind", ["bpe", "sentencepiece"])
def test_what_cannot_be_trained(tmp_path: Path, kind: TokenizerType) -> None:
    def train(vocab_size: int, *, name: str = "new") -> Path:
        return train_tokenizer(
            PAIRS, tokenizer_type=kind, vocab_size=vocab_size, output=tmp_path / name
        )

    with pytest.raises(ConfigError, match=r"vocab-size must be above 2\d\d, got 200"):
        train(200)
    with pytest.raises(DataError, match="texts must suit a vocabulary of 9000 tokens, got: "):
        train(9000)
    assert not list(tmp_path.glob("new/*"))
    train(VOCAB_SIZE)
    with pytest.raises(ConfigError, match="output path must not exist"):
        train(VOCAB_SIZE)


def test_an_unknown_type(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="type must be one of bpe, sentencepiece, got 'odd'"):
        train_tokenizer(PAIRS, tokenizer_type="odd", vocab_size=400, output=tmp_path)  # type: ignore[arg-type]


def test_a_run_killed_between_the_two_files_is_simply_run_again(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json.partial").write_text("{}")
    (tmp_path / "tokenizer_config.json").write_text("{}")
    train_tokenizer(PAIRS, tokenizer_type="bpe", vocab_size=VOCAB_SIZE, output=tmp_path)
    assert load_tokenizer(tmp_path).vocab_size == VOCAB_SIZE
    assert len(list(tmp_path.iterdir())) == 2
