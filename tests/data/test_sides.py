from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from small_pairs import make_pair, write_byte_tokenizer

from megatron_crossic.data import sides
from megatron_crossic.data.bulk import TokenizersEncoder
from megatron_crossic.data.records import Pair
from megatron_crossic.data.sides import EncodedPair, Side
from megatron_crossic.data.sides import encode_pairs as encode_pairs_with
from megatron_crossic.data.spans import Role
from megatron_crossic.data.tokenizer import Tokenizer, load_tokenizer


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return load_tokenizer(write_byte_tokenizer(tmp_path_factory.mktemp("byte")))


def encode_pairs(
    pairs: Sequence[Pair], tokenizer: Tokenizer, **options: bool
) -> Iterator[EncodedPair]:
    return encode_pairs_with(pairs, tokenizer, TokenizersEncoder(tokenizer), **options)


def source(pair: EncodedPair) -> Side:
    return pair.sides[0]


def test_a_side_is_its_paragraphs_with_blank_lines(tokenizer: Tokenizer) -> None:
    (pair,) = encode_pairs([make_pair("one", "Ab.\n\n\n\n cde ", "x")], tokenizer)
    assert source(pair).tokens.tobytes() == np.array([*b"one\n\nAb.\n\ncde\n\n"], "i4").tobytes()
    assert source(pair).paragraph_ends.tolist() == [5, 10, 15]
    assert (source(pair).language, source(pair).role) == ("en", Role.SOURCE)
    assert bytes(pair.sides[1].tokens.tolist()) == b"ONE\n\nx\n\n"
    assert (pair.sides[1].language, pair.sides[1].role) == ("es", Role.TARGET)
    assert pair.num_tokens == 15 + 8


def test_titles_can_be_left_out(tokenizer: Tokenizer) -> None:
    (pair,) = encode_pairs([make_pair("one", "Ab", "")], tokenizer, with_title=False)
    assert source(pair).paragraphs == ("Ab\n\n",)
    assert pair.sides[1].num_tokens == pair.sides[1].outline().num_tokens == 0


def test_order_and_ids_do_not_depend_on_batches(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = [make_pair(f"p{i}", "ab " * i, "é" * (7 - i)) for i in range(8)]
    together = list(encode_pairs(pairs, tokenizer))
    monkeypatch.setitem(vars(sides), "BATCH_CHARACTERS", 5)
    apart = list(encode_pairs(pairs, tokenizer))
    assert [pair.pair.id for pair in together] == [f"p{i}" for i in range(8)]
    for one, other in zip(together, apart, strict=True):
        assert np.array_equal(one.sides[0].tokens, other.sides[0].tokens)
        assert np.array_equal(one.sides[1].tokens, other.sides[1].tokens)


def test_sentence_ends_are_token_positions(tokenizer: Tokenizer) -> None:
    (pair,) = encode_pairs([make_pair("é", "Hi é. Ho.", "x")], tokenizer)
    # The title takes 4 tokens; é is two bytes, so "Hi é. " takes 7 and "Ho.\n\n" five more.
    assert source(pair).sentence_ends(1).tolist() == [11, 16]
    assert source(pair).sentence_ends(0).tolist() == [4]


def test_a_sentence_never_ends_inside_a_character(tokenizer: Tokenizer) -> None:
    (pair,) = encode_pairs([make_pair("", "語。語。", "x", languages="ja en")], tokenizer)
    assert source(pair).sentence_ends(0).tolist() == [6, 14]


def test_leading_paragraphs(tokenizer: Tokenizer) -> None:
    (pair,) = encode_pairs([make_pair("one", "Ab\n\ncd", "x")], tokenizer)
    cut = source(pair).leading(2)
    assert bytes(cut.tokens.tolist()) == b"one\n\nAb\n\n"
    assert (cut.paragraphs, cut.num_tokens) == (("one\n\n", "Ab\n\n"), 9)


def test_a_side_knows_whether_it_has_a_title(tokenizer: Tokenizer) -> None:
    pairs = [make_pair("one", "Ab", "x"), make_pair(" ", "Ab", "x")]
    assert [source(p).has_title for p in encode_pairs(pairs, tokenizer)] == [True, False]
    assert not any(source(p).has_title for p in encode_pairs(pairs, tokenizer, with_title=False))
