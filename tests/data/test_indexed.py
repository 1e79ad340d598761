"""Our writer against megatron-core's, byte for byte; our reader against damage."""

from pathlib import Path

import numpy as np
import pytest
import torch
from megatron.core.datasets.indexed_dataset import DType, IndexedDatasetBuilder

from megatron_crossic.data.indexed import (
    IndexSummary,
    index_blocks,
    map_tokens,
    read_index,
    token_dtype,
)
from megatron_crossic.errors import DataError

WINDOWS = np.arange(15).reshape(3, 5)
UINT16, INT32 = np.dtype(np.uint16), np.dtype(np.int32)


def write(folder: Path, dtype: np.dtype, *, num_windows: int = 3) -> tuple[Path, Path]:
    summary = IndexSummary(num_windows=num_windows, seq_length=5, dtype=dtype)
    (folder / "x.idx").write_bytes(b"".join(index_blocks(summary)))
    (folder / "x.bin").write_bytes(WINDOWS[:num_windows].astype(dtype).tobytes())
    return folder / "x.idx", folder / "x.bin"


@pytest.mark.parametrize("dtype", [UINT16, INT32])
def test_the_bytes_are_those_of_megatron(tmp_path: Path, dtype: np.dtype) -> None:
    index, tokens = write(tmp_path, dtype)
    builder = IndexedDatasetBuilder(str(tmp_path / "theirs.bin"), dtype=dtype.type)
    for window in WINDOWS:
        builder.add_document(torch.from_numpy(window), [5])
    builder.finalize(str(tmp_path / "theirs.idx"))
    assert index.read_bytes() == (tmp_path / "theirs.idx").read_bytes()
    assert tokens.read_bytes() == (tmp_path / "theirs.bin").read_bytes()
    assert index.stat().st_size == 42 + 20 * 3


@pytest.mark.parametrize("vocab_size", [2, 65_499, 65_500, 65_536, 151_665])
def test_the_type_is_the_one_megatron_chooses(vocab_size: int) -> None:
    assert token_dtype(vocab_size).type is DType.optimal_dtype(vocab_size)


@pytest.mark.parametrize("dtype", [UINT16, INT32])
def test_what_is_written_is_read(tmp_path: Path, dtype: np.dtype) -> None:
    index, tokens = write(tmp_path, dtype)
    summary = read_index(index)
    assert summary == IndexSummary(num_windows=3, seq_length=5, dtype=dtype)
    assert np.array_equal(map_tokens(tokens, summary), WINDOWS)


@pytest.mark.parametrize("length", [0, 10, 34, 60, 101])
def test_truncated_indexes_are_refused(tmp_path: Path, length: int) -> None:
    index, _ = write(tmp_path, INT32)
    index.write_bytes(index.read_bytes()[:length])
    with pytest.raises(DataError, match=r"windows of one length.*x\.idx"):
        read_index(index)


def test_windows_of_several_lengths_are_refused(tmp_path: Path) -> None:
    builder = IndexedDatasetBuilder(str(tmp_path / "theirs.bin"), dtype=np.int32)
    for length in (5, 4):
        builder.add_document(torch.arange(length), [length])
    builder.finalize(str(tmp_path / "theirs.idx"))
    with pytest.raises(DataError, match="got windows of 4 to 5 tokens"):
        read_index(tmp_path / "theirs.idx")


@pytest.mark.parametrize("length", [0, 59])
def test_truncated_tokens_are_refused(tmp_path: Path, length: int) -> None:
    index, tokens = write(tmp_path, INT32)
    tokens.write_bytes(tokens.read_bytes()[:length])
    with pytest.raises(DataError, match=rf"must have 60 bytes .* got {length} .*x\.bin"):
        map_tokens(tokens, read_index(index))
