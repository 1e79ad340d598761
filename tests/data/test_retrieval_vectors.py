"""Vectors on disk: what is written is read back, whatever the files, and damage is refused."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_vectors import clustered, unit, write_shards

from megatron_crossic.data.retrieval.index.vectors import (
    MOST_OPEN,
    VectorShards,
    check_vectors,
    sample_numbers,
    write_vectors,
)
from megatron_crossic.errors import DataError
from megatron_crossic.files import PARTIAL_SUFFIX

ROWS = clustered(17, 4)


@pytest.fixture(params=[(17,), (5, 0, 12), (0, 1, 1, 15, 0)], ids=str)
def shards(tmp_path: Path, request: pytest.FixtureRequest) -> VectorShards:
    return write_shards(tmp_path, ROWS, request.param)


def test_vectors_are_a_plain_npy_file_with_its_fingerprint(tmp_path: Path) -> None:
    path = tmp_path / "v.npy"
    written = write_vectors(path, ROWS)
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    assert (array.dtype, array.shape) == (np.float16, (17, 4))
    assert np.array_equal(array.astype(np.float32), ROWS)
    content = path.read_bytes()
    assert written.name == "v.npy"
    assert (written.num_bytes, written.sha256) == (
        len(content),
        hashlib.sha256(content).hexdigest(),
    )
    assert len(content) == 128 + 17 * 4 * 2
    assert not list(tmp_path.glob(f"*{PARTIAL_SUFFIX}"))


def test_what_cannot_be_used_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="vectors must have shape .n, d., got .4,. for"):
        write_vectors(tmp_path / "v.npy", np.ones(4))
    with pytest.raises(DataError, match="vectors must have length 1, got 2.000 in row 0 of"):
        write_vectors(tmp_path / "v.npy", np.ones((3, 4)))
    assert not list(tmp_path.iterdir())


def test_rows_are_numbered_through(shards: VectorShards) -> None:
    assert (len(shards), shards.dimension, shards.num_bytes) == (17, 4, 17 * 4 * 2)
    numbers = np.array([16, 0, 5, 4, 5, 11])
    assert np.array_equal(shards.rows(numbers), ROWS[numbers])
    assert shards.rows(numbers[:0]).shape == (0, 4)
    assert shards.rows(numbers).dtype == np.float32


def test_more_files_than_may_be_open(tmp_path: Path) -> None:
    """Each map holds a descriptor, of which a process has a thousand as a rule."""
    num = MOST_OPEN + 40
    rows = clustered(num, 4)
    shards = write_shards(tmp_path, rows, [1] * num)
    numbers = np.arange(num)[::-1]
    assert np.array_equal(shards.rows(numbers), rows[numbers])
    assert np.array_equal(np.concatenate([block for _, block in shards.blocks(7)]), rows)
    assert len(shards.identities()) == num
    held = [link for link in Path("/proc/self/fd").iterdir() if _is_in(link, tmp_path)]
    assert len(held) <= MOST_OPEN


def _is_in(link: Path, folder: Path) -> bool:
    try:
        return str(link.readlink()).startswith(str(folder))
    except OSError:  # the descriptor of the listing itself
        return False


@pytest.mark.parametrize(("rows", "start", "stop"), [(4, 0, None), (100, 3, 9), (6, 5, 99)])
def test_blocks_are_of_one_size_across_files(
    shards: VectorShards, rows: int, start: int, stop: int | None
) -> None:
    blocks = list(shards.blocks(rows, start, stop))
    assert np.array_equal(np.concatenate([block for _, block in blocks]), ROWS[start:stop])
    assert [first for first, _ in blocks] == list(range(start, min(stop or 17, 17), rows))
    assert {len(block) for _, block in blocks[:-1]} <= {rows}
    assert blocks


def test_no_rows_no_blocks(tmp_path: Path) -> None:
    shards = write_shards(tmp_path, ROWS[:0], [0, 0])
    assert (len(shards), shards.dimension, list(shards.blocks())) == (0, 4, [])
    assert shards.sample(3, seed=0).shape == (0, 4)


def test_a_sample_depends_on_its_seed_and_not_on_files(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    rows = clustered(500, 4)
    first, second = write_shards(one, rows, [500]), write_shards(two, rows, [123, 0, 377])
    assert np.array_equal(first.sample(50, seed=1), second.sample(50, seed=1))
    assert not np.array_equal(first.sample(50, seed=1), first.sample(50, seed=2))
    assert np.array_equal(first.sample(9999, seed=1), rows)


@given(total=st.integers(0, 2**41), count=st.integers(0, 300), seed=st.integers(0, 9))
def test_sampled_numbers_are_different_and_spread(total: int, count: int, seed: int) -> None:
    numbers = sample_numbers(total, count, seed=seed)
    count = min(count, total)
    assert len(numbers) == count
    for i, number in enumerate(numbers.tolist()):
        assert i * total // count <= number < (i + 1) * total // count


def test_nan_infinity_and_other_lengths_are_refused() -> None:
    rows = ROWS.copy()
    check_vectors(rows, where="here")
    check_vectors(np.zeros((2, 4)), where="here")
    rows[3, 1] = np.nan
    rows[7, 1] = np.inf
    with pytest.raises(DataError, match="got NaN or infinity in 2 of 17 rows of here, first .* 3"):
        check_vectors(rows, where="here")
    with pytest.raises(DataError, match="must have length 1, got 0.500 in row 2 of here"):
        check_vectors(np.concatenate((ROWS[:2], ROWS[2:] / 2)), where="here")


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.npy"
    for array, found in ((ROWS, "float32"), (ROWS.astype(np.float16)[0], "shape .4,.")):
        np.save(path, array)
        with pytest.raises(DataError, match=f"vectors must be float16 of shape .*{found}"):
            VectorShards([path])
    np.save(path, np.asfortranarray(ROWS.astype(np.float16)))
    with pytest.raises(DataError, match="vectors must be row by row"):
        VectorShards([path])
    np.savez(tmp_path / "v.npz", ROWS)
    with pytest.raises(DataError, match="float16 of shape .n, d., got an archive"):
        VectorShards([tmp_path / "v.npz"])
    path.write_bytes(b"text")
    with pytest.raises(DataError, match="vectors must be a whole .npy file"):
        VectorShards([path])
    path.write_bytes(b"")
    with pytest.raises(DataError, match="vectors must be a whole .npy file"):
        VectorShards([path])
    np.save(path, np.array([["a", None]], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="vectors must be a whole .npy file"):
        VectorShards([path])
    with pytest.raises(DataError, match="input file must be readable"):
        VectorShards([tmp_path / "nothing.npy"])


@pytest.mark.parametrize("num_bytes", [0, 60, 128, 200, 263])
def test_a_truncated_file_is_refused(tmp_path: Path, num_bytes: int) -> None:
    path = tmp_path / "v.npy"
    write_vectors(path, ROWS)
    path.write_bytes(path.read_bytes()[:num_bytes])
    with pytest.raises(DataError, match="vectors must be a whole .npy file"):
        VectorShards([path])


def test_a_file_with_more_than_it_says_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.npy"
    write_vectors(path, ROWS)
    path.write_bytes(path.read_bytes() + b"\0\0")
    with pytest.raises(DataError, match="end with the file"):
        VectorShards([path])


def test_all_files_have_one_dimension(tmp_path: Path) -> None:
    write_vectors(tmp_path / "a.npy", ROWS)
    write_vectors(tmp_path / "b.npy", unit(np.ones((3, 5))))
    with pytest.raises(DataError, match="must all have dimension 4, got 5 in .*b.npy"):
        VectorShards([tmp_path / "a.npy", tmp_path / "b.npy"])
    with pytest.raises(DataError, match="must all have dimension 8, got 4 in .*a.npy"):
        VectorShards([tmp_path / "a.npy"], dimension=8)
    with pytest.raises(DataError, match="vectors must be in at least one file, got none"):
        VectorShards([])
    assert VectorShards([], dimension=3).dimension == 3


def test_a_shard_is_told_from_another_of_its_size(tmp_path: Path) -> None:
    shards = write_shards(tmp_path, ROWS, [10, 7])
    was = shards.identities()
    assert was == VectorShards(shards.paths).identities()
    write_vectors(shards.paths[1], clustered(7, 4, seed=1))
    now = VectorShards(shards.paths).identities()
    assert (was[0], was[1].num_bytes) == (now[0], now[1].num_bytes)
    assert was[1] != now[1]
