"""The XML dumps of a made-up wiki in the forms Wikimedia publishes them in.

`multistream`: a bz2 stream with the head, one for every 100 pages, one with the end, and an index
of `offset:page id:title` lines. `single`: one bz2 stream. `plain`: XML as it is. Each of them whole
or in parts, whose names say which page ids they hold (`…pages-articles2.xml-p301p600.bz2`).
"""

import bz2
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

from synthetic_pages import ENGLISH, NAMESPACES, Wiki
from synthetic_streams import PAGES_PER_STREAM, Stream, StreamMaker

from megatron_crossic.errors import DataError

Layout = Literal["multistream", "single", "plain"]
END = b"</mediawiki>\n"


class DumpFile(Protocol):
    """One file of a dump that is being written."""

    def add(self, stream: Stream) -> None: ...

    def close(self) -> None: ...


class PlainFile:
    """XML as it is, or as one bz2 stream."""

    def __init__(self, path: Path, head: bytes, *, compresslevel: int) -> None:
        self._file: BinaryIO | bz2.BZ2File = (
            bz2.BZ2File(path, "wb", compresslevel=compresslevel)
            if compresslevel
            else path.open("wb")
        )
        self._file.write(head)

    def add(self, stream: Stream) -> None:
        self._file.write(stream.xml)

    def close(self) -> None:
        self._file.write(END)
        self._file.close()


class MultistreamFile:
    """Streams one behind the other, and the index of where they begin."""

    def __init__(self, path: Path, index: Path, head: bytes, *, compresslevel: int) -> None:
        self._file = path.open("wb")
        self._index = bz2.BZ2File(index, "wb", compresslevel=compresslevel)
        self._level = compresslevel
        self._file.write(bz2.compress(head, compresslevel))

    def add(self, stream: Stream) -> None:
        offset = self._file.tell()
        lines = "".join(f"{offset}:{page_id}:{title}\n" for page_id, title in stream.index)
        self._index.write(lines.encode())
        self._file.write(stream.packed)

    def close(self) -> None:
        self._file.write(bz2.compress(END, self._level))
        self._file.close()
        self._index.close()


@dataclass(frozen=True, kw_only=True, slots=True)
class DumpFiles:
    """Where the dumps of one wiki go."""

    folder: Path
    prefix: str
    """`thwiki`, or `thwiki-20250601`."""
    layouts: tuple[Layout, ...]
    num_parts: int
    compresslevel: int

    def write(self, wiki: Wiki, streams: Iterator[Stream]) -> Iterator[Stream]:
        """Write every stream and hand it on."""
        num_streams = -(-wiki.num_pages // PAGES_PER_STREAM)
        edges = [num_streams * part // self.num_parts for part in range(self.num_parts + 1)]
        for part in range(self.num_parts):
            first = edges[part] * PAGES_PER_STREAM
            last = min(edges[part + 1] * PAGES_PER_STREAM, wiki.num_pages) - 1
            ids = f"-p{wiki.id_at(first)}p{wiki.id_at(last)}" if self.num_parts > 1 else ""
            number = str(part + 1) if self.num_parts > 1 else ""
            files = [self._open(name, wiki, number=number, ids=ids) for name in self.layouts]
            for _ in range(edges[part], edges[part + 1]):
                stream = next(streams)
                for file in files:
                    file.add(stream)
                yield stream
            for file in files:
                file.close()

    def _open(self, layout: Layout, wiki: Wiki, *, number: str, ids: str) -> DumpFile:
        start = self.folder / f"{self.prefix}-pages-articles"
        head = dump_head(wiki).encode()
        if layout != "multistream":
            packing = ".bz2" if layout == "single" else ""
            level = self.compresslevel if layout == "single" else 0
            return PlainFile(Path(f"{start}{number}.xml{ids}{packing}"), head, compresslevel=level)
        return MultistreamFile(
            Path(f"{start}-multistream{number}.xml{ids}.bz2"),
            Path(f"{start}-multistream-index{number}.txt{ids}.bz2"),
            head,
            compresslevel=self.compresslevel,
        )


def dump_head(wiki: Wiki) -> str:
    """What stands before the first page."""
    names = ENGLISH | dict(NAMESPACES.get(wiki.language, {}))
    namespaces = "\n".join(
        f'      <namespace key="{key}" case="first-letter">{name}</namespace>'
        for key, name in sorted(names.items())
    )
    schema = "http://www.mediawiki.org/xml/export-0.11"
    return f"""<mediawiki xmlns="{schema}/" \
xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:schemaLocation="{schema}/ {schema}.xsd" version="0.11" xml:lang="{wiki.language}">
  <siteinfo>
    <sitename>Wikipedia</sitename>
    <dbname>{wiki.language}wiki</dbname>
    <base>https://{wiki.language}.wikipedia.org/wiki/Main_Page</base>
    <generator>MediaWiki 1.45.0-wmf.3</generator>
    <case>first-letter</case>
    <namespaces>
      <namespace key="0" case="first-letter" />
{namespaces}
    </namespaces>
  </siteinfo>
"""


def made_streams(maker: StreamMaker, *, num_processes: int) -> Iterator[Stream]:
    """All runs of a wiki in order, made by that many processes."""
    if num_processes == 1:
        yield from map(maker.stream, range(maker.num_streams))
        return
    context = get_context("fork")  # the texts are inherited, not sent
    pipes = [context.Pipe(duplex=False) for _ in range(num_processes)]
    workers = [
        context.Process(target=_send, args=(maker, writing, i, num_processes), daemon=True)
        for i, (_, writing) in enumerate(pipes)
    ]
    for worker, (_, writing) in zip(workers, pipes, strict=True):
        worker.start()
        writing.close()  # so that a worker that dies ends its pipe
    for i in range(maker.num_streams):
        try:
            yield pipes[i % num_processes][0].recv()
        except EOFError as error:
            raise DataError(
                f"process that makes pages must live to its end, got its end at run {i} of "
                f"{maker.num_streams}. It may have lacked memory: use --processes 1."
            ) from error
    for worker in workers:
        worker.join()


def _send(maker: StreamMaker, pipe: Connection, first: int, step: int) -> None:
    """In a worker: every `step`-th run. A full pipe makes it wait, so memory stays bounded."""
    for index in range(first, maker.num_streams, step):
        pipe.send(maker.stream(index))
    pipe.close()
