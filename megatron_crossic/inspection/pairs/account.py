"""What the manifest beside a pair file says, as counts that can be drawn and as tables."""

from collections.abc import Mapping
from dataclasses import dataclass

from megatron_crossic.inspection.account import Section, inputs_section, table_section
from megatron_crossic.inspection.marks import visible_line
from megatron_crossic.manifest import Manifest

_SIDES = ("source", "target")
_NO_KINDS = ("pages", "characters_in_pairs")
"""Counts of a side that are no kind of page."""

IN_PAIRS = "in pairs"


@dataclass(frozen=True, kw_only=True, slots=True)
class Breakdown:
    """What some things became: each is in one row."""

    title: str
    caption: str
    rows: tuple[tuple[str, int], ...]
    """Label, made safe to show, and number."""
    series: int | None = None
    """Colour, as of a bar."""

    @property
    def total(self) -> int:
        return sum(n for _, n in self.rows)


def breakdowns(manifest: Manifest) -> list[Breakdown]:
    """Pages by kind and articles by outcome of each side; other drops in one more.

    Keys are taken as they come, so that kinds and reasons of a newer version show too.
    """
    found = []
    for series, side in enumerate(_SIDES):
        language = visible_line(str(manifest.options.get(f"{side}_language", "")))
        name = f"{side} ({language})" if language else side
        found += _pages(manifest, side, name, series)
        found += _articles(manifest, side, name, series)
    apart = {r: n for r, n in manifest.drops.items() if r.partition(".")[0] not in _SIDES}
    if apart:
        found.append(_outcomes("Pairs", manifest, apart))
    return found


def _pages(manifest: Manifest, side: str, name: str, series: int) -> list[Breakdown]:
    counts = manifest.counts.get(side)
    if not isinstance(counts, Mapping):
        return []
    kinds = {k: n for k, n in counts.items() if k not in _NO_KINDS and isinstance(n, int)}
    rows = _rows(kinds)
    caption = f"{sum(kinds.values()):,} pages of the dump by kind."
    title = f"Pages, {name}"
    return [Breakdown(title=title, caption=caption, rows=rows, series=series)] if rows else []


def _articles(manifest: Manifest, side: str, name: str, series: int) -> list[Breakdown]:
    prefix = f"{side}."
    drops = {r.removeprefix(prefix): n for r, n in manifest.drops.items() if r.startswith(prefix)}
    return [_outcomes(f"Articles, {name}", manifest, drops, series)] if drops else []


def _outcomes(
    title: str, manifest: Manifest, drops: Mapping[str, int], series: int | None = None
) -> Breakdown:
    kept = manifest.counts.get("pairs", 0)
    kept = kept if isinstance(kept, int) else 0
    total = kept + sum(drops.values())
    caption = f"{kept:,} of {total:,} kept, {kept / max(1, total):.1%}; the others by reason."
    rows = ((IN_PAIRS, kept), *_rows(drops))
    return Breakdown(title=title, caption=caption, rows=rows, series=series)


def _rows(counts: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    """Most first; what never happened is left out."""
    rows = sorted(((k, n) for k, n in counts.items() if n), key=lambda row: (-row[1], row[0]))
    return tuple((visible_line(str(name).replace("_", " ")), n) for name, n in rows)


def manifest_sections(manifest: Manifest) -> list[Section]:
    """All counts as they stand, how the file was made and from what; empty tables left out."""
    sections = [
        table_section("Counts", manifest.counts, is_numeric=True),
        table_section("Left out", manifest.drops, is_numeric=True),
        table_section("Options", manifest.options),
        inputs_section(manifest),
        table_section("Made by", {**manifest.details, "code version": manifest.code_version}),
    ]
    return [section for section in sections if section.rows]
