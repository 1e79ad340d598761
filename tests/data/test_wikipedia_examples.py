import pytest
from wikipedia_examples import EXAMPLES, TABLE

from megatron_crossic.data.records import LANGUAGES
from megatron_crossic.data.wikipedia.cleaning.clean import clean_wikitext


@pytest.mark.parametrize(("language", "wikitext", "text"), EXAMPLES)
def test_examples(language: str, wikitext: str, text: str) -> None:
    assert clean_wikitext(wikitext, language=language) == text


@pytest.mark.parametrize(("language", "wikitext", "text"), EXAMPLES)
def test_the_parser_gives_the_same(language: str, wikitext: str, text: str) -> None:
    assert clean_wikitext(wikitext, language=language, use_parser=True) == text


def test_every_language_has_examples() -> None:
    assert all(len(TABLE[language]) >= 9 for language in TABLE)
    assert set(TABLE) == {"en", "ar", "es", "ja", "ko", "pt", "th"} <= set(LANGUAGES)


def test_the_title_shows_where_it_is_known() -> None:
    wikitext = "{{PAGENAME}} is a {{lang|en|{{PAGENAME}}}}."
    assert clean_wikitext(wikitext, language="en", title="Bee [[x]]") == "Bee x is a Bee x."
    assert clean_wikitext(wikitext, language="en") == "is a."
