"""Blocks and segments: every line once, in order, wherever the borders fall."""

import bz2
import gzip
from collections.abc import Sequence
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from megatron_crossic.data.inputs import (
    Block,
    block_lines,
    expand_inputs,
    file_blocks,
    first_line_number,
    input_bytes,
    read_segments,
)
from megatron_crossic.data.pairs import block_pairs
from megatron_crossic.errors import ConfigError, DataError

zstd = zstandard.ZstdCompressor().compress


def zstd_frames(content: bytes) -> bytes:
    """Five bytes a frame: the content is unpacked in many small pieces."""
    return b"".join(zstd(content[at : at + 5]) for at in range(0, len(content), 5)) or zstd(b"")


PACKINGS = {
    "plain": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "zstd": zstd,
    "zstd frames": zstd_frames,
}
BLOCK = 8
SEGMENT = 24

LINES = st.lists(
    st.tuples(st.integers(0, 40), st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\n \n"])), max_size=12
)
"""Lengths from nothing to longer than a segment, and what ends each line."""

same_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def content_of(lines: Sequence[tuple[int, bytes]], *, final_newline: bool) -> bytes:
    """Each line of its own letters, so that no two are taken for each other."""
    content = b"".join(bytes([65 + i]) * size + end for i, (size, end) in enumerate(lines))
    return content if final_newline else content.rstrip(b"\r\n ")


def lines_with_positions(content: bytes) -> list[tuple[int, bytes]]:
    found, position = [], 0
    for line in _split(content):
        found.append((position, line))
        position += len(line)
    return found


def _split(content: bytes) -> list[bytes]:
    """At line feeds only: a lone carriage return ends no line."""
    parts = content.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def records_by_block(blocks: Sequence[Block]) -> list[list[tuple[int, bytes]]]:
    """(position in the file, line) of the lines of each block."""
    found = []
    for block in blocks:
        position, content = block_lines(block)
        found.append([(position + at, line) for at, line in lines_with_positions(content)])
    return found


@pytest.mark.parametrize("packing", PACKINGS)
@same_folder
@given(lines=LINES, final_newline=st.booleans())
@example(lines=[], final_newline=False)
@example(lines=[(7, b"\n"), (7, b"\n"), (100, b"\n"), (0, b"\n")], final_newline=True)
def test_every_line_is_in_the_block_in_which_it_starts(
    tmp_path: Path, packing: str, lines: list[tuple[int, bytes]], final_newline: bool
) -> None:
    content = content_of(lines, final_newline=final_newline)
    path = tmp_path / packing
    path.write_bytes(PACKINGS[packing](content))
    blocks = list(file_blocks(path, block_bytes=BLOCK))
    assert b"".join(block_lines(block)[1] for block in blocks) == content
    found = {
        position // BLOCK: lines
        for lines in records_by_block(blocks)
        if lines
        for position in [lines[0][0]]
    }
    expected: dict[int, list[tuple[int, bytes]]] = {}
    for position, line in lines_with_positions(content):
        expected.setdefault(position // BLOCK, []).append((position, line))
    assert found == expected
    assert list(found) == sorted(found)


@same_folder
@given(lines=LINES, final_newline=st.booleans())
def test_a_packed_file_has_the_segments_of_the_plain_one(
    tmp_path: Path, lines: list[tuple[int, bytes]], final_newline: bool
) -> None:
    content = content_of(lines, final_newline=final_newline)
    found = []
    for packing, pack in PACKINGS.items():
        path = tmp_path / packing
        path.write_bytes(pack(content))
        blocks = read_segments([path], block_bytes=BLOCK, segment_bytes=SEGMENT)
        found.append([(segment, *block_lines(block)) for segment, block in blocks])
    assert [
        [(segment, position, part) for segment, position, part in blocks if part]
        for blocks in found
    ] == [[(position // SEGMENT, position, part) for _, position, part in found[0] if part]] * len(
        PACKINGS
    )


@pytest.mark.parametrize("packing", PACKINGS)
@same_folder
@given(lines=LINES)
def test_an_error_knows_the_number_of_its_line(
    tmp_path: Path, packing: str, lines: list[tuple[int, bytes]]
) -> None:
    content = content_of(lines, final_newline=True)
    path = tmp_path / packing
    path.write_bytes(PACKINGS[packing](content))
    starts = [position for position, _ in lines_with_positions(content)]
    for block in file_blocks(path, block_bytes=BLOCK):
        position, part = block_lines(block)
        if part:
            assert first_line_number(block) == starts.index(position) + 1


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_bad_record_in_a_later_block_is_named(tmp_path: Path, packing: str) -> None:
    good = b'{"text": "abc", "lang": "en"}\n'
    path = tmp_path / "documents"
    path.write_bytes(PACKINGS[packing](good * 3 + b"\r\n" + good * 4 + b"{\n" + good))
    blocks = list(file_blocks(path, block_bytes=4 * len(good)))
    assert len(blocks) >= 2
    assert list(block_pairs(blocks[0], of_documents=True))
    with pytest.raises(DataError, match="documents, line 9 must be one JSON object, got '{"):
        for block in blocks[1:]:
            list(block_pairs(block, of_documents=True))


@same_folder
@given(sizes=st.lists(st.integers(0, 5), min_size=1, max_size=8), packed=st.booleans())
def test_progress_adds_up_to_all_files(tmp_path: Path, sizes: list[int], packed: bool) -> None:
    paths = []
    for i, num_lines in enumerate(sizes):
        path = tmp_path / str(i)
        content = b"12345\n" * num_lines
        path.write_bytes(gzip.compress(content) if packed else content)
        paths.append(path)
    blocks = [b for _, b in read_segments(paths, block_bytes=BLOCK, segment_bytes=SEGMENT)]
    done = {path: sum(b.disk_bytes for b in blocks if b.path == path) for path in paths}
    for path, num_lines in zip(paths, sizes, strict=True):
        # An empty packed file has a header, and nothing to show for it.
        assert done[path] == (input_bytes(path) if num_lines else 0)


@same_folder
@given(
    files=st.lists(st.lists(st.integers(1, 30), max_size=6), min_size=1, max_size=5),
    count=st.integers(1, 3),
)
def test_shards_share_out_whole_segments(
    tmp_path: Path, files: list[list[int]], count: int
) -> None:
    """Whoever takes only every n-th ordinal sees the lines another does not, all together once."""
    paths = []
    for i, sizes in enumerate(files):
        path = tmp_path / str(i)
        path.write_bytes(content_of([(size, b"\n") for size in sizes], final_newline=True))
        paths.append(path)
    segments = list(read_segments(paths, block_bytes=BLOCK, segment_bytes=SEGMENT))
    ordinals = [segment for segment, _ in segments]
    assert ordinals == sorted(ordinals)
    shards = [
        [block for segment, block in segments if segment % count == index] for index in range(count)
    ]
    lines = [
        (str(block.path), *line)
        for blocks in shards
        for block, found in zip(blocks, records_by_block(blocks), strict=True)
        for line in found
    ]
    expected = [(str(p), *line) for p in paths for line in lines_with_positions(p.read_bytes())]
    assert sorted(lines) == sorted(expected)


def test_small_files_share_a_segment(tmp_path: Path) -> None:
    """Ten bytes each: two fill twenty of 24, a third would be over."""
    paths = [tmp_path / str(i) for i in range(5)]
    for path in paths:
        path.write_bytes(b"123456789\n")
    blocks = list(read_segments(paths, block_bytes=BLOCK, segment_bytes=SEGMENT))
    files = {(segment, int(block.path.name)) for segment, block in blocks}
    assert sorted(files) == [(0, 0), (0, 1), (1, 2), (1, 3), (2, 4)]


def test_inputs_by_name_and_by_pattern(tmp_path: Path) -> None:
    names = [tmp_path / name for name in ("b.jsonl", "a.jsonl", "[1].gz", "deep/c.jsonl")]
    for path in names:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    b, a, odd, deep = names
    assert expand_inputs([str(tmp_path / "*.jsonl")]) == (a, b)
    assert expand_inputs([b, str(tmp_path / "**" / "c.jsonl")]) == (b, deep)
    assert expand_inputs([odd]) == (odd,)  # a file of that name is no pattern
    assert expand_inputs([tmp_path / "none.jsonl"]) == (tmp_path / "none.jsonl",)
    with pytest.raises(ConfigError, match=r"pattern must match a file, got none for '.*x\*'"):
        expand_inputs([str(tmp_path / "x*")])
    with pytest.raises(ConfigError, match=r"input must be given once, got .*a\.jsonl twice"):
        expand_inputs([a, str(tmp_path / "?.jsonl")])
    with pytest.raises(ConfigError, match=r"input must be given once, got .*a\.jsonl twice"):
        expand_inputs([a, tmp_path / ".." / tmp_path.name / "a.jsonl"])


def test_a_file_that_vanished_is_named(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_bytes(b"{}\n")
    block = next(file_blocks(path))
    path.unlink()
    for read in (block_lines, first_line_number, lambda _: list(file_blocks(path))):
        with pytest.raises(DataError, match=r"must be readable, got .*pairs\.jsonl: No such file"):
            read(block)
