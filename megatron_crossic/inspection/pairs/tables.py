"""The tables of the report as HTML; all text is escaped here."""

from collections import Counter
from collections.abc import Sequence
from html import escape

from megatron_crossic.inspection.pairs.account import Breakdown
from megatron_crossic.inspection.pairs.identify import Confusion
from megatron_crossic.inspection.pairs.log_histogram import LogHistogram
from megatron_crossic.inspection.pairs.statistics import PairStatistics

MOST_DETECTED = 10
"""Columns of the confusion table; rarer languages share one more."""
OTHERS = "others"


def wide_table(title: str, caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that scrolls inside its frame where the screen is narrow, by keyboard too.

    Cells are HTML; `head`, `title` and `caption` are text. The first cell of a row is its header.
    """
    columns = "".join(f"<th scope=col>{escape(name)}</th>" for name in head)
    body = "".join(f"<tr><th scope=row>{first}</th>{''.join(cells)}</tr>" for first, *cells in rows)
    return (
        f"<section class=table><h3>{escape(title)}</h3><p class=facts>{escape(caption)}</p>"
        f'<div class=wide tabindex=0 role=region aria-label="{escape(title)}"><table class=numbers>'
        f"<thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table></div></section>"
    )


def _cells(*values: object) -> list[str]:
    return [f"<td>{escape(str(value))}</td>" for value in values]


def _share(number: int, total: int) -> str:
    return f"{number:,} ({number / total:.1%})" if total else f"{number:,}"


def _quantiles(histogram: LogHistogram, form: str) -> list[str]:
    values = [histogram.quantile(q) for q in (0.05, 0.5, 0.95)]
    return ["–" if value is None else form.format(value) for value in values]


def breakdown_html(breakdown: Breakdown) -> str:
    """A table whose rows have bars."""
    most = max([1, *(n for _, n in breakdown.rows)])
    total = max(1, breakdown.total)
    colour = "" if breakdown.series is None else f" l{breakdown.series % 8}"
    rows = "".join(
        f"<tr><th scope=row><bdi>{escape(label)}</bdi></th><td class=bar>"
        f'<svg viewBox="0 0 100 10" preserveAspectRatio=none aria-hidden=true>'
        f'<rect class="mark" width="{max(100 * n / most, 0.5 if n else 0):.2f}" height="10"/>'
        f"</svg></td><td>{n:,}</td><td>{n / total:.1%}</td></tr>"
        for label, n in breakdown.rows
    )
    return (
        f'<figure class="breakdown{colour}"><figcaption><h3>{escape(breakdown.title)}</h3>'
        f"<p class=facts>{escape(breakdown.caption)}</p></figcaption>"
        f"<table class=numbers><tbody>{rows}</tbody></table></figure>"
    )


def language_table(statistics: PairStatistics) -> str:
    """One row a language."""
    rows = [
        [
            escape(code),
            *_cells(f"{s.num_documents:,}", f"{s.num_characters:,}"),
            *_cells(*_quantiles(s.lengths, "{:,.0f}"), f"{s.longest:,}"),
            *_cells(_share(s.num_short, s.num_documents), _share(s.num_empty, s.num_documents)),
            *_cells(_share(s.texts.count(), s.num_documents)),
        ]
        for code, s in statistics.languages.items()
    ]
    head = ["language", "documents", "characters", "5 %", "median", "95 %", "longest"]
    limit = f"under {statistics.short_characters:,}"
    return wide_table(
        "By language",
        "Lengths in characters. Repeated: the same text stands in an earlier pair as well.",
        [*head, limit, "empty", "repeated"],
        rows,
    )


def sides_table(statistics: PairStatistics) -> str:
    """One row for each two languages that are paired."""
    rows = [
        [
            f"{escape(source)} → {escape(target)}",
            *_cells(f"{s.num_pairs:,}", *_quantiles(s.ratios, "{:.2f}")),
            *_cells(
                *(
                    _share(n, s.num_pairs)
                    for n in (s.num_same_title, s.num_same_text, s.num_same_script)
                )
            ),
        ]
        for (source, target), s in statistics.sides.items()
    ]
    head = ["sides", "pairs", "5 %", "median", "95 %", "same title", "same text", "same script"]
    caption = (
        "Ratios are target characters per source character. Between languages of different "
        "scripts, a pair in the same script was perhaps not translated."
    )
    return wide_table("By sides", caption, head, rows)


def script_table(statistics: PairStatistics) -> str:
    """Languages by the script of their documents."""
    totals: Counter[str] = Counter()
    for found in statistics.languages.values():
        totals.update(found.scripts)
    scripts = [script for script, _ in totals.most_common()]
    rows = [
        [
            escape(code),
            *(_heat(found.scripts[script], found.num_documents) for script in scripts),
        ]
        for code, found in statistics.languages.items()
    ]
    caption = (
        "Told by at most 2,000 characters; Latin where no other script has a fifth of the letters."
    )
    return wide_table("Scripts", caption, ["language", *scripts], rows)


def confusion_table(confusion: Confusion) -> str:
    """Claimed languages by what was detected."""
    head, rows = confusion_rows(confusion)
    caption = (
        f"{confusion.num_looked_at:,} documents by chance, {confusion.num_strangers:,} of another "
        f"language than claimed; {confusion.num_too_short:,} more were too short to tell. "
        "Close relatives (Bosnian, Croatian, Serbian; Malay, Indonesian) are often taken for "
        "each other."
    )
    cells = [
        [
            escape(claimed),
            *(
                _heat(n, sum(counts), agrees=claimed == d)
                for d, n in zip(head, counts, strict=True)
            ),
        ]
        for claimed, counts in rows
    ]
    return wide_table("Claimed and detected", caption, ["claimed", *head], cells)


def confusion_rows(confusion: Confusion) -> tuple[list[str], list[tuple[str, list[int]]]]:
    """Detected languages, and for each claimed one the numbers in that order.

    Claimed languages come first, then what was detected most; the rest is `OTHERS`.
    """
    totals: Counter[str] = Counter()
    for counts in confusion.counts.values():
        totals.update(counts)
    claimed = list(confusion.counts)
    strange = [code for code, _ in totals.most_common() if code not in confusion.counts]
    shown = [*claimed, *strange[: max(0, MOST_DETECTED - len(claimed))]]
    has_others = len(totals.keys() - set(shown)) > 0
    rows = []
    for code, counts in confusion.counts.items():
        numbers = [counts[detected] for detected in shown]
        rows.append((code, [*numbers, counts.total() - sum(numbers)] if has_others else numbers))
    return [*shown, *([OTHERS] if has_others else [])], rows


def _heat(number: int, total: int, *, agrees: bool = False) -> str:
    """A cell that is the darker the larger its share of the row."""
    if not number:
        return "<td class=none>0</td>"
    degree = 1 + min(8, int(9 * number / max(1, total)))
    agreeing = " agrees" if agrees else ""
    return f'<td class="h{degree}{agreeing}">{number:,}</td>'


def strangers_table(confusion: Confusion) -> str:
    """The documents whose language is another than claimed."""
    rows = "".join(
        f"<tr><th scope=row>{escape(s.claimed)} → {escape(s.detected)}</th>"
        f"<td><p><bdi>{escape(s.title)}</bdi> <span class=facts>pair {s.pair:,} · "
        f"<bdi>{escape(s.pair_id)}</bdi></span></p><p dir=auto>{escape(s.text)}</p></td></tr>"
        for s in confusion.strangers
    )
    if not rows:
        return ""
    shown, total = len(confusion.strangers), confusion.num_strangers
    count = f"{total:,}" if shown == total else f"{shown:,} of {total:,}"
    return (
        f"<details class=strangers><summary>Of another language: {count}</summary>"
        f"<table class=words><tbody>{rows}</tbody></table></details>"
    )
