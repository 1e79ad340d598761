"""Cleaning alone, page after page in one process, beside mwparserfromhell's `strip_code`."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import mwparserfromhell
from mwparserfromhell.parser import ParserError

from megatron_crossic.data.wikipedia.cleaning.clean import clean_wikitext
from megatron_crossic.data.wikipedia.dump import read_pages
from megatron_crossic.errors import DataError


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """Articles of one language."""

    language: str
    pages: tuple[tuple[str, str], ...]
    """Title and wikitext."""

    @property
    def num_bytes(self) -> int:
        return sum(len(text.encode("utf-8", "replace")) for _, text in self.pages)


def read_sample(paths: Sequence[Path], *, language: str, max_bytes: int) -> Sample:
    """The first articles of the dumps; of all of them `max_bytes` of wikitext at most."""
    size = 0

    def fits(page: tuple[str, str]) -> bool:
        nonlocal size
        before, size = size, size + len(page[1].encode("utf-8", "replace"))
        return size <= max_bytes or not before

    articles = (
        (page.title, page.text)
        for path in paths
        for page in read_pages(path, with_text=True)
        if page.redirect is None and not page.namespace and page.text
    )
    sample = Sample(language=language, pages=tuple(takewhile(fits, articles)))
    if not sample.pages:
        raise DataError(
            f"dumps to clean must hold articles, got none in {', '.join(map(str, paths))}. "
            "Give a pages-articles dump, or raise --cleaning-megabytes."
        )
    return sample


def strip_code(text: str, *, language: str) -> str:  # noqa: ARG001
    """What mwparserfromhell alone makes of a page."""
    return str(mwparserfromhell.parse(text).strip_code())


Cleaner = Callable[..., str]
CLEANERS: dict[str, Cleaner] = {"ours": clean_wikitext, "strip_code": strip_code}


def compare_cleaners(sample: Sample, *, repeats: int = 1) -> dict[str, Any]:
    """The best of `repeats` runs of each cleaner over all pages, by CPU time."""
    clean_wikitext(sample.pages[0][1], language=sample.language)  # patterns compiled, parser loaded
    runs = {
        name: [time_cleaner(cleaner, sample) for _ in range(repeats)]
        for name, cleaner in CLEANERS.items()
    }
    best = {name: min(found, key=lambda run: run["cpu_seconds"]) for name, found in runs.items()}
    return {
        "pages": len(sample.pages),
        "wikitext_bytes": sample.num_bytes,
        **best,
        "ratio": round(best["strip_code"]["cpu_seconds"] / best["ours"]["cpu_seconds"], 2),
    }


def time_cleaner(cleaner: Cleaner, sample: Sample) -> dict[str, Any]:
    """One run over all pages, and the page that took longest."""
    total = slowest = 0.0
    title, num_failed, num_characters = "", 0, 0
    for name, text in sample.pages:
        started = time.process_time()
        try:
            num_characters += len(cleaner(text, language=sample.language))
        except (DataError, ParserError):
            num_failed += 1
        seconds = time.process_time() - started
        total += seconds
        if seconds > slowest:
            slowest, title = seconds, name
    return {
        "cpu_seconds": round(max(total, 1e-6), 6),
        "mb_per_second": round(sample.num_bytes / 1e6 / max(total, 1e-6), 3),
        "characters_out": num_characters,
        "failed": num_failed,
        "slowest_page": {"title": title, "seconds": round(slowest, 3)},
    }
