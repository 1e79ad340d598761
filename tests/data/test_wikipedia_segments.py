"""A dump read segment by segment has the pages of the dump, and loses only what is damaged."""

import bz2
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wikipedia_samples import dump_xml, page_xml, write_multistream, write_packed

from megatron_crossic.data.wikipedia import segments
from megatron_crossic.data.wikipedia.dump import Page, read_pages
from megatron_crossic.data.wikipedia.segments import LeftOut, dump_segments, read_segment
from megatron_crossic.errors import DataError

TEXTS = ["Some text.", "a < b & c", "<page> </page>", "日本語 العربية", "x" * 3000]
PAGES = [page_xml(i, f"Page {i}", f"{TEXTS[i % 5]} {i}") for i in range(1, 31)]
LAYOUTS = ("plain.xml", "multistream.xml.bz2", "one.xml.bz2", "packed.xml.gz", "utf16.xml")


def write_dump(path: Path, pages: Sequence[str], *, stream_pages: int = 4) -> Path:
    if "multistream" in path.name:
        return write_multistream(path, pages, stream_pages=stream_pages)
    content = dump_xml(pages)
    return write_packed(path, content.encode("utf-16") if "utf16" in path.name else content)


def read_all(path: Path, *, step: int) -> tuple[list[Page], LeftOut]:
    left_out = LeftOut()
    sizes = {"streams": step, "xml": step}
    parts = dump_segments(path, sizes=sizes)  # type: ignore[arg-type]
    return [page for part in parts for page in read_segment(part, left_out=left_out)], left_out


def whole(path: Path) -> list[Page]:
    return list(read_pages(path, with_text=True))


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("step", [1 << 30, 5000, 700, 64])
def test_all_segments_together_have_all_pages(tmp_path: Path, name: str, step: int) -> None:
    path = write_dump(tmp_path / name, PAGES)
    pages, left_out = read_all(path, step=step)
    assert pages == whole(path)
    assert left_out == LeftOut()
    layout = {"plain.xml": "xml", "multistream.xml.bz2": "streams"}.get(name, "whole")
    assert {part.layout for part in dump_segments(path)} == {layout}


@pytest.mark.parametrize("name", LAYOUTS[:2])
@pytest.mark.parametrize("step", [1 << 30, 900])
def test_pages_that_are_not_wanted_are_not_looked_at(tmp_path: Path, name: str, step: int) -> None:
    bad = [page.replace("Some text. 5<", "Some <oops> text. 5<") for page in PAGES]
    path = write_dump(tmp_path / name, bad)
    left_out, found = LeftOut(), []
    for part in dump_segments(path, sizes={"streams": step, "xml": step}):
        found += list(read_segment(part, left_out=left_out, wanted={3, 6, 30, 99}))
    assert [page.id for page in found] == [3, 6, 30]
    assert left_out == LeftOut(unwanted=27)


def test_a_page_whose_id_is_not_where_it_should_be_is_looked_at(tmp_path: Path) -> None:
    page = PAGES[4].replace("<title>", "<extra /><title>")
    path = write_dump(tmp_path / "plain.xml", [*PAGES[:4], page])
    (part,) = dump_segments(path)
    found = list(read_segment(part, left_out=LeftOut(), wanted={1}))
    assert [page.id for page in found] == [1, 5]


@given(
    texts=st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60)),
    step=st.integers(1, 4000),
    block=st.integers(16, 5000),
    stream_pages=st.integers(1, 5),
)
def test_any_pages_in_any_segments(
    tmp_path_factory: pytest.TempPathFactory,
    texts: list[str],
    step: int,
    block: int,
    stream_pages: int,
) -> None:
    pages = [page_xml(i + 1, f"T{i}", text) for i, text in enumerate(texts)]
    folder = tmp_path_factory.mktemp("dump")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segments, "BLOCK_BYTES", block)
        for name in ("plain.xml", "multistream.xml.bz2"):
            path = write_dump(folder / name, pages, stream_pages=stream_pages)
            found, left_out = read_all(path, step=step)
            assert (found, left_out) == (whole(path), LeftOut())


@pytest.mark.parametrize("step", [1 << 30, 900])
def test_a_damaged_stream_is_left_out_and_its_place_kept(tmp_path: Path, step: int) -> None:
    path = write_dump(tmp_path / "multistream.xml.bz2", PAGES)
    content = bytearray(path.read_bytes())
    starts = [i for i in range(len(content)) if content[i : i + 10] == b"BZh91AY&SY"]
    content[starts[3] + 60] ^= 0xFF
    path.write_bytes(content)
    pages, left_out = read_all(path, step=step)
    # Stream 0 is the header; stream 3 has the pages 9 to 12.
    assert [page.id for page in pages] == [*range(1, 9), *range(13, 31)]
    assert (left_out.damaged_streams, left_out.damaged_pages) == ([starts[3]], [])


