"""Pages streamed out of a MediaWiki XML export, safely and in bounded memory.

The reader is expat with handlers for the few elements that matter; no tree is built, so memory
holds one block and one page. It knows export formats with any namespace declaration (0.3 to 0.11)
and with none. A document type or an entity declaration is refused: no export has one, and they are
how XML files blow up in memory or read other files. `<siteinfo>` is ignored: it is wrong in
published slices, so the caller says which wiki it is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

from megatron_crossic.data.unpack import OnBytes, ignore_bytes, read_blocks
from megatron_crossic.data.wikipedia.titles import redirect_target
from megatron_crossic.errors import DataError

# Expat gathers short runs of text up to this size; longer ones it hands over as they are.
TEXT_BUFFER_BYTES = 1 << 16
# What a scan without texts keeps of each, for a `#REDIRECT [[…]]`: a title has 255 bytes at most.
NUM_FIRST_CHARACTERS = 1000
# MediaWiki takes no page above 2 MiB. Longer ones are kept up to here, to be dropped as too large.
MAX_TEXT_CHARACTERS = 8 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """One page with its last revision in the dump."""

    id: int
    title: str
    namespace: int | None
    """0 for articles; None where the export is too old to say."""
    redirect: str | None
    """Title the page leads to, empty where it names none; None for a page that is no redirect."""
    revision_id: int | None
    timestamp: str
    """Of the revision, ISO 8601 as in the dump; empty where it is missing."""
    model: str
    format: str
    text: str
    """Wikitext; only its beginning where the pages were read without texts, or it has no end."""


def read_pages(path: Path, *, with_text: bool, on_bytes: OnBytes = ignore_bytes) -> Iterator[Page]:
    """Yield every page of the export `path` (plain, .gz or .bz2) in order.

    Without texts a scan is several times faster. Raises `DataError` naming file and line where the
    file is missing, cut off, not well-formed, not an export, or declares a document type.
    """
    parser = _PageParser(path, with_text=with_text)
    for block in read_blocks(path, on_bytes=on_bytes):
        parser.feed(block)
        yield from parser.take()
    parser.feed(b"", is_last=True)
    yield from parser.take()


def parse_fragment(content: bytes, *, path: Path, with_text: bool = True) -> list[Page]:
    """The pages of some whole `<page>` elements; `DataError` where one is not well-formed."""
    parser = _PageParser(path, with_text=with_text)
    parser.feed(b"<mediawiki>")
    parser.feed(content)
    parser.feed(b"</mediawiki>", is_last=True)
    return parser.take()


def check_header(content: bytes, *, path: Path) -> None:
    """Raise `DataError` unless an export may begin like this; it may go on behind."""
    _PageParser(path, with_text=False).feed(content)


# (parent, element) -> the value it fills. `contributor/id` and `content/text` are not ours.
LEAVES = {
    ("page", "title"): "title",
    ("page", "ns"): "ns",
    ("page", "id"): "id",
    ("revision", "id"): "revision_id",
    ("revision", "timestamp"): "timestamp",
    ("revision", "model"): "model",
    ("revision", "format"): "format",
    ("revision", "text"): "text",
}


class _PageParser:
    """The handlers: they gather the values of one page and queue it at its end tag."""

    def __init__(self, path: Path, *, with_text: bool) -> None:
        self._path = path
        self._with_text = with_text
        self._elements: list[str] = []
        self._values: dict[str, str] = {}
        self._parts: list[str] = []
        self._num_characters = 0
        self._ready: list[Page] = []
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.buffer_size = TEXT_BUFFER_BYTES
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        # Entities can only be declared inside a document type, so this refuses both.
        parser.StartDoctypeDeclHandler = self._refuse_declaration
        self._parser = parser

    def feed(self, block: bytes, *, is_last: bool = False) -> None:
        """Parse one more block."""
        try:
            self._parser.Parse(block, is_last)
        except expat.ExpatError as error:
            raise DataError(
                f"dump must be well-formed XML, got {expat.ErrorString(error.code)} in "
                f"{self._path}, line {error.lineno}, column {error.offset + 1}. "
                "The file is damaged or was cut off: download it again."
            ) from error

    def take(self) -> list[Page]:
        """The pages completed since the last call."""
        pages, self._ready = self._ready, []
        return pages

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._elements and name != "mediawiki":
            self._refuse(f"dump must be a MediaWiki export, got <{name}> as its first element")
        parent = self._elements[-1] if self._elements else ""
        self._elements.append(name)
        if name == "page":
            self._values = {}
        elif name == "redirect" and parent == "page":
            self._values["redirect"] = attributes.get("title", "")
        elif (parent, name) in LEAVES:
            self._parts = []
            keep_all = self._with_text or name != "text"
            self._num_characters = 0
            self._parser.CharacterDataHandler = self._keep if keep_all else self._keep_first

    def _keep(self, part: str) -> None:
        self._num_characters += len(part)
        if self._num_characters <= MAX_TEXT_CHARACTERS:
            self._parts.append(part)

    def _keep_first(self, part: str) -> None:
        # At the end of a block expat hands over what it has, be it `#REDI`.
        if sum(map(len, self._parts)) < NUM_FIRST_CHARACTERS:
            self._parts.append(part[:NUM_FIRST_CHARACTERS])

    def _end(self, name: str) -> None:
        self._elements.pop()
        value = LEAVES.get((self._elements[-1] if self._elements else "", name))
        if value is not None:
            self._parser.CharacterDataHandler = None
            self._values[value] = "".join(self._parts)
        elif name == "page":
            self._ready.append(self._page())

    def _page(self) -> Page:
        values = self._values
        text = values.get("text", "")
        beginning = text[:NUM_FIRST_CHARACTERS]  # both passes must find the same redirects
        title = values.get("title", "").strip()
        if not title:
            self._refuse("page must have a title, got none")
        return Page(
            id=self._number("id"),
            title=title,
            namespace=self._number("ns") if "ns" in values else None,
            redirect=_redirect(values.get("redirect"), redirect_target(beginning)),
            revision_id=self._number("revision_id") if "revision_id" in values else None,
            timestamp=values.get("timestamp", "").strip(),
            model=values.get("model", "").strip(),
            format=values.get("format", "").strip(),
            text=text,
        )

    def _number(self, name: str) -> int:
        try:
            return int(self._values.get(name, ""))
        except ValueError:
            title = self._values.get("title", "")
            self._refuse(
                f"page {title!r} must have a number as {name}, got {self._values.get(name)!r}"
            )

    def _refuse_declaration(self, *_declaration: object) -> None:
        self._refuse("dump must not declare a document type or entities, got a declaration")

    def _refuse(self, message: str) -> NoReturn:
        raise DataError(
            f"{message} in {self._path}, line {self._parser.CurrentLineNumber}. "
            "Use a dump as published, or mend that place."
        )


def _redirect(element: str | None, in_text: str | None) -> str | None:
    """Where a page leads by its `<redirect>` and by its text.

    The element names no section. In old exports it names nothing, or is missing.
    """
    if not element:
        return in_text or element
    _, mark, section = (in_text or "").partition("#")
    return f"{element}#{section}" if mark and "#" not in element else element
