"""Cut the sides of a pair into the same number of parts that belong together.

Pure arithmetic on positions: a side is known by the token positions at which its paragraphs end
(and, asked for only where needed, its sentences). A cut is one position a side, and part i of all
sides together must fit in the budget. There may be any number of sides; two are the rule. In three
steps:

1. Candidates: paragraph ends of the first side that has text and of every other that are each
   other's nearest by relative position (mutual nearest neighbours on a line never cross) and not
   further apart than the tolerance.
2. The stretch between two neighbouring candidates is an atom. An atom above the budget is cut into
   near equal steps; in each, all sides go to the same relative position of the atom or to the last
   paragraph end before it, else the last sentence end, else exactly there, inside a sentence.
3. Atoms are joined greedily, always to the furthest cut that fits: the fewest parts these cuts
   allow.

Example, budget 100: sides of 120 and 60 tokens with paragraph ends 40, 80, 120 and 30, 60. At 0.33
and 0.67 against 0.5 nothing is near enough, so all is one atom, cut in ceil(180 / 100) = 2 steps.
The first reaches half: the sides end paragraphs there at 40 and 30, which leaves 80 + 30 > 100, so
one more step to ((70 + 110 / 2) / 180 = 0.69) 80 and, inside the last paragraph, 41. Joined again
as far as they fit: (0, 0), (40, 30), (80, 41), (120, 60) holds parts of 70, 51 and 59; 70 + 51 is
too much, 51 + 59 is too much, so three parts stay.

How far apart can a cut's relative positions be? Let f = budget / (tokens of all sides) be the
share of one full part. At a candidate: at most min(f / 2, MAX_DRIFT) from the first side. Inside
an atom a side stops short of the position aimed at by less than two steps (a paragraph end taken
is always beyond the previous aim; one sentence end may not be), and a step is at most f. Together
with two sides: less than 2.5 f, plus one token of rounding. With long texts and aligned paragraphs
it is far less.

Everything is in whole numbers, compared without fractions.
"""

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.int64]
Cut = tuple[int, ...]
"""One token position a side."""

DRIFT_SHARES = 10
MAX_DRIFT = 1 / DRIFT_SHARES
"""Paragraph ends further apart than this share of their texts are no candidates. Our choice."""


def min_budget(num_sides: int) -> int:
    """The smallest budget that always lets a step inside an atom get on.

    A step is more than half a budget, and each side's share of it is rounded down, so all together
    move on by more than budget / 2 - num_sides tokens: here by more than one a side.
    """
    return 4 * num_sides


MIN_BUDGET = min_budget(2)


def no_sentences(paragraph: int) -> Positions:
    """For sides that may only be cut at paragraph ends and, failing that, anywhere."""
    del paragraph
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outline:
    """Where one side may be cut."""

    paragraph_ends: Positions
    """Increasing token positions; the last is the side's length; empty for an empty side."""
    sentence_ends: Callable[[int], Positions] = no_sentences
    """Paragraph index -> increasing token positions (in the side) of its sentence ends."""

    @property
    def num_tokens(self) -> int:
        return int(self.paragraph_ends[-1]) if self.paragraph_ends.size else 0


EMPTY = Outline(paragraph_ends=np.empty(0, dtype=np.int64))


def cut_together(outlines: Sequence[Outline], *, budget: int) -> Positions:
    """The cuts of a pair, both ends included, as few as the candidates allow."""
    cuts = atom_cuts(outlines, budget=budget)
    return cuts[_join(cuts.sum(axis=1).tolist(), budget)]  # [parts + 1, sides]


def atom_cuts(outlines: Sequence[Outline], *, budget: int) -> Positions:
    """All places where a cut is allowed; neighbours are never more than the budget apart.

    Sides that fit in the budget together are one atom: no cut is allowed inside.
    """
    assert budget >= min_budget(len(outlines)), "options refuse a smaller seq_length"
    lengths = [outline.num_tokens for outline in outlines]
    if sum(lengths) <= budget:
        return np.array([[0] * len(lengths), lengths], dtype=np.int64)
    cuts = _candidates(outlines, budget)
    wide = np.flatnonzero(np.diff(cuts.sum(axis=1)) > budget)
    if not len(wide):
        return cuts
    walks = [_Walk(outline) for outline in outlines]
    rows: list[Cut] = []
    inside = []
    for start, end in zip(cuts[wide].tolist(), cuts[wide + 1].tolist(), strict=True):
        found = _split_atom(walks, start, end, budget)
        rows += found
        inside.append(len(found))
    return np.insert(cuts, np.repeat(wide + 1, inside), rows, axis=0)  # [cuts, sides]


def candidate_cuts(outlines: Sequence[Outline], *, budget: int) -> Positions:
    """Both ends and the paragraph ends that belong together, for parts of this budget."""
    return _candidates(outlines, budget)  # [cuts, sides]


def aligned_cuts(outlines: Sequence[Outline]) -> Positions:
    """Both ends and the paragraph ends that belong together, whatever the size of the parts.

    They divide the sides into pieces to lay down in turn: see `refine`.
    """
    return _candidates(outlines, None)  # [pieces + 1, sides]


@dataclass(frozen=True, kw_only=True, slots=True)
class Refined:
    """The cuts of a pair with the aligned ones between them."""

    cuts: Positions  # [pieces + 1, sides]
    bounds: NDArray[np.int64]  # [parts + 1]
    """Part k holds the pieces from `cuts[bounds[k]]` to `cuts[bounds[k + 1]]`."""


