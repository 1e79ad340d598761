"""One segment of a dump: its wanted articles cleaned into a file, and what became of the others."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from megatron_crossic.data.wikipedia.cleaning.clean import clean_wikitext
from megatron_crossic.data.wikipedia.dump import Page
from megatron_crossic.data.wikipedia.kinds import page_kinds
from megatron_crossic.data.wikipedia.options import WikipediaPairsOptions
from megatron_crossic.data.wikipedia.processes import PageAlarm
from megatron_crossic.data.wikipedia.segments import Damage, Segment, read_segment
from megatron_crossic.data.wikipedia.tables.sources import page_kind
from megatron_crossic.errors import DataError
from megatron_crossic.files import FileFingerprint, HashingWriter, atomic_output
from megatron_crossic.jsonl import to_json_line

EMPTY_AFTER_CLEANING = "empty_after_cleaning"
TOO_SHORT = "too_short"
TOO_LARGE = "too_large"
CLEANING_FAILED = "cleaning_failed"

DUMP_DATE = re.compile(r"-(\d{4})(\d{2})(\d{2})-")


@dataclass(frozen=True, kw_only=True, slots=True)
class SegmentAccount:
    """What came of a segment."""

    file: FileFingerprint
    """A JSON line for each wanted page: the article, or its id and why it is left out."""
    articles: int
    pages: int
    """All that could be read."""
    characters: int
    """Of wikitext that was cleaned."""
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


@dataclass(kw_only=True, slots=True)
class ArticleCleaner:
    """Cleans the wanted pages of the segments of one wiki."""

    language: str
    wanted: frozenset[int]
    options: WikipediaPairsOptions

    def clean_segment(
        self, segment: Segment, output: Path, bad_pages: Mapping[int, str], alarm: PageAlarm
    ) -> SegmentAccount:
        """Write `output`; `bad_pages` are left out for the reasons given."""
        damage, counts = Damage(), Counter(articles=0, pages=0, characters=0)
        with atomic_output(output) as file:
            writer = HashingWriter(file)
            for page in read_segment(segment, damage=damage):
                counts["pages"] += 1
                if page.id not in self.wanted or not self._is_article(page):
                    continue
                alarm.at(page.id)
                record = self._record(page, segment.path, reason=bad_pages.get(page.id, ""))
                alarm.past()
                writer.write(to_json_line(record))
                counts["articles"] += "drop" not in record
                counts["characters"] += len(page.text)
            fingerprint = writer.fingerprint(output.name)
        return SegmentAccount(
            file=fingerprint,
            articles=counts["articles"],
            pages=counts["pages"],
            characters=counts["characters"],
            damaged_streams=damage.streams,
            damaged_pages=damage.pages,
        )

    def _is_article(self, page: Page) -> bool:
        return page_kind(page, language=self.language) == "articles"

    def _record(self, page: Page, dump: Path, *, reason: str) -> dict[str, Any]:
        text = ""
        if not reason:
            text, reason = self._clean(page)
        if reason:
            return {"page_id": page.id, "drop": reason}
        wiki = f"{self.language}wiki"
        return {
            "page_id": page.id,
            "id": f"{wiki}:{page.id}",
            "language": self.language,
            "title": page.title,
            "text": text,
            "provenance": {
                "wiki": wiki,
                "page_id": page.id,
                "revision_id": page.revision_id,
                "timestamp": page.timestamp,
                "url": self._url(page),
                "dump_date": dump_date(dump.name),
            },
        }

    def _url(self, page: Page) -> str:
        """Of exactly this revision, or where the dump names none, of the page."""
        site = f"https://{self.language}.wikipedia.org"
        if page.revision_id is not None:
            return f"{site}/w/index.php?oldid={page.revision_id}"
        return f"{site}/wiki/{quote(page.title.replace(' ', '_'))}"

    def _clean(self, page: Page) -> tuple[str, str]:
        """(text, "") or ("", why there is none)."""
        options = self.options
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


def dump_date(name: str) -> str:
    """The day in `thwiki-20250801-pages-articles.xml.bz2`, ISO 8601; empty where there is none."""
    found = DUMP_DATE.search(name)
    return "-".join(found.groups()) if found else ""
