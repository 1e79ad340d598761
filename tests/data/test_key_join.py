"""Documents of two languages joined by any column."""

import json
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from megatron_crossic.data.key_join import KeyedFiles, KeyJoinOptions, join_by_key
from megatron_crossic.data.keyed import Keyed, KeyedPairs
from megatron_crossic.data.pairs import read_pairs
from megatron_crossic.data.records import Document
from megatron_crossic.errors import ConfigError, DataError

ENGLISH = [
    {"id": "a", "wikidata": "Q64", "title": "Berlin", "text": "A city.", "url": "u"},
    {"id": "b", "wikidata": "Q90", "title": "Paris", "text": "Another city."},
    {"id": "c", "wikidata": None, "title": "No key", "text": "Text."},
    {"id": "d", "wikidata": "Q64", "title": "Again", "text": "Again."},
    {"id": "e", "wikidata": "Q1", "title": "Empty", "text": " "},
    {"id": "f", "wikidata": "Q2", "title": "Alone", "text": "Alone."},
    {"id": "g", "wikidata": "Q3", "title": "Partner is empty", "text": "Text."},
]
THAI = [
    {"wikidata": "Q90", "title": "ปารีส", "text": "เมือง"},
    {"wikidata": "Q64", "title": "เบอร์ลิน", "text": "เมืองหลวง"},
    {"wikidata": "Q64", "title": "ซ้ำ", "text": "ซ้ำ"},
    {"wikidata": "Q1", "title": "หนึ่ง", "text": "หนึ่ง"},
    {"wikidata": "Q3", "text": ""},
    {"wikidata": "Q9", "text": "เก้า"},
]
EXPECTED_DROPS = {
    "source.no_key": 1,
    "source.repeated_key": 1,
    "source.empty_text": 1,
    "source.no_partner": 1,
    "source.partner_unusable": 1,
    "target.repeated_key": 1,
    "target.empty_text": 1,
    "target.partner_unusable": 1,
    "target.no_partner": 1,
}


def write_lines(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


@pytest.fixture
def options(tmp_path: Path) -> KeyJoinOptions:
    english, thai = write_lines(tmp_path / "en", ENGLISH), write_lines(tmp_path / "th", THAI)
    return KeyJoinOptions(
        source=KeyedFiles(files=(english,), language="en", key="wikidata", id="id"),
        target=KeyedFiles(files=(thai,), language="th", key="wikidata"),
        output=tmp_path / "out" / "pairs.jsonl",
    )


def test_every_record_is_in_a_pair_or_under_a_reason(options: KeyJoinOptions) -> None:
    manifest = join_by_key(replace(options, licence="CC0"))
    pairs = list(read_pairs(options.output))
    assert [pair.id for pair in pairs] == ["a-th:Q64", "b-th:Q90"]
    assert [[d.text for d in pair.documents] for pair in pairs] == [
        ["A city.", "เมืองหลวง"],
        ["Another city.", "เมือง"],
    ]
    assert pairs[0].provenance == {
        "source": {"wikidata": "Q64", "url": "u"},
        "target": {"wikidata": "Q64"},
        "licence": "CC0",
    }
    assert manifest.drops == EXPECTED_DROPS
    assert manifest.counts["source"] == {"records": 7, "characters_in_pairs": 20}
    for side in ("source", "target"):
        dropped = sum(n for reason, n in manifest.drops.items() if reason.startswith(side))
        assert manifest.counts[side]["records"] == len(pairs) + dropped


def test_parquet_and_numbers_and_other_names_work_as_well(
    options: KeyJoinOptions, tmp_path: Path
) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is an extra")
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is an extra")
    rows = [{"number": n, "body": f"ข้อความ {n}"} for n in range(2500)]
    path = tmp_path / "th.parquet"
    parquet.write_table(pyarrow.Table.from_pylist(rows), path, row_group_size=700)
    english = write_lines(
        tmp_path / "en.jsonl",
        [{"wikidata": str(n), "text": f"Text {n}"} for n in range(0, 9999, 2)],
    )
    manifest = join_by_key(
        replace(
            options,
            source=replace(options.source, files=(english,), id=""),
            target=replace(options.target, files=(path,), key="number", text="body"),
        )
    )
    assert manifest.counts["pairs"] == 1250
    assert {p.id: p.targets[0].text for p in read_pairs(options.output)} == {
        f"en:{n}-th:{n}": f"ข้อความ {n}" for n in range(0, 2500, 2)
    }


def test_wrong_fields_and_languages_are_refused(options: KeyJoinOptions) -> None:
    source = options.source
    for wrong, message in (
        (replace(source, key="nothing"), r"keys in common, got none in 'nothing' .*no_key"),
        (replace(source, text="wikidata", key="title"), r"keys in common"),
    ):
        with pytest.raises(DataError, match=message):
            join_by_key(replace(options, source=wrong))
        assert not options.output.exists()
    with pytest.raises(ConfigError, match=r"languages must differ, got th for both"):
        replace(options, source=replace(source, language="th"))
    with pytest.raises(ConfigError, match=r"min_characters must be at least 1, got 0"):
        replace(options, min_characters=0)
    with pytest.raises(ConfigError, match=r"files, key and text must be given .* key ''"):
        replace(source, key="")
    with pytest.raises(DataError, match=r"language must be a two-letter"):
        replace(source, language="eng")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"wikidata": 1.5, "text": "t"}, r"line 100001: wikidata must be a string or a whole"),
        ({"wikidata": True, "text": "t"}, r"line 100001: wikidata must be a string or a whole"),
        ({"wikidata": "Q5", "text": 5}, r"line 100001: text must be a string, got int"),
    ],
)
def test_a_record_of_another_form_is_named_by_its_line(
    options: KeyJoinOptions, tmp_path: Path, bad: dict[str, Any], message: str
) -> None:
    many = [{"wikidata": f"Q{n}", "text": "x" * 20} for n in range(100_000)]
    path = write_lines(tmp_path / "many", [*many, bad])
    assert path.stat().st_size > 4 << 20, "the bad line is not in the first block"
    with pytest.raises(DataError, match=message):
        join_by_key(replace(options, target=replace(options.target, files=(path,))))


KEYS = st.one_of(st.none(), st.integers(0, 5))
SIDES = st.lists(st.tuples(KEYS, st.sampled_from(["", "ab", "abcdef"])))


@given(SIDES, SIDES)
def test_nothing_is_lost_whatever_the_keys(
    source: list[tuple[int | None, str]], target: list[tuple[int | None, str]]
) -> None:
    def documents(side: list[tuple[int | None, str]], name: str) -> list[Keyed]:
        return [
            Keyed(key=key, document=Document(id=f"{n}", language=name, title="", text=text))
            for n, (key, text) in enumerate(side)
        ]

    made = KeyedPairs(min_characters=3, origin="given", licence="")
    pairs = list(
        made.pairs(
            documents(source, "en"), documents(target, "th"), folder=Path(tempfile.gettempdir())
        )
    )
    # By hand: first record of each key on either side, paired if both have a long text.
    firsts = [dict(reversed(side)) for side in (source, target)]
    first_usable = {key for key in firsts[0] if key is not None and len(firsts[0][key]) > 2} & {
        key for key in firsts[1] if key is not None and len(firsts[1][key]) > 2
    }
    assert len(pairs) == made.num_pairs == len(first_usable)
    for side, records in ((made.source, source), (made.target, target)):
        assert side.num_read == len(records) == made.num_pairs + side.drops.total()
    assert made.source.drops["no_key"] == Counter(key for key, _ in source)[None]
