"""What is asked for a document, by view."""

from megatron_crossic.data.records import Document
from megatron_crossic.data.retrieval.texts.queries import QueryTexts

BEES = Document(language="en", title="Bees", text="Honey is made by bees of a hive in summer.")
SHIPS = Document(language="en", title="Ships", text="Sails of ships are made in a harbour.")
ABEJAS = Document(language="es", title="Abejas", text="La miel de las abejas.")


def texts(*documents: Document, num_keywords: int = 3, characters: int = 1000) -> QueryTexts:
    return QueryTexts.of(documents, num_keywords=num_keywords, document_characters=characters)


def test_views() -> None:
    made = texts(BEES, SHIPS)
    assert made.query("title", BEES) == "Bees"
    assert made.query("document", BEES) == f"Bees\n{BEES.text}"
    keywords = made.query("keywords", BEES).split()
    assert len(keywords) == 3
    assert keywords[0] == "bees"
    assert not set(keywords) & {"of", "made", "in"}


def test_only_so_much_of_a_document_is_read() -> None:
    made = texts(BEES, SHIPS, characters=10)
    assert made.query("document", BEES) == "Bees\nHoney"
    assert set(made.query("keywords", BEES).split()) == {"bees", "honey"}


def test_each_language_has_its_own_words() -> None:
    made = texts(BEES, SHIPS, ABEJAS)
    assert {code: model.num_texts for code, model in made.models.items()} == {"en": 2, "es": 1}
    assert "abejas" in made.query("keywords", ABEJAS).split()


def test_a_document_without_a_title_or_text() -> None:
    nothing = Document(language="en", title="", text="")
    made = texts(BEES, nothing)
    assert made.query("title", nothing) == ""
    assert made.query("keywords", nothing) == ""
    assert made.query("document", nothing).strip() == ""


def test_keywords_of_a_language_not_seen_are_its_words() -> None:
    """The most used first: all are taken for equally frequent."""
    found = texts(BEES).query("keywords", ABEJAS).split()
    assert found[0] == "abejas"
    assert set(found) <= {"abejas", "la", "miel", "de", "las"}
