from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wikipedia_samples import dump_xml, langlinks_sql, page_xml, write_packed

from megatron_crossic.data.wikipedia.dump import Page
from megatron_crossic.data.wikipedia.index import PAGE_KINDS, Resolution, WikiIndex, index_dump
from megatron_crossic.data.wikipedia.links import LangLinks, join_links, read_langlinks
from megatron_crossic.errors import DataError


def index_of(
    articles: dict[int, str], redirects: dict[str, str] | None = None, *, language: str = "en"
) -> WikiIndex:
    index = WikiIndex(language=language)
    for page_id, title in articles.items():
        index.add(page(page_id, title))
    for number, (title, target) in enumerate((redirects or {}).items()):
        index.add(page(10_000 + number, title, redirect=target))
    return index


def page(page_id: int, title: str, *, redirect: str | None = None) -> Page:
    return Page(
        id=page_id,
        title=title,
        namespace=0,
        redirect=redirect,
        revision_id=1,
        timestamp="",
        model="wikitext",
        format="text/x-wiki",
        text="",
    )


def links_of(titles: dict[int, str]) -> LangLinks:
    return LangLinks(titles=titles, counts={})


def test_every_page_is_of_one_kind(tmp_path: Path) -> None:
    first = dump_xml(
        [
            page_xml(1, "Berlin"),
            page_xml(2, "Berlino", redirect="Berlin"),
            page_xml(3, "Talk:Berlin", ns=1),
            page_xml(4, "Berlin/data.json", model="json", text_format="application/json"),
            page_xml(5, "User:X", ns=2, redirect="Berlin"),
        ]
    )
    second = dump_xml(
        [
            page_xml(1, "Berlin"),
            page_xml(6, "Category:Cities", ns=None),
            page_xml(7, "Paris", ns=None),
            page_xml(8, "berlin"),
        ]
    )
    paths = [write_packed(tmp_path / f"{n}.xml", text) for n, text in enumerate((first, second))]
    index = index_dump(paths, language="en")
    assert index.counts == {
        "pages": 9,
        "articles": 3,
        "redirects": 1,
        "other_namespaces": 3,
        "other_models": 1,
        "repeated": 1,
    }
    assert index.counts["pages"] == sum(index.counts[kind] for kind in PAGE_KINDS)
    assert index.article_ids == {1, 7, 8}
    assert index.id_by_title == {"Berlin": 1, "Paris": 7}


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Berlin", Resolution(page_id=1)),
        ("Spree-Athen", Resolution(page_id=1, num_redirects=1)),
        ("Athens on the Spree", Resolution(page_id=1, num_redirects=2)),
        ("Round", Resolution(page_id=None, reason="redirect_loop")),
        ("Self", Resolution(page_id=None, reason="redirect_loop")),
        ("Broken", Resolution(page_id=None, reason="redirect_target_not_in_dump")),
        ("Empty", Resolution(page_id=None, reason="redirect_without_target")),
        ("Nowhere", Resolution(page_id=None, reason="partner_not_in_dump")),
    ],
)
def test_titles_resolve_through_chains_loops_and_dead_ends(
    title: str, expected: Resolution
) -> None:
    redirects = {
        "Spree-Athen": "berlin#Name",
        "Athens on the Spree": "Spree-Athen",
        "Round": "And round",
        "And round": "round",
        "Self": "Self",
        "Broken": "Gone",
        "Empty": "",
    }
    assert index_of({1: "Berlin"}, redirects).resolve(title) == expected


def test_rows_are_counted_by_what_became_of_them(tmp_path: Path) -> None:
    linking = index_of({14540: "Berlín", 7: "Río"}, language="es")
    rows = [
        (14540, "en", "Berlin"),
        (14540, "ja", "ベルリン"),
        (14540, "en", "Berlin again"),
        (7, "en", ""),
        (999, "en", "Talk"),
    ]
    path = write_packed(tmp_path / "l.sql.gz", langlinks_sql(rows))
    links = read_langlinks(path, linking=linking, linked_language="en")
    assert links.titles == {14540: "Berlin"}
    assert links.counts == {
        "rows": 5,
        "used": 1,
        "other_languages": 1,
        "pages_that_are_no_article": 1,
        "repeated": 1,
        "without_title": 1,
    }


def test_links_of_the_wrong_wiki_are_refused(tmp_path: Path) -> None:
    path = write_packed(tmp_path / "l.sql", langlinks_sql([(1, "fr", "Berlin"), (2, "ja", "川")]))
    with pytest.raises(
        DataError, match=r"rows with ll_lang 'en', got none among 2 .*langlinks dump of eswiki"
    ):
        read_langlinks(path, linking=index_of({1: "A"}, language="es"), linked_language="en")


def test_a_row_without_a_page_id_is_refused(tmp_path: Path) -> None:
    path = write_packed(
        tmp_path / "l.sql", "INSERT INTO `langlinks` VALUES (1,'en','A'),('x','en','B');"
    )
    with pytest.raises(DataError, match=r"must be a page id, got b'x' in .*l\.sql, row 2"):
        read_langlinks(path, linking=index_of({1: "A"}, language="es"), linked_language="en")


def test_every_article_gets_a_partner_or_a_reason() -> None:
    linked = index_of({1: "Berlin", 2: "River", 3: "Alone"}, {"Spree-Athen": "Berlin"})
    linking = index_of({11: "a", 12: "b", 13: "c", 14: "d", 15: "e", 16: "f"}, language="es")
    links = links_of(
        {11: "Spree-Athen", 12: "berlin", 13: "River#Delta", 14: "River", 15: "Nowhere"}
    )
    joined = join_links(links, linking=linking, linked=linked)
    assert joined.partners == {12: 1, 14: 2}
    assert joined.linking_drops == {
        "duplicate_partner": 1,
        "link_to_section": 1,
        "partner_not_in_dump": 1,
        "no_partner": 1,
    }
    assert joined.linked_drops == {"no_partner": 1}


def test_of_equal_links_the_lower_page_id_wins() -> None:
    linked = index_of({1: "Berlin"})
    linking = index_of({22: "a", 21: "b"}, language="es")
    links = links_of({22: "Berlin", 21: "Berlin"})
    assert join_links(links, linking=linking, linked=linked).partners == {21: 1}


TITLES = st.sampled_from(["A", "B", "C", "D", "E"])


@given(
    articles=st.lists(TITLES, unique=True, min_size=1),
    redirects=st.dictionaries(TITLES, st.one_of(TITLES, st.just(""))),
    titles=st.dictionaries(st.integers(1, 8), TITLES),
)
def test_nothing_is_lost_in_any_join(
    articles: list[str], redirects: dict[str, str], titles: dict[int, str]
) -> None:
    linked = index_of(dict(enumerate(articles)), redirects)
    linking = index_of({n: f"t{n}" for n in range(1, 9)}, language="es")
    joined = join_links(links_of(titles), linking=linking, linked=linked)
    num_pairs = len(joined.partners)
    assert len(set(joined.partners.values())) == num_pairs
    assert len(linking.article_ids) == num_pairs + joined.linking_drops.total()
    assert len(linked.article_ids) == num_pairs + joined.linked_drops.total()
    assert joined.linking_drops["no_partner"] == 8 - len(titles)
