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
from megatron_crossic.data.wikipedia.titles import (
    normalise_title,
    redirect_target,
    split_fragment,
    table_title_key,
    title_key,
)


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


@pytest.mark.parametrize(
    ("title", "language", "expected"),
    [
        ("istanbul", "tr", "İstanbul"),
        ("istanbul", "az", "İstanbul"),
        ("istanbul", "en", "Istanbul"),
        ("istanbul", "kk", "Istanbul"),
        ("ısı", "tr", "Isı"),
        ("i\u0307x", "lt", "İx"),  # a small i with its dot has no letter of its own in NFC
        ("\u0130x", "en", "İx"),
        ("საქართველო", "ka", "საქართველო"),
        ("ßa", "de", "ßa"),
        ("ŉa", "af", "ŉa"),
        ("ǰa", "en", "ǰa"),
        ("ﬁne", "en", "ﬁne"),
        ("ǆep", "hr", "ǅep"),
        ("ᾳ", "el", "ᾼ"),
        ("ῆρα", "el", "ῆρα"),
        ("ⓐ", "en", "ⓐ"),
        ("ⅳ", "en", "ⅳ"),
        ("жук", "ru", "Жук"),
        ("ա", "hy", "Ա"),
        ("և", "hy", "և"),
        ("日本", "ja", "日本"),
    ],
)
def test_first_letters_are_those_of_the_wiki(title: str, language: str, expected: str) -> None:
    assert normalise_title(title, language=language) == expected
    assert normalise_title(expected, language=language) == expected


@pytest.mark.parametrize(
    ("stored", "title"),
    [
        ("New_York", "new York"),
        ("AT&T", "AT&T"),
        ("Élan_vital", "E\u0301lan  vital"),
        ("iPhone", "IPhone"),
        ("A__b", "A b"),
        ("", ""),
    ],
)
def test_titles_of_tables_have_the_keys_of_links(stored: str, title: str) -> None:
    key = title_key(normalise_title(title))
    assert table_title_key(stored.encode(), language="en") == key
    assert key != title_key(normalise_title(title) + "x")


@given(st.text())
def test_titles_of_tables_are_never_told_apart_by_the_short_way(title: str) -> None:
    stored = normalise_title(title).replace(" ", "_")
    expected = title_key(normalise_title(stored))
    assert table_title_key(stored.encode(), language="en") == expected


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
        ("#REDIRECT [[AT&amp;T]]", "AT&T"),
        ("#REDIRECT [[AT%26T]]", "AT&T"),
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


@pytest.mark.parametrize(
    ("title", "language"),
    [
        ("نقاش المستخدم:شخص", "ar"),
        ("Usuario_discusión:Alguien", "es"),
        ("利用者‐会話:誰か", "ja"),
        ("사용자토론:누군가", "ko"),
        ("Usuário(a) Discussão:Alguém", "pt"),
        ("คุยกับผู้ใช้:ใคร", "th"),
    ],
)
def test_talk_pages_of_every_language_are_no_articles(title: str, language: str) -> None:
    assert not is_article(title, language=language)
    assert is_article(title, language="en")


def test_links_to_other_languages() -> None:
    assert is_interwiki("fr:Berlin")
    assert is_interwiki("zh-min-nan:Berlin")
    assert not is_interwiki("Re:Zero")
