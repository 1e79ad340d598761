"""Keywords: what they are in scripts with and without spaces, and laws that hold for any text."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from megatron_crossic.data.retrieval.texts.keywords import KeywordModel

ENGLISH = [
    "The bees of the hive make honey. Bees dance.",
    "The river flows to the sea, 1234 of them.",
    "The queen of the land and the king of the sea.",
    "The honey of the land.",
]
JAPANESE = [
    "設定の画面を開く。設定を変える。プロジェクトの設定。",
    "契約の内容を見る。契約の終わり。",
    "請求書の画面。請求書を送る。",
    "会計の画面を見る。",
]
THAI = [
    "โครงการนี้ โครงการใหม่ ของโครงการ",
    "ลูกค้าใหม่ ของลูกค้า ลูกค้านี้",
    "งานใหม่ ของงาน",
    "การซื้อ การขาย",
]
WORDS = [
    "bee",
    "bees",
    "sea",
    "12",
    "x1",
    "設定",
    "の",
    "画面",
    "ミツバチ",
    "โครงการ",
    "คำ",
    "프로젝트를",
]
WORDS += [" ", ". ", "\ud800", "e\u0301", "ÅB"]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=40).map("".join)


@given(st.lists(TEXTS, max_size=5), TEXTS, st.integers(1, 8))
@settings(deadline=None)
def test_laws(texts: list[str], text: str, count: int) -> None:
    model = KeywordModel.of(texts, language="ja")
    found = model.keywords(text, count)
    assert found == KeywordModel.of(texts, language="ja").keywords(text, count)
    assert found == model.keywords(text, 50)[:count], "fewer are the first of more"
    for keyword in found:
        assert len(keyword) >= 2
        assert any(map(str.isalpha, keyword))
        assert not any(keyword in other for other in found if other is not keyword)


def test_words() -> None:
    model = KeywordModel.of(ENGLISH, language="en")
    assert model.num_texts == 4
    assert model.keywords(ENGLISH[0], 4) == ["bees", "hive", "make", "dance"]
    assert model.keywords(ENGLISH[1], 9)[:2] == ["river", "flows"]
    assert "1234" not in model.keywords(ENGLISH[1], 99)


def test_more_in_the_text_and_in_fewer_texts_comes_first() -> None:
    model = KeywordModel.of(["common rare", "common", "common", "other"], language="en")
    assert model.keywords("common rare") == ["rare", "common"]
    assert model.keywords("new rare new") == ["new", "rare"]


def test_ties_go_by_place() -> None:
    assert KeywordModel.of(["b a", "c"], language="en").keywords("zz yy xx") == ["zz", "yy", "xx"]


def test_what_all_texts_have_is_better_than_nothing() -> None:
    assert KeywordModel.of(["bees"], language="en").keywords("bees") == ["bees"]
    assert KeywordModel.of([], language="en").keywords("Bees sting") == ["bees", "sting"]


@pytest.mark.parametrize("text", ["", " ", "1 22 333", "の", "a b c", "。、"])
def test_no_keywords(text: str) -> None:
    assert KeywordModel.of(ENGLISH, language="en").keywords(text) == []


def test_japanese_words_are_not_taken_apart() -> None:
    model = KeywordModel.of(JAPANESE, language="ja")
    assert model.keywords(JAPANESE[0], 2) == ["設定", "プロジェクト"]
    assert model.keywords(JAPANESE[2])[0] == "請求書"


def test_thai_runs_grow_to_words() -> None:
    model = KeywordModel.of(THAI, language="th")
    assert model.keywords(THAI[0])[0] == "โครงการ"
    assert model.keywords(THAI[1])[0] == "ลูกค้า"


def test_korean_words_begin_behind_spaces() -> None:
    texts = ["프로젝트를 프로젝트의 프로젝트에", "고객의 고객을", "계약의 계약을 계약에"]
    model = KeywordModel.of(texts, language="ko")
    assert [model.keywords(text, 1) for text in texts] == [["프로젝트"], ["고객"], ["계약"]]


def test_folding() -> None:
    model = KeywordModel.of(["other"], language="ja")
    assert model.keywords("ＡＢＣ Straße ﾌﾟﾛｼﾞｪｸﾄ") == ["abc", "strasse", "プロジェクト"]


def test_texts_beyond_the_most_are_not_read() -> None:
    texts = iter(["bees", "honey", "hive"])
    assert KeywordModel.of(texts, language="en", max_texts=2).num_texts == 2
    assert list(texts) == ["hive"]


def test_the_rarest_are_forgotten_when_there_are_too_many() -> None:
    texts = ["aa bb cc", "aa bb dd", "aa ee"]
    model = KeywordModel.of(texts, language="en", max_features=3)
    assert sorted(model.document_frequency.tolist()) == [2, 3]
    assert np.all(model.features[1:] > model.features[:-1])
    assert model.keywords("aa bb cc") == ["cc", "bb", "aa"]
