"""One segment of a dump: its wanted articles cleaned into a file, and what became of the others."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson

from megatron_crossic.data.records import Document, document_to_json
from megatron_crossic.data.wikipedia.cleaning.clean import clean_wikitext
from megatron_crossic.data.wikipedia.dump import Page
from megatron_crossic.data.wikipedia.kinds import page_kinds
from megatron_crossic.data.wikipedia.options import WikipediaPairsOptions
from megatron_crossic.data.wikipedia.processes import PageAlarm
from megatron_crossic.data.wikipedia.segments import LeftOut, Segment, read_segment
from megatron_crossic.data.wikipedia.tables.sources import page_kind
from megatron_crossic.errors import DataError
from megatron_crossic.files import FileFingerprint, HashingWriter, atomic_output

EMPTY_AFTER_CLEANING = "empty_after_cleaning"
TOO_SHORT = "too_short"
TOO_LARGE = "too_large"
CLEANING_FAILED = "cleaning_failed"

SEPARATOR = b"\t"
"""JSON has no tabs outside strings here, and inside they are written `\\t`."""

DUMP_DATE = re.compile(r"-(\d{4})(\d{2})(\d{2})-")


@dataclass(frozen=True, kw_only=True, slots=True)
class SegmentAccount:
    """What came of a segment."""

    file: FileFingerprint
    """A line for each article: its document and its provenance as JSON, a tab between them."""
    page_ids: list[int]  # [articles]
    offsets: list[int]
    """First byte of each line."""  # [articles]
    characters: list[int]
    """Of each clean text."""  # [articles]
    dropped: dict[str, list[int]]
    """Reason -> page ids."""
    pages: int
    """All that could be read."""
    wikitext_characters: int
    """Of what was cleaned."""
    damaged_streams: list[int]
    damaged_pages: list[int]
    """Where they begin, in bytes of the dump file."""

    @property
    def is_damaged(self) -> bool:
        return bool(self.damaged_streams or self.damaged_pages)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "SegmentAccount":
        return cls(**{**record, "file": FileFingerprint(**record["file"])})


@dataclass(frozen=True, kw_only=True, slots=True)
class ArticleCleaner:
    """Cleans the wanted pages of the segments of one wiki."""

    language: str
    wanted: frozenset[int]
    options: WikipediaPairsOptions

    def clean_segment(
        self, segment: Segment, output: Path, bad_pages: Mapping[int, str], alarm: PageAlarm
    ) -> SegmentAccount:
        """Write `output`; `bad_pages` are left out for the reasons given."""
        left_out, date = LeftOut(), dump_date(segment.path.name)
        page_ids, offsets, characters = [], [], []
        dropped: defaultdict[str, list[int]] = defaultdict(list)
        num_pages = num_characters = 0
        with atomic_output(output) as file:
            writer = HashingWriter(file)
            for page in read_segment(segment, left_out=left_out, wanted=self.wanted):
                num_pages += 1
                if page.id not in self.wanted or not self._is_article(page):
                    continue
                alarm.at(page.id)
                text, reason = self._clean(page, reason=bad_pages.get(page.id, ""))
                alarm.past()
                num_characters += len(page.text)
                if reason:
                    dropped[reason].append(page.id)
                    continue
                page_ids.append(page.id)
                offsets.append(writer.num_bytes)
                characters.append(len(text))
                writer.write(self._line(page, text, date))
        return SegmentAccount(
            file=writer.fingerprint(output.name),
            page_ids=page_ids,
            offsets=offsets,
            characters=characters,
            dropped=dict(dropped),
            pages=num_pages + left_out.unwanted,
            wikitext_characters=num_characters,
            damaged_streams=left_out.damaged_streams,
            damaged_pages=left_out.damaged_pages,
        )

    def _is_article(self, page: Page) -> bool:
        return page_kind(page, language=self.language) == "articles"

    def _line(self, page: Page, text: str, date: str) -> bytes:
        document = Document(
            id=article_id(self.language, page.id),
            language=self.language,
            title=page.title,
            text=text,
        )
        provenance = {
            "wiki": f"{self.language}wiki",
            "page_id": page.id,
            "revision_id": page.revision_id,
            "timestamp": page.timestamp,
            "url": self._url(page),
            "dump_date": date,
        }
        return (
            orjson.dumps(document_to_json(document))
            + SEPARATOR
            + orjson.dumps(provenance, option=orjson.OPT_APPEND_NEWLINE)
        )

    def _url(self, page: Page) -> str:
        """Of exactly this revision, or where the dump names none, of the page."""
        site = f"https://{self.language}.wikipedia.org"
        if page.revision_id is not None:
            return f"{site}/w/index.php?oldid={page.revision_id}"
        return f"{site}/wiki/{quote(page.title.replace(' ', '_'))}"

    def _clean(self, page: Page, *, reason: str) -> tuple[str, str]:
        """(text, "") or ("", why there is none), which may be known."""
        options = self.options
        if reason:
            return "", reason
        if len(page.text) > options.max_page_characters:
            return "", TOO_LARGE
        if options.drop_kinds:
            kinds = page_kinds(page.title, page.text, language=self.language)
            if unwanted := next((kind for kind in options.drop_kinds if kind in kinds), None):
                return "", unwanted
        try:
            text = clean_wikitext(
                page.text,
                language=self.language,
                keep_headings=options.keep_headings,
                title=page.title,
            )
        except DataError:
            return "", CLEANING_FAILED
        if not text:
            return "", EMPTY_AFTER_CLEANING
        return (text, "") if len(text) >= options.min_characters else ("", TOO_SHORT)


def article_id(language: str, page_id: int) -> str:
    """`thwiki:2419`."""
    return f"{language}wiki:{page_id}"


def dump_date(name: str) -> str:
    """The day in `thwiki-20250801-pages-articles.xml.bz2`, ISO 8601; empty where there is none."""
    found = DUMP_DATE.search(name)
    return "-".join(found.groups()) if found else ""