def test_a_multistream_dump_cut_off_loses_its_last_stream(tmp_path: Path) -> None:
    path = write_dump(tmp_path / "multistream.xml.bz2", PAGES)
    content = path.read_bytes()
    last = content.rindex(b"BZh91AY&SY", 0, content.rindex(b"BZh91AY&SY"))
    path.write_bytes(content[: last + 50])
    pages, left_out = read_all(path, step=1 << 30)
    assert [page.id for page in pages] == list(range(1, 29))
    assert left_out.damaged_streams == [last]


@pytest.mark.parametrize("step", [1 << 30, 900])
@pytest.mark.parametrize("bad", [b"\xff\xfe", b"<oops>", b"&unknown;", b"\x01"])
def test_a_page_that_is_not_well_formed_is_left_out(tmp_path: Path, bad: bytes, step: int) -> None:
    content = dump_xml(PAGES).encode().replace(b"Some text. 5<", b"Some " + bad + b" text. 5<")
    path = write_packed(tmp_path / "plain.xml", content)
    place = content.index(b"<page>", content.index(b"<title>Page 4<"))
    pages, left_out = read_all(path, step=step)
    assert [page.id for page in pages] == [*range(1, 5), *range(6, 31)]
    assert (left_out.damaged_streams, left_out.damaged_pages) == ([], [place])


def test_a_damaged_page_in_a_stream_is_the_only_one_lost(tmp_path: Path) -> None:
    bad = [page.replace("Some text. 5<", "Some <oops> text. 5<") for page in PAGES]
    path = write_dump(tmp_path / "multistream.xml.bz2", bad)
    pages, left_out = read_all(path, step=1 << 30)
    assert [page.id for page in pages] == [*range(1, 5), *range(6, 31)]
    assert (len(left_out.damaged_pages), left_out.damaged_streams) == (1, [])


def test_a_plain_dump_cut_off_loses_its_last_page(tmp_path: Path) -> None:
    content = dump_xml(PAGES).encode()
    place = content.index(b"<page>", content.index(b"<title>Page 29<"))
    path = write_packed(tmp_path / "plain.xml", content[: place + 200])
    pages, left_out = read_all(path, step=1 << 30)
    assert ([page.id for page in pages], left_out.damaged_pages) == (list(range(1, 30)), [place])


def test_a_stream_that_never_ends_is_not_kept_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = page_xml(5, "Bomb", "x" * 500_000)
    path = write_dump(tmp_path / "multistream.xml.bz2", [*PAGES[:4], bomb, *PAGES[5:]])
    monkeypatch.setattr(segments, "MAX_STREAM_BYTES", 100_000)
    pages, left_out = read_all(path, step=1 << 30)
    assert [page.id for page in pages] == [*range(1, 5), *range(9, 31)]
    assert len(left_out.damaged_streams) == 1


def test_streams_cut_anywhere_are_read_as_a_whole(tmp_path: Path) -> None:
    """As parallel compressors make them."""
    content = dump_xml(PAGES).encode()
    streams = [bz2.compress(content[i : i + 3000]) for i in range(0, len(content), 3000)]
    path = tmp_path / "parallel.xml.bz2"
    path.write_bytes(b"".join(streams))
    assert [part.layout for part in dump_segments(path)] == ["whole"]
    assert read_all(path, step=500)[0] == whole(path)


@pytest.mark.parametrize("name", LAYOUTS)
def test_declarations_are_refused_before_any_page_is_read(tmp_path: Path, name: str) -> None:
    head = '<!DOCTYPE mediawiki [<!ENTITY a "aaaa">]>\n'
    if "multistream" in name:
        path = tmp_path / name
        streams = [head + dump_xml([])[: -len("</mediawiki>\n")], PAGES[0], "</mediawiki>"]
        path.write_bytes(b"".join(bz2.compress(stream.encode()) for stream in streams))
    else:
        content = head + dump_xml(PAGES)
        data = content.encode("utf-16" if "utf16" in name else "utf-8")
        path = write_packed(tmp_path / name, data)
    with pytest.raises(DataError, match="must not declare a document type or entities"):
        dump_segments(path)


def test_what_is_no_dump_is_refused(tmp_path: Path) -> None:
    path = write_packed(tmp_path / "page.xml", "<html><page></page></html>")
    with pytest.raises(DataError, match="must be a MediaWiki export, got <html>"):
        dump_segments(path)
