"""Parquet rows are records like any other."""

import random
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from small_pairs import make_pair, write_byte_tokenizer, write_pairs

from megatron_crossic.data.options import PreprocessOptions
from megatron_crossic.data.pairs import read_pairs
from megatron_crossic.data.parquet import read_row_group, row_group_bytes
from megatron_crossic.data.pipeline import preprocess
from megatron_crossic.data.records import pair_to_json
from megatron_crossic.data.store import open_windows
from megatron_crossic.data.verify import verify_data_set
from megatron_crossic.errors import DataError

pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is an extra")
parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is an extra")

PAIRS = [make_pair(f"p{i}", f"Text {i}.", f"Texto {i}.") for i in range(25)]


def write_rows(path: Path, rows: list[dict[str, object]], *, row_group_size: int = 10) -> Path:
    parquet.write_table(pyarrow.Table.from_pylist(rows), path, row_group_size=row_group_size)
    return path


def test_pairs_come_back_from_all_row_groups(tmp_path: Path) -> None:
    rows = [pair_to_json(pair) | {"note": None if i % 2 else "x"} for i, pair in enumerate(PAIRS)]
    path = write_rows(tmp_path / "pairs.parquet", rows)
    found = list(read_pairs(path))
    assert [pair.documents for pair in found] == [pair.documents for pair in PAIRS]
    # A column without a value is a field the record does not have.
    assert [dict(pair.provenance) for pair in found[:2]] == [{"note": "x"}, {}]


def test_documents_become_windows(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {
            "text": f"Document {i}.",
            "url": f"https://example.org/{i}",
            "lang": "es" if i == 3 else None,
        }
        for i in range(30)
    ]
    path = write_rows(tmp_path / "docs.parquet", rows)
    report = preprocess(
        PreprocessOptions(
            pairs=(path,),
            tokenizer=write_byte_tokenizer(tmp_path / "tokenizer"),
            output_prefix=tmp_path / "x",
            seq_length=64,
            mode="documents",
            language="en",
        )
    )
    assert report.training.account.pairs_kept == 30
    assert report.training.languages == ["en", "es"]
    verify_data_set(tmp_path / "x")
    assert open_windows(tmp_path / "x").provenance(12) == {
        "id": "docs.parquet:12",
        "origin": "given",
        "score": None,
        "languages": ["en"],
        "titles": [""],
        "provenance": {"url": "https://example.org/12"},
    }


@pytest.mark.parametrize("mode", ["crossic", "mix", "source_only"])
@pytest.mark.parametrize("workers", [1, 2])
def test_windows_are_those_of_json_lines(tmp_path: Path, mode: str, workers: int) -> None:
    """Three row groups against one file of lines: nothing is lost or turned round at a border."""
    rows = [pair_to_json(pair) for pair in PAIRS]
    inputs = {
        "lines": write_pairs(tmp_path / "pairs.jsonl", PAIRS),
        "rows": write_rows(tmp_path / "pairs.parquet", rows),
    }
    for name, path in inputs.items():
        preprocess(
            PreprocessOptions(
                pairs=(path,),
                tokenizer=write_byte_tokenizer(tmp_path / "tokenizer"),
                output_prefix=tmp_path / name,
                seq_length=64,
                mode=mode,
                workers=workers,
            )
        )
    verify_data_set(tmp_path / "rows")
    for suffix in (".bin", ".spans", ".pairs.jsonl"):
        one, other = (Path(f"{tmp_path / name}{suffix}") for name in inputs)
        assert one.read_bytes() == other.read_bytes()


def test_a_bad_row_is_named(tmp_path: Path) -> None:
    rows = [pair_to_json(pair) for pair in PAIRS]
    rows[17]["source"] = None
    with pytest.raises(DataError, match=r"bad\.parquet, row 17: source must be an object"):
        list(read_pairs(write_rows(tmp_path / "bad.parquet", rows)))


@pytest.mark.parametrize("keep", [10, 400])
def test_a_damaged_file_is_named(tmp_path: Path, keep: int) -> None:
    path = write_rows(tmp_path / "pairs.parquet", [pair_to_json(pair) for pair in PAIRS])
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"Parquet file must be whole, got .*pairs\.parquet"):
        list(read_pairs(path))


def test_without_pyarrow_it_says_what_to_install(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "pairs.parquet", [pair_to_json(PAIRS[0])])
    code = (
        "import importlib.util, sys; from pathlib import Path\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *rest: "
        "None if name == 'pyarrow' else find(name, *rest)\n"
        "from megatron_crossic.data.pairs import read_pairs\n"
        "list(read_pairs(Path(sys.argv[1])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )
    assert "ConfigError: input must be in a format that can be read here" in done.stderr
    assert "pip install pyarrow" in done.stderr


def test_columns_of_any_type_are_kept_as_provenance(tmp_path: Path) -> None:
    row = {"text": "Text.", "hash": b"\xff", "score": Decimal("1.5"), "day": date(2020, 2, 1)}
    path = write_rows(tmp_path / "docs.parquet", [row])
    preprocess(documents(path, tmp_path))
    found = open_windows(tmp_path / "x").provenance(0)["provenance"]
    assert found == {"hash": "b'\\xff'", "score": "1.5", "day": "2020-02-01"}


def test_text_that_is_not_utf8_is_an_error(tmp_path: Path) -> None:
    offsets = pyarrow.py_buffer((0).to_bytes(4, "little") + (2).to_bytes(4, "little"))
    text = pyarrow.Array.from_buffers(
        pyarrow.string(), 1, [None, offsets, pyarrow.py_buffer(b"\xff\xfe")]
    )
    path = tmp_path / "docs.parquet"
    parquet.write_table(pyarrow.table({"text": text}), path)
    with pytest.raises(DataError, match=r"must be whole, got .*docs\.parquet: 'utf-8' codec"):
        preprocess(documents(path, tmp_path))


def test_a_garbled_file_is_read_or_named(tmp_path: Path) -> None:
    """Twelve bytes of rubbish anywhere; pyarrow raises several kinds of errors for it."""
    rows: list[dict[str, object]] = [{"text": f"Text {i}. " * 20} for i in range(3000)]
    path = write_rows(tmp_path / "docs.parquet", rows, row_group_size=1000)
    good, chance, named = path.read_bytes(), random.Random(1), 0
    for _ in range(60):
        at = chance.randrange(4, len(good) - 12)
        path.write_bytes(good[:at] + chance.randbytes(12) + good[at + 12 :])
        try:  # any other kind of error ends the test
            for group, _size in enumerate(row_group_bytes(path)):
                assert len(list(read_row_group(path, group))) <= 1000
        except DataError:
            named += 1
    assert named > 30


def documents(path: Path, folder: Path) -> PreprocessOptions:
    return PreprocessOptions(
        pairs=(path,),
        tokenizer=write_byte_tokenizer(folder / "tokenizer"),
        output_prefix=folder / "x",
        seq_length=64,
        mode="documents",
        language="en",
    )
