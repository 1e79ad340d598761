import bz2
import gzip
from pathlib import Path

import pytest
import zstandard

from megatron_crossic.data.unpack import BLOCK_BYTES, is_packed, read_blocks
from megatron_crossic.errors import DataError

CONTENT = b"<mediawiki>" + bytes(range(256)) * (BLOCK_BYTES // 256) + b"</mediawiki>"
PACKERS = {
    "plain": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,  # as the command line does
}


@pytest.mark.parametrize("packing", PACKERS)
def test_content_comes_back_whatever_the_name_says(tmp_path: Path, packing: str) -> None:
    path = tmp_path / "dump.xml"
    path.write_bytes(PACKERS[packing](CONTENT))
    blocks = list(read_blocks(path))
    assert b"".join(blocks) == CONTENT
    assert len(blocks) > 1
    assert max(map(len, blocks)) <= BLOCK_BYTES


def test_multistream_bzip2_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "dump.xml.bz2"
    path.write_bytes(bz2.compress(b"first ") + bz2.compress(b"second"))
    assert b"".join(read_blocks(path)) == b"first second"


@pytest.mark.parametrize("packing", ["gzip", "bzip2", "zstd"])
def test_files_joined_end_to_end_are_one(tmp_path: Path, packing: str) -> None:
    path = tmp_path / "joined"
    pack = PACKERS[packing]
    path.write_bytes(pack(b"first ") + pack(CONTENT) + pack(b"last"))
    assert b"".join(read_blocks(path)) == b"first " + CONTENT + b"last"


def test_packing_is_told_from_the_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for packing, pack in PACKERS.items():
        path.write_bytes(pack(CONTENT))
        assert is_packed(path) == (packing != "plain")


@pytest.mark.parametrize("packing", PACKERS)
def test_progress_adds_up_to_the_size_of_the_file(tmp_path: Path, packing: str) -> None:
    path = tmp_path / "dump"
    path.write_bytes(PACKERS[packing](CONTENT))
    steps: list[int] = []
    list(read_blocks(path, on_bytes=steps.append))
    assert sum(steps) == path.stat().st_size


@pytest.mark.parametrize("packing", ["gzip", "bzip2", "zstd"])
def test_a_file_cut_off_is_named(tmp_path: Path, packing: str) -> None:
    path = tmp_path / "dump.xml"
    packed = PACKERS[packing](CONTENT)
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(DataError, match=r"must be whole, got .*dump\.xml: .*download it again"):
        list(read_blocks(path))


@pytest.mark.parametrize("packing", ["gzip", "bzip2", "zstd"])
def test_a_damaged_file_is_named(tmp_path: Path, packing: str) -> None:
    path = tmp_path / "dump.xml"
    packed = bytearray(PACKERS[packing](CONTENT))
    packed[len(packed) // 2 : len(packed) // 2 + 20] = bytes(20)
    path.write_bytes(packed)
    with pytest.raises(DataError, match=r"must be whole, got .*dump\.xml"):
        list(read_blocks(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"must be readable, got .*none\.xml: No such file"):
        list(read_blocks(tmp_path / "none.xml"))


def test_other_packings_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "dump.7z"
    path.write_bytes(b"7z\xbc\xaf\x27\x1c\0\0")
    with pytest.raises(DataError, match=r"plain, \.gz, \.bz2 or \.zst, got 7z .*Unpack it first"):
        list(read_blocks(path))
