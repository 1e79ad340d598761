"""Reasons in the texts, each by one candidate that has it and one that has not."""

import pytest
from mined_texts import ListedTexts, alone, linked, passage, words

from megatron_crossic.data.deduplicate.shingles import shingle
from megatron_crossic.data.records import Document, Pair
from megatron_crossic.data.retrieval.selection.contamination import EvaluationRuns
from megatron_crossic.data.retrieval.selection.filters import TextFilters, containment, document_id
from megatron_crossic.data.retrieval.selection.options import SelectionOptions

ENGLISH = (
    "Bees are flying insects closely related to wasps and ants, known for their role in "
    "pollination and, in the case of the best-known bee species, for producing honey. "
)
SPANISH = (
    "Las abejas son insectos voladores emparentados con las avispas y las hormigas, conocidos por "
    "su papel en la polinización y, en el caso de la especie más conocida, por producir miel. "
)
PLAIN = SelectionOptions(near_duplicate=None, min_characters=1)


def reason(
    target: Pair,
    document: Document,
    options: SelectionOptions = PLAIN,
    evaluation: EvaluationRuns | None = None,
) -> str | None:
    return TextFilters(ListedTexts([document], [target]), options, evaluation).accept(0, 0)


@pytest.fixture
def _rensa() -> None:
    pytest.importorskip("rensa", reason="near-duplicate removal needs the extra `dedup`")


def test_ids_of_documents() -> None:
    assert document_id("fineweb:12#0-800") == "fineweb:12"
    assert document_id("a#b#5-9") == "a#b"
    assert document_id("whole") == "whole"


def test_the_linked_article_itself() -> None:
    own = passage(ENGLISH, document="enwiki:1")
    assert reason(linked(SPANISH), own) == "same_document"
    assert reason(linked(SPANISH), passage(ENGLISH, document="enwiki:11")) is None
    assert reason(alone(SPANISH), own) is None
    kept = SelectionOptions(near_duplicate=None, min_characters=1, exclude_linked=False)
    assert reason(linked(SPANISH), own, kept) is None


def test_articles_without_an_id_are_not_the_same() -> None:
    target = linked(SPANISH)
    nameless = Pair(
        id="p",
        source=Document(language="en", title="", text=""),
        targets=target.targets,
    )
    assert reason(nameless, Document(language="en", title="", text=ENGLISH)) is None


def test_short_texts() -> None:
    options = SelectionOptions(near_duplicate=None, min_characters=20)
    long, short = "x" * 20, f"  {'x' * 19}\n "
    assert reason(alone(long), passage(long), options) is None
    assert reason(alone(short), passage(long), options) == "target_too_short"
    assert reason(alone(long), passage(short), options) == "passage_too_short"


def test_lengths_far_apart() -> None:
    options = SelectionOptions(near_duplicate=None, min_characters=1, max_length_ratio=2)
    for one, other in ((10, 21), (21, 10)):
        assert reason(alone("x" * one), passage("y" * other), options) == "length_ratio"
    assert reason(alone("x" * 10), passage("y" * 20), options) is None


def test_languages() -> None:
    pytest.importorskip("py3langid", reason="py3langid is an extra")
    options = SelectionOptions(near_duplicate=None, min_characters=1, detect_languages=True)
    assert reason(alone(SPANISH), passage(ENGLISH), options) is None
    assert reason(alone(ENGLISH), passage(ENGLISH), options) == "target_wrong_language"
    assert reason(alone(SPANISH), passage(SPANISH), options) == "passage_wrong_language"
    assert reason(alone("Hola"), passage("Bees"), options) is None  # too short to tell


def test_evaluation_sets() -> None:
    evaluation = EvaluationRuns([words(7)], languages=("en", "es"))
    assert reason(alone(words(8)), passage(words(9)), PLAIN, evaluation) is None
    found = reason(alone(words(8)), passage(f"a {words(7)} z"), PLAIN, evaluation)
    assert found == "passage_overlaps_evaluation"
    found = reason(alone(words(7)), passage(words(9)), PLAIN, evaluation)
    assert found == "target_overlaps_evaluation"


@pytest.mark.usefixtures("_rensa")
def test_a_part_of_the_linked_article() -> None:
    """Its Jaccard similarity is 0.1; nine of ten of its shingles lie in the article."""
    options = SelectionOptions(near_duplicate=0.8, min_characters=1)
    article = linked(SPANISH, source=words(1, 600))
    part = passage(f"{words(1, 54)} {words(2, 6)}")
    assert reason(article, part, options) == "near_duplicate_of_linked"
    assert reason(article, passage(f"{words(1, 30)} {words(2, 30)}"), options) is None
    assert reason(alone(words(1)), passage(words(1)), options) is None


def test_containment() -> None:
    part, whole = shingle(["a b c d e a b c d e", "a b c d"], language="en")
    assert containment(part, whole) == 2 / 5  # abc bcd cde dea eab
    assert containment(whole, part) == 1
    assert containment(whole[:0], part) == 0


@pytest.mark.usefixtures("_rensa")
def test_a_passage_like_one_chosen_before() -> None:
    texts = ListedTexts(
        passages=[passage(words(1)), passage(f"{words(1)} end"), passage(words(2))],
        targets=[alone(words(10 + i)) for i in range(4)],
    )
    filters = TextFilters(texts, SelectionOptions(uses_per_passage=2))
    assert filters.accept(0, 0) is None
    assert filters.accept(1, 1) == "near_duplicate_of_chosen"
    assert filters.accept(2, 2) is None
    assert filters.accept(3, 0) is None, "used again, not repeated by another"


def test_what_is_wrong_with_a_text_alone_is_found_once() -> None:
    read = []

    class Counted(ListedTexts):
        def target(self, query: int) -> Pair:
            read.append(query)
            return super().target(query)

    texts = Counted([passage(ENGLISH), passage("short")], [alone("short"), alone(SPANISH)])
    filters = TextFilters(texts, SelectionOptions(near_duplicate=None))
    assert [filters.accept(0, 0), filters.accept(0, 1)] == ["target_too_short"] * 2
    assert read == [0]
    assert [filters.accept(1, 1), filters.accept(1, 1)] == ["passage_too_short"] * 2
    assert read == [0, 1]
    assert filters.accept(1, 0) is None
