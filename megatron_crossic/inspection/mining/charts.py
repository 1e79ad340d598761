"""The scores as a histogram, and what other thresholds would keep."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from megatron_crossic.inspection.charts import Bar, Chart, Mark
from megatron_crossic.inspection.marks import visible_line
from megatron_crossic.inspection.mining.record import MiningRecord
from megatron_crossic.inspection.pairs.account import Breakdown

MOST_BARS = 50
WIDTHS = (1, 2, 5, 10, 20, 50)
"""Bins of a bar or of a step between thresholds."""
TAIL = 0.005
"""Share of the documents at either end that is drawn in the outermost bars."""
MOST_EDGES = 8
"""Numbers below the axis that do not touch each other on a phone."""
THRESHOLDS = 5
"""Rows of the table on either side of the threshold."""


def score_chart(record: MiningRecord) -> Chart:
    """Best candidates and pairs by score, the threshold as a line."""
    at = math.floor(record.threshold * record.bins_per_unit + 1e-6)
    first, last = _middle(record.best, at)
    width = next((w for w in WIDTHS if last - first < w * MOST_BARS), WIDTHS[-1])
    begin = first // width * width
    num_bars = max(1, math.ceil((last + 1 - begin) / width))
    best, chosen = (
        _coarse(counts, begin, width, num_bars) for counts in (record.best, record.chosen)
    )
    edges = [(begin + i * width) / record.bins_per_unit for i in range(num_bars + 1)]
    # Numbers stand at round ones.
    every = next((w for w in WIDTHS if not w % width and num_bars * width < MOST_EDGES * w), 100)
    return Chart(
        name="scores",
        title="Scores",
        x_label=record.score_name,
        y_label="documents",
        caption="Documents by the score of their best candidate, and pairs by theirs. "
        "The outermost bars hold what lies beyond.",
        bars=tuple(
            Bar(
                label=f"{edges[i]:.2f} to {edges[i + 1]:.2f}",
                edge="" if (begin + i * width) % every else f"{edges[i]:.2f}",
                count=best[i],
                part=chosen[i],
            )
            for i in range(num_bars)
        ),
        last_edge="" if (begin + num_bars * width) % every else f"{edges[-1]:.2f}",
        part_label="pairs",
        mark=Mark(
            at=(record.threshold * record.bins_per_unit - begin) / width,
            label=f"threshold {record.threshold:g}",
        ),
    )


def _middle(counts: Mapping[int, int], always: int) -> tuple[int, int]:
    """The first and last bin of all but the tails, `always` among them."""
    total, before = sum(counts.values()), 0
    first, last = always, always
    for place in sorted(counts):
        if before <= TAIL * total < before + counts[place]:
            first = min(first, place)
        if before < (1 - TAIL) * total <= before + counts[place]:
            last = max(last, place)
        before += counts[place]
    return first, last


def _coarse(counts: Mapping[int, int], begin: int, width: int, num_bars: int) -> list[int]:
    bars = [0] * num_bars
    for place, count in counts.items():
        bars[min(max((place - begin) // width, 0), num_bars - 1)] += count
    return bars


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """What a threshold keeps."""

    threshold: float
    num_reaching: int
    """Documents whose best candidate reaches it: no more can be in pairs."""
    num_pairs: int | None
    """Pairs; None below the threshold selected with, where nobody has looked at texts."""
    is_current: bool


def kept_at_thresholds(record: MiningRecord) -> list[Kept]:
    """The threshold selected with and some on either side, by ascending threshold.

    Above it the numbers are exact: a higher threshold takes away the pairs below it and no other.
    """
    bins = record.bins_per_unit
    middle = record.threshold * bins
    first, last = _middle(record.best, round(middle))
    step = next((w for w in WIDTHS if last - first <= 2 * THRESHOLDS * w), WIDTHS[-1])
    below = math.ceil(middle / step - 1e-6) - 1
    above = math.floor(middle / step + 1e-6) + 1
    places = [(below - i) * step for i in reversed(range(THRESHOLDS))]
    places += [(above + i) * step for i in range(THRESHOLDS)]
    rows = [_kept(record, place) for place in places]
    current = Kept(
        threshold=record.threshold,
        num_reaching=record.num_above,
        num_pairs=record.num_pairs,
        is_current=True,
    )
    return [*rows[:THRESHOLDS], current, *rows[THRESHOLDS:]]


def _kept(record: MiningRecord, place: int) -> Kept:
    threshold = place / record.bins_per_unit
    pairs = sum(n for bin_, n in record.chosen.items() if bin_ >= place)
    return Kept(
        threshold=threshold,
        num_reaching=sum(n for bin_, n in record.best.items() if bin_ >= place),
        num_pairs=pairs if threshold > record.threshold else None,
        is_current=False,
    )


def outcome_breakdowns(record: MiningRecord) -> list[Breakdown]:
    """Documents and candidates by what became of them."""
    documents = {"in pairs": record.num_pairs, **_ordered(record.drops)}
    rejected = {
        visible_line(str(k)): int(v) for k, v in record.counts["candidates_rejected"].items()
    }
    candidates = {"chosen": int(record.counts["candidates_chosen"]), **_ordered(rejected)}
    return [
        Breakdown(
            title="Documents",
            caption=f"{record.num_documents:,} documents; one without a pair under the reason of "
            "its best candidate.",
            rows=_rows(documents),
        ),
        Breakdown(
            title="Candidates",
            caption=f"{int(record.counts['candidates']):,} candidates. Texts are looked at only "
            "where a candidate would be taken.",
            rows=_rows(candidates),
        ),
    ]


def _ordered(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def _rows(counts: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple((name.replace("_", " "), n) for name, n in counts.items())
