import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from megatron_crossic.data.sentences import BLOCK, sentence_ends

PUNCTUATION = " \n\t.。！？?!«»()[]\"'「」…aBcД日本あ가ا؟ก1\u200f\u0301𠮷"


def pieces(text: str, language: str) -> list[str]:
    ends = sentence_ends(text, language=language).tolist()
    return [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "Dr. Smith came. He left.\n\n", ["Dr. Smith came. ", "He left.\n\n"]),
        ("es", "¿Qué tal? Bien.", ["¿Qué tal? ", "Bien."]),
        ("pt", "Olá, Sr. Silva. Adeus.", ["Olá, Sr. Silva. ", "Adeus."]),
        ("ar", "مرحبا. كيف حالك؟ بخير.", ["مرحبا. ", "كيف حالك؟ ", "بخير."]),
        ("ja", "これは。テストです！終わり", ["これは。", "テストです！", "終わり"]),
        ("ko", "안녕하세요. 반갑습니다.", ["안녕하세요. ", "반갑습니다."]),
        ("th", "สวัสดีครับ ผมชื่อจอห์น  ไป", ["สวัสดีครับ ", "ผมชื่อจอห์น  ", "ไป"]),
    ],
)
def test_sentences(language: str, text: str, expected: list[str]) -> None:
    assert pieces(text, language) == expected


@settings(max_examples=200)
@given(st.sampled_from("ar en es ja ko pt th".split()), st.text(PUNCTUATION, max_size=60))
def test_pieces_rejoin_to_the_text(language: str, text: str) -> None:
    found = pieces(text, language)
    assert "".join(found) == text
    assert all(found)


def test_a_block_does_not_end_a_sentence() -> None:
    sentence = "All of this is one sentence. "
    text = sentence * (3 * BLOCK // len(sentence))
    assert set(pieces(text, "en")) == {sentence}


def test_a_sentence_longer_than_a_block_has_no_end_inside() -> None:
    text = "x" * (3 * BLOCK) + ". Then this."
    assert pieces(text, "en") == ["x" * (3 * BLOCK) + ". ", "Then this."]


def test_an_empty_text_has_no_sentence() -> None:
    assert sentence_ends("", language="en").size == 0
