"""Parts of a dump that are read on their own, and go on behind what is damaged.

Wikimedia's multistream files are bz2 streams of 100 pages each, so reading may begin at any of
them; it is found by the ten bytes it starts with, no index is needed. In a plain `.xml` file it
may begin at any `<page>`. A segment is what begins between two fixed positions of such a file.
Anything else (one stream of bz2, gzip, UTF-16) is one segment and has to be whole.

Where a stream or a page is damaged it is left out, counted, and its place is kept.
"""

import bz2
import re
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO, Literal

from megatron_crossic.data.unpack import is_packed, read_blocks
from megatron_crossic.data.wikipedia.dump import (
    Page,
    check_header,
    parse_fragment,
    read_pages,
)
from megatron_crossic.errors import DataError
from megatron_crossic.files import unreadable

Layout = Literal["streams", "xml", "whole"]

SEGMENT_BYTES: dict[Layout, int] = {"streams": 4 << 20, "xml": 16 << 20}
"""About 16 MB of XML in either case: a second or two of work."""
MAX_STREAM_BYTES = 256 << 20
"""Unpacked; a stream of a hundred pages has one or two million."""
HEADER_BYTES = 1 << 20
BLOCK_BYTES = 1 << 18

# The start of a bz2 stream (any block size) and of its first block.
STREAM_START = re.compile(rb"BZh[1-9]1AY&SY")
STREAM_START_BYTES = 10
PAGE_START, PAGE_END = b"<page>", b"</page>"
# As exports have it. No text can look like this: there `<` is `&lt;`.
PAGE_ID = re.compile(
    rb"<page>\s*<title>[^<]*</title>\s*(?:<ns>[^<]*</ns>\s*)?<id>\s*(\d{1,18})\s*</id>"
)
OTHER_ENCODING = re.compile(rb"<\?xml[^>]*encoding=[\"'](?!utf-8[\"'])", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """What begins at `start` or later and before `stop`, in bytes of the file."""

    path: Path
    layout: Layout
    start: int
    stop: int

    @property
    def num_bytes(self) -> int:
        return self.stop - self.start


@dataclass(kw_only=True, slots=True)
class LeftOut:
    """What a segment has besides the pages that came out."""

    damaged_streams: list[int] = field(default_factory=list)
    """The byte of the file at which each begins."""
    damaged_pages: list[int] = field(default_factory=list)
    """The same; in streams, the byte at which the page's stream begins."""
    unwanted: int = 0
    """Pages that were not looked at."""


def dump_segments(path: Path, *, sizes: dict[Layout, int] = SEGMENT_BYTES) -> list[Segment]:
    """The segments of one dump file, in order; raises `DataError` for what is no dump."""
    layout = _layout(path)
    size = path.stat().st_size
    step = sizes.get(layout, max(size, 1))
    return [
        Segment(path=path, layout=layout, start=start, stop=min(start + step, size))
        for start in range(0, size, step)
    ]


def _layout(path: Path) -> Layout:
    """How a file may be read; its header is checked before pages are read on their own."""
    try:
        with path.open("rb") as file:
            header = _multistream_header(file)
    except OSError as error:
        raise unreadable(path, error) from error
    if header is not None:
        check_header(header, path=path)
        return "whole" if OTHER_ENCODING.match(header) else "streams"
    header = _header(path)
    check_header(header, path=path)
    is_plain = header.lstrip().startswith(b"<") and not is_packed(path)
    return "xml" if is_plain and not OTHER_ENCODING.match(header) else "whole"


def _header(path: Path) -> bytes:
    """What stands before the first page."""
    found = b""
    for block in read_blocks(path):
        found += block
        if PAGE_START in found or len(found) >= HEADER_BYTES:
            break
    return found.partition(PAGE_START)[0]


def _multistream_header(file: BinaryIO) -> bytes | None:
    """The first stream, where it is one of its own and the next begins with a page; else None.

    Parallel compressors make many streams as well, but cut anywhere.
    """
    if not STREAM_START.match(_peek(file, 0)):
        return None
    try:
        content, end = _unpack_stream(file, 0, limit=HEADER_BYTES)
        if PAGE_START in content or not STREAM_START.match(_peek(file, end)):
            return None
        beginning = _beginning_of_stream(file, end).lstrip()
    except (OSError, EOFError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        return None
    # Without any page the next stream is the end.
    return content if beginning.startswith((PAGE_START, b"</mediawiki>")) else None


def _peek(file: BinaryIO, offset: int) -> bytes:
    file.seek(offset)
    return file.read(STREAM_START_BYTES)


def _beginning_of_stream(file: BinaryIO, offset: int) -> bytes:
    file.seek(offset)
    return bz2.BZ2Decompressor().decompress(file.read(BLOCK_BYTES), max_length=100)


def read_segment(
    segment: Segment,
    *,
    left_out: LeftOut,
    wanted: Container[int] | None = None,
    with_text: bool = True,
) -> Iterator[Page]:
    """Yield the pages of a segment, at least those whose ids are wanted.

    Looking for an id is faster than parsing a page. Of a file that is read as a whole all come out.
    """
    if segment.layout == "whole":
        yield from read_pages(segment.path, with_text=with_text)
        return
    parse = partial(parse_fragment, path=segment.path, with_text=with_text)
    groups = _streams if segment.layout == "streams" else _page_groups
    try:
        with segment.path.open("rb") as file:
            for offset, content in groups(file, segment, left_out):
                elements = list(_elements(content))
                if wanted is not None:
                    chosen = [each for each in elements if _may_be_wanted(each[1], wanted)]
                    left_out.unwanted += len(elements) - len(chosen)
                    elements = chosen
                places = [
                    (offset + start if segment.layout == "xml" else offset, element)
                    for start, element in elements
                ]
                yield from _pages(places, parse, left_out)
    except OSError as error:
        raise unreadable(segment.path, error) from error


def _streams(file: BinaryIO, segment: Segment, left_out: LeftOut) -> Iterator[tuple[int, bytes]]:
    """Yield (first byte, content) of the streams of a segment."""
    offset = _find_stream(file, segment.start, segment.stop)
    while offset is not None:
        try:
            content, end = _unpack_stream(file, offset, limit=MAX_STREAM_BYTES)
            yield offset, content
        except (OSError, EOFError, ValueError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            left_out.damaged_streams.append(offset)
            end = offset + STREAM_START_BYTES
        offset = _find_stream(file, end, segment.stop)


def _find_stream(file: BinaryIO, start: int, stop: int) -> int | None:
    """The first place in [start, stop) where a stream begins."""
    file.seek(start)
    kept, position = b"", start
    while position < stop and (block := file.read(BLOCK_BYTES)):
        buffer = kept + block
        if found := STREAM_START.search(buffer):
            offset = position - len(kept) + found.start()
            return offset if offset < stop else None
        position += len(block)
        kept = buffer[1 - STREAM_START_BYTES :]
    return None


def _unpack_stream(file: BinaryIO, offset: int, *, limit: int) -> tuple[bytes, int]:
    """The content of the stream at `offset`, and the byte behind it.

    Raises `OSError` where it is damaged, `EOFError` where it is cut off, `ValueError` where it
    holds more than `limit` bytes.
    """
    file.seek(offset)
    unpacker = bz2.BZ2Decompressor()
    parts, num_bytes = [], 0
    while not unpacker.eof:
        block = file.read(BLOCK_BYTES) if unpacker.needs_input else b""
        if unpacker.needs_input and not block:
            raise EOFError("the stream has no end")
        parts.append(unpacker.decompress(block, max_length=BLOCK_BYTES))
        num_bytes += len(parts[-1])
        if num_bytes > limit:
            raise ValueError(f"the stream has more than {limit} bytes")
    return b"".join(parts), file.tell() - len(unpacker.unused_data)


def _page_groups(
    file: BinaryIO, segment: Segment, left_out: LeftOut
) -> Iterator[tuple[int, bytes]]:
    """Yield (first byte, content) of whole pages, about a block at a time."""
    file.seek(segment.start)
    buffer, first = b"", segment.start  # `first` is the place of the buffer in the file
    while first < segment.stop:
        block = file.read(BLOCK_BYTES)
        searched = max(0, len(buffer) - len(PAGE_END))
        buffer += block
        begin = buffer.find(PAGE_START)
        if begin < 0 or first + begin >= segment.stop:
            if not block:
                return
            kept = min(len(buffer), len(PAGE_START) - 1)
            first, buffer = first + len(buffer) - kept, buffer[len(buffer) - kept :]
            continue
        # What begins behind the segment is the next one's.
        beyond = buffer.find(PAGE_START, max(begin, segment.stop - first))
        stop = beyond if beyond >= 0 else len(buffer)
        end = buffer.rfind(PAGE_END, max(begin, searched), stop)
        if end >= 0:
            end += len(PAGE_END)
            yield first + begin, buffer[begin:end]
            first, buffer = first + end, buffer[end:]
        elif beyond >= 0 or not block or len(buffer) > MAX_STREAM_BYTES:  # it has no end
            left_out.damaged_pages.append(first + begin)
            first, buffer = first + len(buffer), b""
        if beyond >= 0:
            return


def _elements(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (first byte, content) of each `<page>` up to the next one or the last `</page>`."""
    end = content.rfind(PAGE_END) + len(PAGE_END)
    start = content.find(PAGE_START)
    while 0 <= start < end:
        following = content.find(PAGE_START, start + 1)
        yield start, content[start : following if 0 <= following < end else end]
        start = following


def _may_be_wanted(element: bytes, wanted: Container[int]) -> bool:
    found = PAGE_ID.match(element)
    return found is None or int(found[1]) in wanted


def _pages(
    elements: Sequence[tuple[int, bytes]], parse: Callable[[bytes], list[Page]], left_out: LeftOut
) -> list[Page]:
    """All pages; where they are not well-formed together, those that are alone."""
    try:
        return parse(b"".join(element for _, element in elements))
    except DataError:
        pages = []
        for place, element in elements:
            try:
                pages += parse(element)
            except DataError:
                left_out.damaged_pages.append(place)
        return pages
