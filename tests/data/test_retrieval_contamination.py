"""Overlap with evaluation sets, and every kind of file they come in."""

import gzip
import json
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from megatron_crossic.data.retrieval.selection.contamination import (
    CHARACTERS,
    WORDS,
    EvaluationRuns,
    read_evaluation_sets,
    strings,
)
from megatron_crossic.errors import DataError

LETTERS = "abcdefghijklmnopqrstuvwxyz"
QUESTION = " ".join(LETTERS[:WORDS])
JAPANESE = "ミツバチは春に花から花へと飛び回り蜜を集めて巣に持ち帰る昆虫である"


def test_one_run_of_thirteen_words() -> None:
    runs = EvaluationRuns([f"{QUESTION} n o"], languages=("en",))
    assert len(runs) == 3
    assert runs.overlaps(f"It says: {QUESTION.upper()}!", language="en")
    assert runs.overlaps(QUESTION, language="es"), "in whatever language"
    twelve = QUESTION.rpartition(" ")[0]
    assert not runs.overlaps(f"It says: {twelve}", language="en")
    assert not runs.overlaps("", language="en")


def test_a_short_text_is_one_run() -> None:
    runs = EvaluationRuns(["Yes, of course."], languages=("en",))
    assert runs.overlaps("yes of course", language="en")
    assert not runs.overlaps("yes of course it is", language="en")


def test_characters_where_no_spaces_are() -> None:
    assert len(JAPANESE) > CHARACTERS
    runs = EvaluationRuns([JAPANESE], languages=("en", "ja"))
    assert runs.overlaps(f"昔から{JAPANESE[:CHARACTERS]}。", language="ja")
    assert not runs.overlaps(f"昔から{JAPANESE[: CHARACTERS - 1]}。", language="ja")
    assert not runs.overlaps(f"昔から{JAPANESE}。", language="en")  # one long word


def test_nothing_overlaps_nothing() -> None:
    assert not EvaluationRuns([], languages=("en",)).overlaps(QUESTION, language="en")


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=40), st.data())
def test_any_part_of_thirteen_words_is_found(text: list[str], data: st.DataObject) -> None:
    runs = EvaluationRuns([" ".join(text)], languages=("en",))
    start = data.draw(st.integers(0, max(0, len(text) - WORDS)))
    part = text[start : start + data.draw(st.integers(WORDS, WORDS + 9))]
    assert runs.overlaps(
        " ".join(["x", *part]) if len(text) >= WORDS else " ".join(text), language="en"
    )


def test_every_string_of_a_record() -> None:
    record = {"question": "q", "choices": ["a", {"text": "b"}], "label": 3, "more": None}
    assert sorted(strings(record)) == ["a", "b", "q"]


RECORD = json.dumps({"id": 1, "choices": [{"text": QUESTION}]}) + "\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("set.jsonl", RECORD.encode()),
        ("set.jsonl.gz", gzip.compress(RECORD.encode())),
        ("set.zst", zstandard.compress(RECORD.encode())),
        ("set.txt", f"other\n\n{QUESTION}\n".encode()),
        ("lines.txt", QUESTION.replace(" ", "\n").encode()),
        ("set.txt.gz", gzip.compress(QUESTION.encode())),
        ("damaged.txt", b"\xff\xfe " + QUESTION.encode()),
    ],
)
def test_files(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    runs = read_evaluation_sets([tmp_path / name], languages=("en",))
    assert runs.overlaps(f"so {QUESTION}", language="en")


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is an extra")
    pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table({"choices": [["no", QUESTION]], "label": [1]})
    pyarrow.parquet.write_table(table, tmp_path / "set.parquet")
    runs = read_evaluation_sets([tmp_path / "set.parquet"], languages=("en",))
    assert runs.overlaps(f"so {QUESTION}", language="en")


def test_no_run_is_lost_between_the_parts_of_a_file(tmp_path: Path) -> None:
    filler = ("filler " * 99 + "\n") * 12_000  # 8 MB, the border of a block somewhere inside
    for place in (4 << 20) - 20, (4 << 20) - 10, (4 << 20) - 1:
        lines = QUESTION.replace(" ", "\n")
        (tmp_path / "set.txt").write_text(f"{filler[:place]}\n{lines}\n{filler[:900]}")
        runs = read_evaluation_sets([tmp_path / "set.txt"], languages=("en",))
        assert runs.overlaps(QUESTION, language="en"), place


@pytest.mark.parametrize(
    ("name", "content"), [("set.txt", "  \n"), ("set.jsonl", '{"label": 1}\n')]
)
def test_a_file_without_text(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match="evaluation file must hold text, got none in .*set"):
        read_evaluation_sets([tmp_path / name], languages=("en",))


def test_damage_is_named(tmp_path: Path) -> None:
    (tmp_path / "set.json").write_text("[1,\n2]\n")
    with pytest.raises(DataError, match="set.json, line 1 must be one JSON object"):
        read_evaluation_sets([tmp_path / "set.json"], languages=("en",))
    with pytest.raises(DataError, match="none.txt"):
        read_evaluation_sets([tmp_path / "none.txt"], languages=("en",))
