"""Parquet files of clean articles and langlinks -> pairs."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from wikipedia_samples import langlinks_sql, page_sql, redirect_sql, write_packed

from megatron_crossic.data.pairs import read_pairs
from megatron_crossic.data.wikipedia.parquet_pairs import (
    ParquetPairsOptions,
    ParquetSide,
    pairs_from_parquet,
)
from megatron_crossic.errors import ConfigError, DataError
from megatron_crossic.manifest import manifest_path

pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is an extra")
parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is an extra")


def write_articles(path: Path, articles: list[tuple[str, str, str]], **columns: Any) -> Path:
    """Id, title and text of each, three rows to a group."""
    rows = [
        {"id": page_id, "url": f"https://x/{page_id}", "title": title, "text": text} | columns
        for page_id, title, text in articles
    ]
    parquet.write_table(pyarrow.Table.from_pylist(rows), path, row_group_size=3)
    return path


@pytest.fixture
def options(tmp_path: Path) -> ParquetPairsOptions:
    first = write_articles(
        tmp_path / "en-0.parquet",
        [("1", "Berlin", "A city."), ("2", "Paris", "Another."), ("3", "Rome", "  ")],
    )
    second = write_articles(
        tmp_path / "en-1.parquet",
        [("4", "Oslo", "A third."), ("4", "Oslo", "Repeated."), ("5", "Bonn", "Alone.")],
    )
    thai = write_articles(
        tmp_path / "th.parquet",
        [
            ("11", "เบอร์ลิน", "เมือง"),
            ("12", "ปารีส", "เมืองหลวง"),
            ("13", "โรม", "โรม"),
            ("14", "ออสโล", "ก"),
            ("15", "ไม่มี", "ไม่มี"),
        ],
    )
    links = [(11, "berlin"), (12, "City of Light"), (13, "Rome"), (14, "Oslo"), (11, "Oslo")]
    sql = langlinks_sql([(page_id, "en", title) for page_id, title in links])
    return ParquetPairsOptions(
        source=ParquetSide(language="en", files=(first, second)),
        target=ParquetSide(language="th", files=(thai,)),
        langlinks=write_packed(tmp_path / "l.sql.gz", sql),
    )


def test_every_article_is_in_a_pair_or_under_a_reason(
    options: ParquetPairsOptions, tmp_path: Path
) -> None:
    seen = []
    manifest = pairs_from_parquet(
        replace(options, min_characters=2),
        output=tmp_path / "out" / "pairs.jsonl",
        progress=lambda *stage: seen.append(stage),
    )
    (pair,) = read_pairs(tmp_path / "out" / "pairs.jsonl")
    assert pair.id == "enwiki:1-thwiki:11"
    assert [document.text for document in pair.documents] == ["A city.", "เมือง"]
    assert pair.provenance["target"] == {
        "wiki": "thwiki",
        "page_id": 11,
        "url": "https://x/11",
    }
    assert pair.provenance["licence"] == "CC BY-SA 4.0"
    assert manifest.drops == {
        "source.no_partner": 2,
        "source.empty_text": 1,
        "source.partner_unusable": 1,
        "target.no_partner": 1,
        "target.partner_not_in_dump": 1,
        "target.too_short": 1,
        "target.partner_unusable": 1,
    }
    assert manifest.counts["source"]["articles"] == 5
    assert manifest.counts["source"]["repeated"] == 1
    assert manifest.counts["langlinks"]["repeated"] == 1
    ends = {stage: (done, total) for stage, done, total in seen}
    assert list(ends) == ["index source", "index target", "links", "read target", "pair source"]
    assert all(done == total for done, total in ends.values())


def test_redirects_come_from_the_tables(options: ParquetPairsOptions, tmp_path: Path) -> None:
    pages = [(2, 0, "Paris", 0, None), (9, 0, "City_of_Light", 1, None), (8, 0, "X", 0, None)]
    tables = {
        "page": write_packed(tmp_path / "page.sql", page_sql(pages)),
        "redirect": write_packed(tmp_path / "r.sql", redirect_sql([(9, 0, "Paris", "", "")])),
    }
    with_tables = replace(options, source=replace(options.source, **tables))
    output = tmp_path / "pairs.jsonl"
    manifest = pairs_from_parquet(with_tables, output=output)
    assert [pair.source.title for pair in read_pairs(output)] == ["Berlin", "Paris", "Oslo"]
    assert manifest.counts["source"]["redirects"] == 1
    assert manifest.counts["source"]["pages"] == 7
    with pytest.raises(ConfigError, match=r"tables must be given together, got only .*page\.sql"):
        replace(options.source, page=tables["page"])


def test_pairs_of_links_that_the_source_published(
    options: ParquetPairsOptions, tmp_path: Path
) -> None:
    sql = langlinks_sql([(2, "th", "เบอร์ลิน"), (5, "th", "ปารีส")])
    links = write_packed(tmp_path / "en.sql", sql)
    output = tmp_path / "pairs.jsonl"
    pairs_from_parquet(replace(options, langlinks=links, langlinks_of="source"), output=output)
    assert [pair.id for pair in read_pairs(output)] == ["enwiki:2-thwiki:11", "enwiki:5-thwiki:12"]


def test_what_is_no_such_data_set_is_refused(options: ParquetPairsOptions, tmp_path: Path) -> None:
    output = tmp_path / "pairs.jsonl"
    no_number = write_articles(tmp_path / "n.parquet", [("x1", "A", "a")])
    no_column = tmp_path / "c.parquet"
    parquet.write_table(pyarrow.table({"id": ["1"], "name": ["A"]}), no_column)
    unlinked = write_articles(tmp_path / "u.parquet", [("77", "A", "a")])
    for path, message in (
        (no_number, r"id must be the number of a page, got 'x1' in .*n\.parquet"),
        (no_column, r"must have columns id, title, got id, name in .*c\.parquet"),
        (unlinked, r"got no pair and dropped: 5 source\.no_partner, 1 target\.no_partner"),
    ):
        target = replace(options.target, files=(path,))
        with pytest.raises(DataError, match=message):
            pairs_from_parquet(replace(options, target=target), output=output)
        assert not output.exists()
        assert not manifest_path(output).exists()
    with pytest.raises(ConfigError, match=r"must be given for both sides, got none"):
        ParquetSide(language="en", files=())
    with pytest.raises(ConfigError, match=r"target_language must differ"):
        replace(options, target=options.source)
