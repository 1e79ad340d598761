"""Interlanguage links joined to the articles of two wikis."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_wikipedia_index import index_of
from wikipedia_samples import langlinks_sql, write_packed

from megatron_crossic.data.wikipedia.tables.index import WikiIndex
from megatron_crossic.data.wikipedia.tables.join import SideAccount, WikiJoin, join_wikis
from megatron_crossic.data.wikipedia.tables.links import LangLinks, read_langlinks
from megatron_crossic.errors import DataError

Rows = list[tuple[int, str, str]]


def links_of(folder: Path, rows: Rows) -> LangLinks:
    path = write_packed(folder / "l.sql.gz", langlinks_sql(rows))
    return read_langlinks(path, linking_language="es", linked_language="en")


def join(
    links: LangLinks, *, source: WikiIndex, target: WikiIndex, follow_sections: bool = True
) -> WikiJoin:
    """By the links of the target."""
    return join_wikis(
        source=source,
        target=target,
        links=links,
        links_of="target",
        follow_sections=follow_sections,
    )


def outcomes(side: SideAccount) -> dict[int, str]:
    return {page_id: side.outcome(page_id) for page_id in side.article_ids.tolist()}


def test_every_row_is_counted_by_what_became_of_it(tmp_path: Path) -> None:
    target = index_of({14540: "Berlín", 7: "Río"}, {"Berlino": "Berlín", "Lost": "Gone"})
    rows = [
        (14540, "en", "Berlin"),
        (14540, "ja", "ベルリン"),
        (14540, "en", "Berlin again"),
        (7, "en", ""),
        (999, "en", "Talk"),
        (10_000, "en", "Berlin"),
        (10_001, "en", "Berlin"),
    ]
    links = links_of(tmp_path, rows)
    joined = join(links, source=index_of({1: "Berlin"}), target=target)
    assert joined.links == {
        "rows": 7,
        "used": 1,
        "used_of_redirects": 1,
        "other_languages": 1,
        "pages_that_are_no_article": 1,
        "repeated": 1,
        "without_title": 1,
        "redirects_to_no_article": 1,
    }
    assert joined.partners() == {1: 14540}
    assert links.malformed == {"langlinks": {"rows": 0, "first_bytes": []}}


def test_links_of_the_wrong_wiki_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"rows with ll_lang 'en', got none among 2 .*langlinks dump of eswiki"
    ):
        links_of(tmp_path, [(1, "fr", "Berlin"), (2, "ja", "川")])


def test_a_row_without_a_page_id_is_refused(tmp_path: Path) -> None:
    path = write_packed(
        tmp_path / "l.sql", "INSERT INTO `langlinks` VALUES (1,'en','A'),('x','en','B');"
    )
    with pytest.raises(DataError, match=r"ll_from must be a page id, got b'x' in .*l\.sql"):
        read_langlinks(path, linking_language="es", linked_language="en")


def test_every_article_gets_a_partner_or_a_reason(tmp_path: Path) -> None:
    source = index_of({1: "Berlin", 2: "River", 3: "Alone"}, {"Spree-Athen": "Berlin"})
    target = index_of({11: "a", 12: "b", 13: "c", 14: "d", 15: "e", 16: "f", 17: "g"})
    titles = {
        11: "Spree-Athen",
        12: "_berlin",
        13: "River#Delta",
        14: "River#",
        15: "Nowhere",
        17: "Portal:Rivers",
    }
    links = links_of(tmp_path, [(page_id, "en", title) for page_id, title in titles.items()])
    joined = join(links, source=source, target=target)
    assert joined.partners() == {1: 12, 2: 14}
    assert outcomes(joined.target) == {
        11: "duplicate_partner",
        12: "paired",
        13: "link_to_section",
        14: "paired",
        15: "partner_not_in_dump",
        16: "no_partner",
        17: "link_to_other_namespace",
    }
    assert joined.target.drops() == {
        "duplicate_partner": 1,
        "link_to_section": 1,
        "partner_not_in_dump": 1,
        "no_partner": 1,
        "link_to_other_namespace": 1,
    }
    assert joined.source.drops() == {"no_partner": 1}


def test_a_title_that_only_looks_like_another_namespace_is_found(tmp_path: Path) -> None:
    links = links_of(tmp_path, [(11, "en", "Portal: The game")])
    source, target = index_of({1: "Portal: The game"}), index_of({11: "Portal"})
    assert join(links, source=source, target=target).partners() == {1: 11}


@pytest.mark.parametrize(
    ("rows", "partners"),
    [
        ([(22, "Berlin"), (21, "Berlin")], {1: 21}),  # of equal links the lower page id
        ([(21, "Spree-Athen"), (22, "Berlin")], {1: 22}),  # the straighter link first
        ([(10_000, "Berlin")], {1: 22}),  # a redirect of the target stands for its article
        ([(10_000, "Berlin"), (22, "Paris")], {2: 22}),  # but the article speaks first
        ([(10_000, "Berlin"), (22, "Nowhere")], {1: 22}),  # if it has something to say
        ([(10_000, "Berlin"), (10_001, "Paris")], {1: 22}),  # of its redirects the straighter
        ([(21, "Paris"), (22, "Paris"), (10_001, "Berlin")], {2: 21, 1: 22}),  # the next best
    ],
)
def test_which_link_counts_where_there_are_several(
    tmp_path: Path, rows: list[tuple[int, str]], partners: dict[int, int]
) -> None:
    source = index_of({1: "Berlin", 2: "Paris"}, {"Spree-Athen": "Berlin"})
    target = index_of({21: "A", 22: "B"}, {"To B": "B", "To to B": "To B"})
    links = links_of(tmp_path, [(page_id, "en", title) for page_id, title in rows])
    assert join(links, source=source, target=target).partners() == partners


def test_the_reason_is_that_of_the_nearest_link(tmp_path: Path) -> None:
    target = index_of({22: "B"}, {"To to B": "To B", "To B": "B"})
    rows = [(10_000, "en", "Nowhere"), (10_001, "en", "Berlin#Part")]
    source = index_of({1: "Berlin"})
    joined = join(links_of(tmp_path, rows), source=source, target=target)
    assert outcomes(joined.target) == {22: "link_to_section"}
    joined = join(links_of(tmp_path, [*rows, (22, "en", "Gone")]), source=source, target=target)
    assert outcomes(joined.target) == {22: "partner_not_in_dump"}


def test_sections_behind_redirects_count_as_such_where_asked(tmp_path: Path) -> None:
    source = index_of({1: "Berlin"}, {"Spree-Athen": "Berlin#Name"})
    links = links_of(tmp_path, [(11, "en", "Spree-Athen")])
    target = index_of({11: "a"})
    assert join(links, source=source, target=target).partners() == {1: 11}
    joined = join(links, source=source, target=target, follow_sections=False)
    assert joined.target.drops() == {"redirect_to_section": 1}


def test_either_wiki_may_have_published_the_links(tmp_path: Path) -> None:
    links = links_of(tmp_path, [(11, "en", "Berlin"), (12, "en", "Paris")])
    english, spanish = index_of({1: "Paris", 2: "Berlin"}), index_of({11: "B", 12: "P"})
    of_target = join(links, source=english, target=spanish)
    of_source = join_wikis(source=spanish, target=english, links=links, links_of="source")
    assert of_target.partners() == {1: 12, 2: 11}
    assert of_source.partners() == {11: 2, 12: 1}
    assert of_source.source_ids.tolist() == [11, 12]


def test_wikis_without_articles_are_no_trouble(tmp_path: Path) -> None:
    links = links_of(tmp_path, [(11, "en", "Berlin")])
    joined = join(links, source=index_of({}), target=index_of({}))
    assert joined.partners() == {}
    assert joined.links["pages_that_are_no_article"] == 1


TITLES = st.sampled_from(["A", "B", "C", "D", "E"])


@given(
    articles=st.lists(TITLES, unique=True, min_size=1),
    redirects=st.dictionaries(TITLES, TITLES),
    others=st.dictionaries(TITLES, st.sampled_from(["T1", "T2", "A", "B"])),
    rows=st.lists(st.tuples(st.sampled_from([*range(1, 9), 10_000, 10_001]), TITLES)),
)
def test_nothing_is_lost_in_any_join(
    articles: list[str],
    redirects: dict[str, str],
    others: dict[str, str],
    rows: list[tuple[int, str]],
) -> None:
    source = index_of(dict(enumerate(articles)), redirects)
    target = index_of({n: f"T{n}" for n in range(1, 9)}, others)
    keys = index_keys([title for _, title in rows])
    links = LangLinks(
        from_ids=np.array([page_id for page_id, _ in rows], np.int64),
        keys=keys,
        reasons=np.zeros(len(rows), np.uint8),
        counts={"rows": len(rows)},
        malformed={},
    )
    joined = join(links, source=source, target=target)
    num_pairs = len(joined.partners())
    assert len(set(joined.partners().values())) == num_pairs
    assert len(source.article_ids) == num_pairs + sum(joined.source.drops().values())
    assert len(target.article_ids) == num_pairs + sum(joined.target.drops().values())
    assert len(rows) == sum(joined.links.values()) - joined.links["rows"]
    # Nothing that could be paired is left: of each candidate one end is paired at least.
    paired = set(joined.partners()), set(joined.partners().values())
    direct = {page_id: title for page_id, title in reversed(rows) if page_id < 9}
    for page_id, title in direct.items():
        if title in articles:
            assert articles.index(title) in paired[0] or page_id in paired[1]


def index_keys(titles: list[str]) -> np.ndarray:
    return np.array([hash(title.encode()) for title in titles], np.int64)


def test_skipped_rows_of_every_table_are_in_the_account(tmp_path: Path) -> None:
    sql = langlinks_sql([(11, "en", "Berlin"), (12, "en", "Paris")]).replace("(12,", "(12;")
    path = write_packed(tmp_path / "l.sql", sql)
    links = read_langlinks(path, linking_language="es", linked_language="en")
    joined = join(links, source=index_of({1: "Berlin"}), target=index_of({11: "a", 12: "b"}))
    assert joined.partners() == {1: 11}
    # Bytes, not characters; the row is the last of its statement.
    place = sql.encode().index(b"(12;")
    assert joined.malformed == {"langlinks": {"rows": 1, "first_bytes": [place]}}
    assert joined.links["rows"] == 1
