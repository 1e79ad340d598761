"""The pages of one wiki in arrays, from a dump and from its tables."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wikipedia_samples import dump_xml, page_sql, page_xml, redirect_sql, write_packed

from megatron_crossic.data.wikipedia.tables.index import (
    MAX_REDIRECTS,
    PAGE_KINDS,
    IndexBuilder,
    WikiIndex,
)
from megatron_crossic.data.wikipedia.tables.reasons import OUTCOMES
from megatron_crossic.data.wikipedia.tables.sources import index_dump, index_tables
from megatron_crossic.data.wikipedia.titles import split_fragment, title_key
from megatron_crossic.errors import DataError


def index_of(articles: dict[int, str], redirects: dict[str, str] | None = None) -> WikiIndex:
    """Redirects have the page ids 10000, 10001, …"""
    index = IndexBuilder("en")
    for page_id, title in articles.items():
        index.add(page_id=page_id, key=title_key(title), is_article=True)
    for page_id, (title, target) in enumerate((redirects or {}).items(), 10_000):
        index.add(page_id=page_id, key=title_key(title), is_article=False)
        page, section = split_fragment(target)
        index.add_target(page_id=page_id, key=title_key(page), to_section=bool(section))
    return index.build()


def resolve(index: WikiIndex, title: str, *, follow_sections: bool = True) -> tuple[int | str, int]:
    """The article or the reason, and the redirects followed."""
    found = index.resolve_titles(np.array([title_key(title)]), follow_sections=follow_sections)
    page_id = int(found.page_ids[0])
    where = page_id if page_id >= 0 else OUTCOMES[found.reasons[0]]
    return where, int(found.num_redirects[0])


def test_every_page_of_a_dump_is_of_one_kind(tmp_path: Path) -> None:
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
    assert index.article_ids.tolist() == [1, 7, 8]
    assert resolve(index, "Berlin") == (1, 0), "of two pages of one title the lower id"
    assert resolve(index, "Berlino") == (1, 1)


CHAIN = {f"Chain {n}": f"Chain {n + 1}" for n in range(MAX_REDIRECTS)} | {
    f"Chain {MAX_REDIRECTS}": "Berlin"
}


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Berlin", (1, 0)),
        ("Spree-Athen", (1, 1)),
        ("Athens on the Spree", (1, 2)),
        ("Round", ("redirect_loop", MAX_REDIRECTS)),
        ("Into the round", ("redirect_loop", MAX_REDIRECTS)),
        ("Self", ("redirect_loop", MAX_REDIRECTS)),
        ("Broken", ("redirect_target_not_in_dump", 1)),
        ("Nowhere", ("partner_not_in_dump", 0)),
        ("Chain 1", (1, MAX_REDIRECTS)),
        ("Chain 0", ("redirect_chain_too_long", MAX_REDIRECTS)),
    ],
)
def test_titles_lead_through_chains_into_loops_and_dead_ends(
    title: str, expected: tuple[int | str, int]
) -> None:
    redirects = {
        "Spree-Athen": "berlin#Name",
        "Athens on the Spree": "Spree-Athen",
        "Round": "And round",
        "And round": "round",
        "Into the round": "Round",
        "Self": "Self",
        "Broken": "Gone",
        **CHAIN,
    }
    assert resolve(index_of({1: "Berlin"}, redirects), title) == expected


def test_redirects_to_sections_can_be_dead_ends() -> None:
    index = index_of({1: "Berlin"}, {"Spree-Athen": "Berlin#Name", "Athens": "Spree-Athen"})
    assert resolve(index, "Athens") == (1, 2)
    assert resolve(index, "Athens", follow_sections=False) == ("redirect_to_section", 2)


@given(st.dictionaries(st.integers(0, 12), st.integers(0, 14)), st.sets(st.integers(0, 12)))
def test_following_all_at_once_is_following_one_by_one(
    redirects: dict[int, int], articles: set[int]
) -> None:
    index = index_of(
        {page_id: f"T{page_id}" for page_id in articles},
        {f"T{a}": f"T{b}" for a, b in redirects.items()},
    )
    for start in range(15):
        title, followed = start, 0
        while title not in articles and title in redirects and followed < MAX_REDIRECTS:
            title, followed = redirects[title], followed + 1
        found, num_redirects = resolve(index, f"T{start}")
        assert num_redirects == followed
        if title in articles:
            assert found == title
        elif title in redirects:
            assert found in ("redirect_loop", "redirect_chain_too_long")
        else:
            assert found == ("redirect_target_not_in_dump" if followed else "partner_not_in_dump")


PAGES = [  # id, namespace, title, is redirect, model
    (1, 0, "Berlin", 0, "wikitext"),
    (2, 0, "Berlino", 1, "wikitext"),
    (3, 1, "Berlin", 0, "wikitext"),
    (4, 0, "Data", 0, "json"),
    (5, 0, "New_York", 0, None),
    (6, 0, "NYC", 1, "wikitext"),
    (7, 0, "Cities", 1, "wikitext"),
    (8, 0, "Meta", 1, "wikitext"),
    (9, 0, "Lost", 1, "wikitext"),
    (10, 0, "Élan_vital", 0, "wikitext"),
    (11, 14, "NYC", 1, "wikitext"),
]
REDIRECTS = [  # from, namespace, title, interwiki, fragment
    (2, 0, "Berlin", "", ""),
    (6, 0, "New_York", None, "Name"),
    (7, 14, "Berlin", "", ""),
    (8, 0, "Berlin", "m", ""),
    (11, 0, "Berlin", "", ""),
]


def tables(tmp_path: Path, language: str = "en") -> WikiIndex:
    return index_tables(
        write_packed(tmp_path / "page.sql.gz", page_sql(PAGES)),
        write_packed(tmp_path / "redirect.sql.bz2", redirect_sql(REDIRECTS)),
        language=language,
    )


def test_tables_say_what_a_page_is_and_where_redirects_lead(tmp_path: Path) -> None:
    index = tables(tmp_path)
    assert index.counts == {
        "pages": 11,
        "articles": 3,
        "redirects": 5,
        "other_namespaces": 2,
        "other_models": 1,
        "repeated": 0,
    }
    assert index.article_ids.tolist() == [1, 5, 10]
    assert index.malformed == {
        "page": {"rows": 0, "first_bytes": []},
        "redirect": {"rows": 0, "first_bytes": []},
    }
    found = {page[2]: resolve(index, page[2].replace("_", " ")) for page in PAGES}
    assert found == {
        "Berlin": (1, 0),
        "Berlino": (1, 1),
        "Data": ("partner_not_in_dump", 0),
        "New_York": (5, 0),
        "NYC": (5, 1),
        "Cities": ("redirect_to_other_namespace", 1),
        "Meta": ("redirect_to_other_wiki", 1),
        "Lost": ("redirect_without_target", 1),
        "Élan_vital": (10, 0),
    }


def test_tables_and_dump_of_a_wiki_give_the_same_index(tmp_path: Path) -> None:
    targets = {2: "Berlin", 6: "New York#Name", 7: "Category:Berlin", 8: "fr:Berlin", 9: ""}
    pages = [
        page_xml(
            page_id,
            f"Talk:{title}" if namespace else title.replace("_", " "),
            ns=namespace,
            redirect=targets.get(page_id),
            model=model or "wikitext",
        )
        for page_id, namespace, title, _, model in PAGES
    ]
    index = index_dump([write_packed(tmp_path / "d.xml", dump_xml(pages))], language="en")
    other = tables(tmp_path)
    assert index.counts == other.counts
    for name in WikiIndex.__slots__:
        if isinstance(value := getattr(index, name), np.ndarray):
            assert value.tolist() == getattr(other, name).tolist(), name


def test_a_page_id_that_is_none_is_refused(tmp_path: Path) -> None:
    page = write_packed(tmp_path / "page.sql", page_sql([("x", 0, "A", 0, None)]))
    redirect = write_packed(tmp_path / "redirect.sql", redirect_sql(REDIRECTS))
    with pytest.raises(DataError, match=r"page_id must be a page id, got b'x' in .*page\.sql"):
        index_tables(page, redirect, language="en")


def test_skipped_rows_are_in_the_account(tmp_path: Path) -> None:
    sql = page_sql(PAGES).replace("(4,0,", "(4,")
    page = write_packed(tmp_path / "page.sql", sql)
    redirect = write_packed(tmp_path / "redirect.sql", redirect_sql(REDIRECTS))
    index = index_tables(page, redirect, language="en")
    assert index.malformed["page"] == {"rows": 1, "first_bytes": [sql.index("(4,'")]}
    assert index.counts["pages"] == 10
