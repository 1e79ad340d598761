from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from megatron_crossic.data.spans import (
    SPAN_DTYPE,
    Role,
    SpanReader,
    write_span_header,
    write_span_table,
)
from megatron_crossic.errors import DataError
from megatron_crossic.files import HashingWriter

ROW = (5, 7, 1, 70_000, 2, Role.TARGET)


def sidecar(folder: Path, sizes: list[int]) -> Path:
    """A sidecar in which window i has sizes[i] spans, the first at 0 and the others at 5."""
    path = folder / "x.spans"
    with path.open("w+b") as file:
        output = HashingWriter(file)
        write_span_header(output, seq_length=32)
        for size in sizes:
            output.write(np.array(rows(size), dtype=SPAN_DTYPE).tobytes())
        output.flush()
        write_span_table(output, path, num_windows=len(sizes))
    assert output.num_bytes == path.stat().st_size
    return path


def rows(size: int) -> list[tuple[int, ...]]:
    return [(0 if i == 0 else 5, *ROW[1:]) for i in range(size)]


def test_the_bytes_are_those_of_the_module_docstring(tmp_path: Path) -> None:
    content = sidecar(tmp_path, [2, 1]).read_bytes()
    assert SPAN_DTYPE.itemsize == 18
    assert len(content) == 16 + 18 * 3 + 8 * 3 + 24
    assert content[:16] == b"MCXSPANS" + (1).to_bytes(4, "little") + (32).to_bytes(4, "little")
    assert content[34:52] == bytes.fromhex("05000000 07000000 01000000 70110100 02 02")
    assert np.frombuffer(content[70:94], "<i8").tolist() == [0, 2, 3]
    assert content[94:] == (2).to_bytes(8, "little") + (3).to_bytes(8, "little") + b"MCXSPANS"


@given(st.lists(st.integers(1, 5), max_size=6))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int]
) -> None:
    reader = SpanReader(sidecar(tmp_path_factory.mktemp("spans"), sizes))
    assert (len(reader), reader.seq_length) == (len(sizes), 32)
    for i, size in enumerate(sizes):
        assert reader[i].tolist() == rows(size)
    together = [row for size in sizes[1:] for row in rows(size)]
    spans, counts = reader.block(min(1, len(sizes)), len(sizes))
    assert (spans.tolist(), counts.tolist()) == (together, sizes[1:])


@pytest.mark.parametrize("length", [0, 7, 20, 100, 117])
def test_truncated_files_are_refused(tmp_path: Path, length: int) -> None:
    path = sidecar(tmp_path, [1, 2])
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(DataError, match=r"spans file must be complete.*x\.spans"):
        SpanReader(path)


def test_damaged_counts_are_refused(tmp_path: Path) -> None:
    path = sidecar(tmp_path, [1, 2])
    content = bytearray(path.read_bytes())
    content[-16] += 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="version 1, 118 bytes"):
        SpanReader(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"must be readable.*none\.spans"):
        SpanReader(tmp_path / "none.spans")
