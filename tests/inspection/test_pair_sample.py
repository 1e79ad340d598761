"""Samples are fair, repeatable and safe to show."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from megatron_crossic.data.records import Document, Pair
from megatron_crossic.inspection.pairs.sample import Reservoir, ShownPair, show_pair


def sample(size: int, total: int, seed: str) -> list[tuple[int, int]]:
    reservoir: Reservoir[int] = Reservoir(size, seed=seed)
    for item in range(total):
        reservoir.offer(lambda item=item: 10 * item)
    return reservoir.items()


@given(st.integers(0, 8), st.integers(0, 30), st.text(max_size=3))
def test_a_sample_is_that_large_and_in_order(size: int, total: int, seed: str) -> None:
    found = sample(size, total, seed)
    numbers = [number for number, _ in found]
    assert len(found) == min(size, total)
    assert numbers == sorted(set(numbers))
    assert set(numbers) <= set(range(total))
    assert all(item == 10 * number for number, item in found)
    assert found == sample(size, total, seed)


def test_each_item_is_as_likely_as_another() -> None:
    found = Counter(n for seed in range(3000) for n, _ in sample(2, 6, str(seed)))
    assert all(abs(found[n] - 1000) < 100 for n in range(6)), found  # 4 standard deviations


def test_what_is_not_taken_is_not_made() -> None:
    made: list[int] = []
    reservoir: Reservoir[None] = Reservoir(3, seed="x")
    for item in range(1000):
        reservoir.offer(lambda item=item: made.append(item))
    assert 3 <= len(made) < 100


def shown(text: str, **provenance: object) -> ShownPair:
    source = Document(language="en", title="T\u202e", text=text)
    target = Document(language="ar", title="ع", text="ا\n\nب")
    pair = Pair(id="i\n", source=source, targets=(target,), provenance=provenance)
    return show_pair(pair, paragraphs=2, characters=10)


@pytest.mark.parametrize(
    ("text", "paragraphs"),
    [
        ("a\n\nb\n\nc", ("a", "b")),
        ("123456789\n\nabc", ("123456789", "a…")),
        ("1234567890\n\nabc", ("1234567890",)),
        ("12345678901", ("1234567890…",)),
        ("", ()),
    ],
)
def test_only_the_beginning_is_shown(text: str, paragraphs: tuple[str, ...]) -> None:
    assert shown(text).documents[0].paragraphs == paragraphs


def test_what_is_shown_of_a_pair() -> None:
    pair = shown("a", licence="CC0", source={"url": "https://x.org/a"})
    assert pair.id == "i⟨U+000A⟩"
    assert pair.documents[0].title == "T⟨U+202E⟩"
    assert [document.direction for document in pair.documents] == ["ltr", "rtl"]
    assert pair.licence == "CC0"
    assert [document.link for document in pair.documents] == ["https://x.org/a", None]
    assert (pair.documents[1].num_paragraphs, pair.documents[1].num_characters) == (2, 4)


@pytest.mark.parametrize(
    ("side", "link"),
    [
        ({"url": "https://x.org/a", "revision_url": "https://x.org/r"}, "https://x.org/r"),
        ({"url": "http://x.org/a"}, None),
        ({"url": "javascript:alert(1)"}, None),
        ({"url": "https://["}, None),
        ("https://x.org", None),
        (None, None),
    ],
)
def test_only_https_addresses_become_links(side: object, link: str | None) -> None:
    assert shown("a", source=side).documents[0].link == link


def test_a_mined_source_links_to_the_page_of_its_best_passage() -> None:
    records = [{"id": f"web:{i}#0-9", "record": {"url": f"https://e.example/{i}"}} for i in (1, 2)]
    document = Document(language="en", title="", text="text")
    pair = Pair(
        id="mined",
        source=document,
        targets=(document,),
        origin="retrieval",
        provenance={"target": {"url": "https://es.example/1"}, "passages": records},
    )
    shown = show_pair(pair, paragraphs=1, characters=9)
    links = [found.link for found in shown.documents]
    assert links == ["https://e.example/1", "https://es.example/1"]
