from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from punkt_folder import install_punkt

from megatron_crossic.data.records import LANGUAGES
from megatron_crossic.data.sentences import (
    BLOCK,
    SPLITTERS,
    check_splitter,
    sentence_ends,
    splitter_of,
)
from megatron_crossic.errors import ConfigError

PUNCTUATION = " \n\t.。！？?!…«»()[]\"'「」aBcД日本あ가ا؟ก1๑ๆ។\u200f\u202b\u200d\u0301\0𠮷"


@pytest.fixture(scope="module", autouse=True)
def punkt_data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Punkt parameters for the languages of these tests, trained on a few sentences."""
    with install_punkt(tmp_path_factory.mktemp("nltk"), "english", "spanish", "portuguese"):
        yield


def pieces(text: str, language: str, splitter: str = "sentencex") -> list[str]:
    ends = sentence_ends(text, language=language, splitter=splitter).tolist()
    return [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "Dr. Smith came. He left.\n\n", ["Dr. Smith came. ", "He left.\n\n"]),
        ("en", "It costs 3.50 now. Wait... What?", ["It costs 3.50 now. ", "Wait... ", "What?"]),
        ("en", 'He said "Go. Now." Then he left.', ['He said "Go. Now." ', "Then he left."]),
        ("es", "¿Qué tal? Bien.", ["¿Qué tal? ", "Bien."]),
        ("es", "El Sr. Gil pagó 3.50 euros. Adiós.", ["El Sr. Gil pagó 3.50 euros. ", "Adiós."]),
        ("pt", "Olá, Sr. Silva. Adeus.", ["Olá, Sr. Silva. ", "Adeus."]),
        ("pt", "São 2.500 km. Longe!", ["São 2.500 km. ", "Longe!"]),
        ("ar", "مرحبا. كيف حالك؟ بخير.", ["مرحبا. ", "كيف حالك؟ ", "بخير."]),
        ("ar", "السعر 3.50 دولار. حقا؟! نعم.", ["السعر 3.50 دولار. ", "حقا؟! ", "نعم."]),
        ("ja", "これは。テストです！終わり", ["これは。", "テストです！", "終わり"]),
        ("ja", "彼は「行く。」と言った。また。", ["彼は「行く。」", "と言った。", "また。"]),
        ("ja", "値は3.5です。次へ。", ["値は3.5です。", "次へ。"]),
        ("ko", "안녕하세요. 반갑습니다.", ["안녕하세요. ", "반갑습니다."]),
        ("ko", "버전은 7.2입니다. 좋아요!", ["버전은 7.2입니다. ", "좋아요!"]),
        ("th", "สวัสดีครับ ผมชื่อจอห์น  ไป", ["สวัสดีครับ ", "ผมชื่อจอห์น  ", "ไป"]),
        ("th", "ราคา 1,500 บาท ใช้ Excel 365 ขาย", ["ราคา 1,500 บาท ", "ใช้ Excel 365 ขาย"]),
        ("th", "ต่าง ๆ ที่ดี มาก", ["ต่าง ๆ ที่ดี ", "มาก"]),
        ("th", "ดู  365  วัน\nSee this. ไป", ["ดู  365  วัน\n", "See this. ", "ไป"]),
        ("lo", "ສະບາຍດີ ໑໐ ຄົນ ຂອບໃຈ", ["ສະບາຍດີ ໑໐ ຄົນ ", "ຂອບໃຈ"]),
        ("km", "សួស្តី។លា ហើយ", ["សួស្តី។", "លា ", "ហើយ"]),
    ],
)  # fmt: skip
def test_sentences(language: str, text: str, expected: list[str]) -> None:
    assert pieces(text, language) == expected


TEXTS = st.text(PUNCTUATION, max_size=60) | st.text(st.characters(codec="utf-8"), max_size=40)


@pytest.mark.parametrize("splitter", SPLITTERS)
@pytest.mark.parametrize("language", "ar en es ja ko pt th".split())
@settings(max_examples=60)
@given(text=TEXTS)
@example(text="x" * 20_000)
@example(text="日" * 20_000 + "。 ")
@example(text=" " * 20_000)
@example(text="a.\u0301b \u200d.\0 \u202eab\u202c. 𠮷.\x85\u2028\x1c.")
@example(text="\r\n" * 20_000)
@example(text='". ' * 5_000)
def test_pieces_rejoin_to_the_text(splitter: str, language: str, text: str) -> None:
    ends = sentence_ends(text, language=language, splitter=splitter).tolist()
    assert ends == sorted(set(ends))
    assert (ends[-1:] == [len(text)] and ends[0] > 0) if text else ends == []
    found = pieces(text, language, splitter)
    assert "".join(found) == text
    assert all(found)
    # No sentence begins with white space, except where the text does.
    assert not [piece for piece in found[1:] if piece[0].isspace()]
    assert ends == sentence_ends(text, language=language, splitter=splitter).tolist()


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_language_has_sentences(language: str) -> None:
    """Also those that sentencex has no rules for."""
    assert len(pieces("Abcd efg? Hijk lmn! Opq rst.\nU", language)) >= 3


def test_a_block_does_not_end_a_sentence() -> None:
    sentence = "All of this is one sentence. "
    text = sentence * (3 * BLOCK // len(sentence))
    assert set(pieces(text, "en")) == {sentence}


def test_a_sentence_longer_than_a_block_has_no_end_inside() -> None:
    text = "x" * (3 * BLOCK) + ". Then this."
    assert pieces(text, "en") == ["x" * (3 * BLOCK) + ". ", "Then this."]


def test_what_splits_which_language() -> None:
    assert check_splitter("punkt", languages="en ja th".split()) == {
        "en": "punkt",
        "ja": "sentencex",
        "th": "offsets",
    }
    assert [splitter_of(language) for language in "en ja th".split()] == [
        "sentencex",
        "sentencex",
        "offsets",
    ]
    text = "これは。テストです"
    assert pieces(text, "ja", "punkt") == pieces(text, "ja") == ["これは。", "テストです"]


def test_an_unknown_splitter_is_refused() -> None:
    with pytest.raises(ConfigError, match="must be one of sentencex, punkt, got 'nltk'"):
        sentence_ends("A. B.", language="en", splitter="nltk")
    with pytest.raises(ConfigError, match="must be one of sentencex, punkt, got 'nltk'"):
        check_splitter("nltk", languages=["th"])


def test_missing_parameters_are_refused_before_work_begins(tmp_path: Path) -> None:
    with (
        install_punkt(tmp_path, "german"),
        pytest.raises(ConfigError, match="got no usable punkt_tab/english"),
    ):
        check_splitter("punkt", languages=["th", "ja", "de", "en"])