def refine(cuts: Positions, aligned: Positions) -> Refined:
    """Divide every part of `cuts` at the aligned cuts that lie inside it on all sides.

    Example: cuts (0, 0), (40, 41), (80, 60) and aligned (0, 0), (20, 18), (40, 40), (60, 50),
    (80, 60). (40, 40) is not inside: the second part begins behind it on one side. That gives
    (0, 0), (20, 18), (40, 41), (60, 50), (80, 60) with bounds 0, 2, 4. The first part is laid down
    as source 0-20, target 0-18, source 20-40, target 18-41; the second as source 40-60, target
    41-50, source 60-80, target 50-60.
    """
    sides = np.flatnonzero(cuts[-1]).tolist()  # an empty side has no inside
    columns = [aligned[:, side].tolist() for side in sides]
    corners, inner = cuts.tolist(), aligned.tolist()
    refined, bounds = corners[:1], [0]
    for start, end in itertools.pairwise(corners):
        if sides:
            first = max(bisect_right(columns[i], start[side]) for i, side in enumerate(sides))
            last = min(bisect_left(columns[i], end[side]) for i, side in enumerate(sides))
            refined += inner[first:last]
        refined.append(end)
        bounds.append(len(refined) - 1)
    return Refined(cuts=np.array(refined, dtype=np.int64), bounds=np.array(bounds, dtype=np.int64))


def _candidates(outlines: Sequence[Outline], budget: int | None) -> Positions:
    lengths = [outline.num_tokens for outline in outlines]
    first = next((side for side, length in enumerate(lengths) if length), None)
    if first is None:
        return np.zeros((2, len(lengths)), dtype=np.int64)
    ends = outlines[first].paragraph_ends[:-1]
    cuts = np.zeros((len(ends) + 2, len(lengths)), dtype=np.int64)
    cuts[-1] = lengths
    cuts[1:-1, first] = ends
    has_partners = np.ones(len(cuts), dtype=bool)
    for side, length in enumerate(lengths):
        if side != first and length:
            # Relative distances on one common scale without fractions: position * other length.
            scale = lengths[first] * length
            limit = scale // DRIFT_SHARES
            if budget is not None:
                limit = min(limit, budget * scale // (2 * sum(lengths)))
            partners = _partners(outlines[first], outlines[side], limit=limit)
            cuts[1:-1, side] = partners
            has_partners[1:-1] &= partners != _NO_PARTNER
    return cuts[has_partners]


_NO_PARTNER = -1


def _partners(first: Outline, second: Outline, *, limit: int) -> Positions:
    """For each inner paragraph end of `first` its mutual nearest of `second` within the limit.

    Of two as near the lower one counts. Whether it is mutual shows at the point's neighbours.
    """
    points = first.paragraph_ends[:-1] * second.num_tokens
    others = second.paragraph_ends[:-1] * first.num_tokens
    if not len(others):
        return np.full(len(points), _NO_PARTNER)
    above = np.minimum(others.searchsorted(points), len(others) - 1)
    below = np.maximum(above - 1, 0)
    is_below = np.abs(points - others[below]) <= np.abs(others[above] - points)
    nearest = np.where(is_below, below, above)
    other = others[nearest]
    gap = np.abs(other - points)
    is_mutual = gap <= limit
    is_mutual[1:] &= other[1:] - points[:-1] > gap[1:]
    is_mutual[:-1] &= points[1:] - other[:-1] >= gap[:-1]
    return np.where(is_mutual, second.paragraph_ends[nearest], _NO_PARTNER)


class _Walk:
    """One side while its atoms are cut; keeps the sentences of the paragraph it is in."""

    def __init__(self, outline: Outline) -> None:
        self._sentence_ends = outline.sentence_ends
        self._paragraphs: list[int] = outline.paragraph_ends.tolist()
        self._current = -1
        self._sentences: list[int] = []

    def cut(self, position: int, limit: int) -> int:
        """The last paragraph end in (position, limit], else sentence end, else the limit itself."""
        if limit <= position:
            return position
        paragraph = bisect_right(self._paragraphs, limit)
        if paragraph and (end := self._paragraphs[paragraph - 1]) > position:
            return end
        if paragraph != self._current:
            self._current = paragraph
            self._sentences = self._sentence_ends(paragraph).tolist()
        sentence = bisect_right(self._sentences, limit)
        if sentence and (end := self._sentences[sentence - 1]) > position:
            return end
        return limit


def _join(totals: Sequence[int], budget: int) -> list[int]:
    """Indices of as few cuts as possible: from each, go on to the furthest that fits."""
    kept, at = [0], 0
    while at < len(totals) - 1:
        furthest = bisect_right(totals, totals[at] + budget, lo=at) - 1
        assert furthest > at, "an atom must fit in the budget"
        kept.append(furthest)
        at = furthest
    return kept


def _split_atom(
    walks: Sequence[_Walk], start: Sequence[int], end: Sequence[int], budget: int
) -> list[Cut]:
    """Cuts strictly inside one atom that is above the budget."""
    sizes = [b - a for a, b in zip(start, end, strict=True)]
    total = sum(sizes)
    position: Sequence[int] = start
    cuts: list[Cut] = []
    while (remaining := sum(end) - sum(position)) > budget:
        num_steps = -(-remaining // budget)
        # Relative position aimed at: (tokens behind us + one equal step) / all tokens.
        aim, scale = (total - remaining) * num_steps + remaining, total * num_steps
        position = tuple(
            walk.cut(at, first + size * aim // scale)
            for walk, at, first, size in zip(walks, position, start, sizes, strict=True)
        )
        cuts.append(position)
    return cuts
