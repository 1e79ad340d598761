import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from megatron_crossic.data.wikipedia.namespaces import (
    is_article,
    is_category,
    is_file,
    is_interwiki,
)
from megatron_crossic.data.wikipedia.titles import normalise_title, redirect_target, split_fragment


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("New_York", "New York"),
        ("  _new__York\u00a0 City ", "New York City"),
        ("berlín", "Berlín"),
        ("Berli\u0301n", "Berlín"),
        (":Berlin", "Berlin"),
        ("\u200eبرلين\u200f", "برلين"),
        ("ßtraße", "ßtraße"),
        ("élan", "Élan"),
        ("", ""),
    ],
)
def test_titles_have_one_spelling(title: str, expected: str) -> None:
    assert normalise_title(title) == expected


@given(st.text())
def test_normalising_twice_changes_nothing_more(title: str) -> None:
    once = normalise_title(title)
    assert unicodedata.is_normalized("NFC", once)
    assert "_" not in once
    if not title.strip(" _:\u200e").startswith(":"):
        assert normalise_title(once.lstrip(":")) == normalise_title(once)


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("berlin#History_of", ("Berlin", "History_of")),
        ("Berlin", ("Berlin", "")),
        ("Berlin#", ("Berlin", "")),
    ],
)
def test_fragments_are_split_off(title: str, expected: tuple[str, str]) -> None:
    assert split_fragment(title) == expected


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("#REDIRECT [[Berlin]]", "Berlin"),
        ("\n #redirect: [[:Berlin|label]] {{R}}", "Berlin"),
        ("#REDIRECIONAMENTO [[Berlim]]", "Berlim"),
        ("#넘겨주기 [[베를린]]", "베를린"),
        ("#เปลี่ยนทาง [[เบอร์ลิน]]", "เบอร์ลิน"),
        ("# a list [[Berlin]]", None),
        ("Text. #REDIRECT [[Berlin]]", None),
        ("#REDIRECT nowhere", None),
    ],
)
def test_redirects_in_wikitext(text: str, target: str | None) -> None:
    assert redirect_target(text) == target


@pytest.mark.parametrize(
    ("title", "language"),
    [
        ("File:A.jpg", "en"),
        ("image: a", "ja"),
        ("ملف:صورة", "ar"),
        ("Archivo:Puerta.jpg", "es"),
        ("ファイル:門", "ja"),
        ("파일:문", "ko"),
        ("Ficheiro:Porta", "pt"),
        ("Imagem:Porta", "pt"),
        ("ไฟล์:ประตู", "th"),
        ("Datei:Tor.JPG", "de"),
    ],
)
def test_pictures_in_every_language(title: str, language: str) -> None:
    assert is_file(title, language=language)
    assert not is_category(title, language=language)
    assert not is_article(title, language=language) or language == "de"


@pytest.mark.parametrize(
    ("title", "language"),
    [
        ("Category:X", "th"),
        ("تصنيف:X", "ar"),
        ("Categoría:X", "es"),
        ("カテゴリ:X", "ja"),
        ("분류:X", "ko"),
        ("Categoria:X", "pt"),
        ("หมวดหมู่:X", "th"),
    ],
)
def test_categories_in_every_language(title: str, language: str) -> None:
    assert is_category(title, language=language)
    assert not is_file(title, language=language)
    assert not is_article(title, language=language)


@pytest.mark.parametrize("title", ["Star Trek: Picard", "Berlin", "2001: A Space Odyssey", "C:"])
def test_a_colon_alone_is_no_namespace(title: str) -> None:
    assert is_article(title, language="en")
    assert not is_interwiki(title)
    assert not is_file(title, language="en")


def test_talk_pages_are_no_articles() -> None:
    assert not is_article("User talk:Someone", language="es")
    assert not is_article("Plantilla:Cita", language="es")


def test_links_to_other_languages() -> None:
    assert is_interwiki("fr:Berlin")
    assert is_interwiki("zh-min-nan:Berlin")
    assert not is_interwiki("Re:Zero")
