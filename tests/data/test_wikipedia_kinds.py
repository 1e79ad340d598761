"""Disambiguation pages, lists and stubs, as the wikis write them."""

import pytest

from megatron_crossic.data.wikipedia.kinds import is_disambiguation, is_list, is_stub, page_kinds


@pytest.mark.parametrize(
    ("language", "title", "wikitext"),
    [
        (
            "en",
            "Mercury",
            "'''Mercury''' may refer to:\n* [[Mercury (planet)]]\n\n{{Disambiguation}}",
        ),
        ("en", "Smith", "* [[Adam Smith]]\n{{hndis|Smith}}"),
        ("en", "Springfield", "{{Geodis\n|x}}"),
        ("en", "Mercury (disambiguation)", "Text."),
        ("en", "Any", "Text.\n__DISAMBIG__"),
        ("en", "Any", "{{Template:Human_name disambiguation}}"),
        ("ar", "عطارد", "قد يشير '''عطارد''' إلى:\n* [[عطارد (كوكب)]]\n{{توضيح}}"),
        ("ar", "عطارد (توضيح)", ""),
        ("es", "Mercurio", "'''Mercurio''' puede referirse a:\n{{desambiguación}}"),
        ("es", "Mercurio (desambiguación)", ""),
        ("ja", "水星 (曖昧さ回避)", ""),
        ("ja", "水星（曖昧さ回避）", ""),
        ("ja", "佐藤", "'''佐藤'''\n{{人名の曖昧さ回避}}"),
        ("ja", "水星", "{{Aimai}}"),
        ("ko", "수성", "'''수성'''은 다음을 가리킨다.\n{{동음이의}}"),
        ("ko", "수성 (동음이의)", ""),
        ("ko", "김철수", "{{동명이인}}"),
        ("pt", "Mercúrio", "'''Mercúrio''' pode referir-se a:\n{{Desambiguação}}"),
        ("pt", "Mercúrio (desambiguação)", ""),
        ("th", "ดาวพุธ", "'''ดาวพุธ''' อาจหมายถึง\n{{แก้กำกวม}}"),
        ("th", "ดาวพุธ (แก้ความกำกวม)", ""),
        ("th", "Any", "{{disambig}}"),
        ("de", "Merkur", "{{Disambig}}"),  # of other languages the English names
    ],
)
def test_disambiguation_pages(language: str, title: str, wikitext: str) -> None:
    assert is_disambiguation(title, wikitext, language=language)
    assert "disambiguation" in page_kinds(title, wikitext, language=language)


@pytest.mark.parametrize(
    ("language", "title", "wikitext"),
    [
        ("en", "Mercury (planet)", "{{About|the planet|other uses|Mercury (disambiguation)}}"),
        ("en", "A", "A [[link]]{{disambiguation needed|date=May 2024}}."),
        ("en", "Word-sense disambiguation", "'''Word-sense disambiguation''' is a task."),
        ("en", "A", "<!-- {{disambig}} --> Text. <nowiki>{{disambig}}</nowiki>"),
        ("en", "A", "<!-- {{disambig}}"),
        ("en", "A", "{{infobox|disambig}} {{a{{disambig"),
        ("ja", "水星", "{{Otheruses|惑星|その他|水星 (曖昧さ回避)}}"),
        ("es", "Mercurio (planeta)", "{{otros usos|Mercurio (desambiguación)}}"),
    ],
)
def test_articles_that_are_no_disambiguation(language: str, title: str, wikitext: str) -> None:
    assert not is_disambiguation(title, wikitext, language=language)


@pytest.mark.parametrize(
    ("language", "title"),
    [
        ("en", "List of rivers of Germany"),
        ("en", "Lists_of_mountains"),
        ("en", "Outline of physics"),
        ("ar", "قائمة أنهار ألمانيا"),
        ("ar", "ملحق:قائمة الدول"),
        ("es", "Anexo:Ríos de Alemania"),
        ("es", "Lista de ríos"),
        ("ja", "ドイツの川の一覧"),
        ("ja", "日本の鉄道駅一覧 (あ)"),
        ("ko", "독일의 강 목록"),
        ("pt", "Lista de rios da Alemanha"),
        ("pt", "Lista dos países"),
        ("th", "รายชื่อแม่น้ำในประเทศเยอรมนี"),
    ],
)
def test_lists(language: str, title: str) -> None:
    assert is_list(title, language=language)
    assert page_kinds(title, "", language=language) == {"list"}


@pytest.mark.parametrize(
    ("language", "title"),
    [
        ("en", "List"),
        ("en", "Schindler's List"),
        ("en", "Listeria"),
        ("en", "Index of refraction"),
        ("ar", "قائمة"),
        ("es", "La lista de Schindler"),
        ("ja", "一覧"),
        ("ko", "목록"),
        ("pt", "A Lista de Schindler"),
        ("th", "รายการ"),
        ("en", "ドイツの川の一覧"),
    ],
)
def test_articles_that_are_no_lists(language: str, title: str) -> None:
    assert not is_list(title, language=language)


@pytest.mark.parametrize(
    ("language", "wikitext"),
    [
        ("en", "Short.\n\n{{stub}}"),
        ("en", "Short.\n\n{{Germany-geo-stub}}\n{{asbox}}"),
        ("en", "{{ Brandenburg-river-stub }}"),
        ("ar", "نص.\n{{بذرة جغرافيا ألمانيا}}"),
        ("ar", "{{بذرة}}"),
        ("es", "{{esbozo|Alemania}}"),
        ("es", "{{Miniesbozo}}"),
        ("ja", "{{Germany-stub}}"),
        ("ja", "{{スタブ}}"),
        ("ja", "{{Substub}}"),
        ("ko", "{{토막글|독일}}"),
        ("ko", "{{독일 토막글}}"),
        ("pt", "{{Esboço-geografia}}"),
        ("pt", "{{mínimo}}"),
        ("th", "{{โครงประเทศเยอรมนี}}"),
        ("th", "{{โครง}}"),
    ],
)
def test_stubs(language: str, wikitext: str) -> None:
    assert is_stub(wikitext, language=language)
    assert page_kinds("A", wikitext, language=language) == {"stub"}


@pytest.mark.parametrize(
    ("language", "wikitext"),
    [
        ("en", "A tree stub. {{Infobox|stub}} [[stub]] {{Section-stub}} {{Expand stub}}"),
        ("en", "<!-- {{stub}} -->"),
        ("th", "{{โครงการพี่น้อง}} {{โครงสร้าง}} {{โครงส่วน}}"),
        ("es", "{{Ficha|esbozo}}"),
    ],
)
def test_articles_that_are_no_stubs(language: str, wikitext: str) -> None:
    assert not is_stub(wikitext, language=language)
    assert page_kinds("A", wikitext, language=language) == frozenset()


@pytest.mark.parametrize("piece", ["{{", "{{ ", " ", "<nowiki>", "<!--", "{{a", "{{template:"])
def test_no_page_takes_long(piece: str) -> None:
    wikitext = "{{" + piece * 200_000 + "["
    assert page_kinds("A", wikitext, language="en") == frozenset()
