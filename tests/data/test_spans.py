import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from megatron_crossic.data.spans import SPAN_DTYPE, Role, SpanReader, SpanWriter
from megatron_crossic.errors import DataError

ROW = (5, 7, 1, 70_000, 2, Role.TARGET)


def sidecar(sizes: list[int]) -> bytes:
    """A sidecar in which window i has sizes[i] spans that start at i."""
    file = io.BytesIO()
    writer = SpanWriter(file, seq_length=32)
    for i, size in enumerate(sizes):
        writer.add(np.array([(i, *ROW[1:])] * size, dtype=SPAN_DTYPE))
    writer.finish()
    assert writer.output.num_bytes == len(file.getvalue())
    return file.getvalue()


def test_the_bytes_are_those_of_the_module_docstring() -> None:
    content = sidecar([1, 2])
    assert SPAN_DTYPE.itemsize == 18
    assert len(content) == 16 + 18 * 3 + 8 * 3 + 24
    assert content[:16] == b"MCXSPANS" + (1).to_bytes(4, "little") + (32).to_bytes(4, "little")
    assert content[16:34] == bytes.fromhex("00000000 07000000 01000000 70110100 02 02")
    assert np.frombuffer(content[70:94], "<i8").tolist() == [0, 1, 3]
    assert content[94:] == (2).to_bytes(8, "little") + (3).to_bytes(8, "little") + b"MCXSPANS"


@given(st.lists(st.integers(0, 5), max_size=6))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int]
) -> None:
    path = tmp_path_factory.mktemp("spans") / "x.spans"
    path.write_bytes(sidecar(sizes))
    reader = SpanReader(path)
    assert (len(reader), reader.seq_length) == (len(sizes), 32)
    for i, size in enumerate(sizes):
        assert reader[i].tolist() == [(i, *ROW[1:])] * size


@pytest.mark.parametrize("length", [0, 7, 20, 100, 117])
def test_truncated_files_are_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "x.spans"
    path.write_bytes(sidecar([1, 2])[:length])
    with pytest.raises(DataError, match=r"spans file must be complete.*x\.spans"):
        SpanReader(path)


def test_damaged_counts_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.spans"
    content = bytearray(sidecar([1, 2]))
    content[-16] += 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="version 1, 118 bytes"):
        SpanReader(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"must be readable.*none\.spans"):
        SpanReader(tmp_path / "none.spans")
