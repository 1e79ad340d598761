"""The join against a second computation of it by SQLite, over the same SQL files."""

from collections import Counter
from pathlib import Path

import pytest
from sqlite_join import sqlite_join
from wikipedia_tables import WikiTables, make_tables

from megatron_crossic.data.wikipedia.index import PAGE_KINDS, WikiIndex
from megatron_crossic.data.wikipedia.join import SideAccount, WikiJoin, join_wikis
from megatron_crossic.data.wikipedia.links import read_langlinks
from megatron_crossic.data.wikipedia.reasons import OUTCOMES, REDIRECT_TO_SECTION
from megatron_crossic.data.wikipedia.sources import index_tables


def index_of(tables: WikiTables) -> WikiIndex:
    return index_tables(tables.page, tables.redirect, language=tables.language)


def joined(source: WikiTables, target: WikiTables) -> WikiJoin:
    links = read_langlinks(
        target.langlinks, linking_language=target.language, linked_language=source.language
    )
    return join_wikis(
        source=index_of(source), target=index_of(target), links=links, links_of="target"
    )


def outcomes(side: SideAccount) -> dict[int, str]:
    return {page_id: side.outcome(page_id) for page_id in side.article_ids.tolist()}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_pair_for_pair_and_reason_for_reason_as_sqlite_says(tmp_path: Path, seed: int) -> None:
    source, target = make_tables(tmp_path, source="en", target="th", num_pages=3000, seed=seed)
    ours, theirs = joined(source, target), sqlite_join(target, source)
    assert {t: s for s, t in ours.partners().items()} == theirs.pairs
    assert outcomes(ours.target) == theirs.linking
    assert outcomes(ours.source) == theirs.linked
    assert len(theirs.pairs) > 300
    assert len(ours.links) > 5
    assert ours.links["rows"] == sum(ours.links.values()) - ours.links["rows"]
    assert min(ours.links.values()) > 0, "every kind of row"
    # Every outcome there is, besides the one that only an option brings.
    assert set(Counter(theirs.linking.values())) == set(OUTCOMES) - {REDIRECT_TO_SECTION}
    for side in (ours.source, ours.target):
        assert side.counts["pages"] == sum(side.counts[kind] for kind in PAGE_KINDS)
        assert len(side.article_ids) == len(theirs.pairs) + sum(side.drops().values())
