"""Cut the two sides of a pair into the same number of parts that belong together.

Pure arithmetic on positions: a side is known by the token positions at which its paragraphs end
(and, asked for only where needed, its sentences). A cut is a pair of positions, one a side, and
part i of both sides together must fit in the budget. In three steps:

1. Candidates: paragraph ends of the two sides that are each other's nearest by relative position
   (mutual nearest neighbours on a line never cross) and not further apart than the tolerance.
2. The stretch between two neighbouring candidates is an atom. An atom above the budget is cut into
   near equal steps; in each, both sides go to the same relative position of the atom or to the
   last paragraph end before it, else the last sentence end, else exactly there, inside a sentence.
3. Atoms are joined greedily, always to the furthest cut that fits: the fewest parts these cuts
   allow.

Example, budget 100: sides of 120 and 60 tokens with paragraph ends 40, 80, 120 and 30, 60. At 0.33
and 0.67 against 0.5 nothing is near enough, so all is one atom, cut in ceil(180 / 100) = 2 steps.
The first reaches half: the sides end paragraphs there at 40 and 30, which leaves 80 + 30 > 100, so
one more step to ((70 + 110 / 2) / 180 = 0.69) 80 and, inside the last paragraph, 41. Joined again
as far as they fit: (0, 0), (40, 30), (80, 41), (120, 60) holds parts of 70, 51 and 59; 70 + 51 is
too much, 51 + 59 is too much, so three parts stay.

How far apart can a cut's two relative positions be? Let f = budget / (tokens of both sides) be the
share of one full part. At a candidate: at most min(f / 2, MAX_DRIFT). Inside an atom a side stops
short of the position aimed at by less than two steps (a paragraph end taken is always beyond the
previous aim; one sentence end may not be), and a step is at most f. Together: less than 2.5 f, plus
one token of rounding. With long texts and aligned paragraphs it is far less.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.int64]

MAX_DRIFT = 0.1
"""Paragraph ends further apart than this share of their texts are no candidates. Our choice."""

MIN_BUDGET = 8
"""Below this a step of two sides might round to nothing."""


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


def cut_together(first: Outline, second: Outline, *, budget: int) -> Positions:
    """The cuts of a pair, both ends included, as few as the candidates allow."""  # [parts + 1, 2]
    assert budget >= MIN_BUDGET, "options refuse a smaller seq_length"
    end = np.array([first.num_tokens, second.num_tokens], dtype=np.int64)
    if end.sum() <= budget:
        return np.stack([np.zeros_like(end), end])
    return join_atoms(atom_cuts(first, second, budget=budget), budget=budget)


def atom_cuts(first: Outline, second: Outline, *, budget: int) -> Positions:
    """All places where a cut is allowed; neighbours are never more than the budget apart."""
    cuts = candidate_cuts(first, second, budget=budget)
    sizes = np.diff(cuts.sum(axis=1))
    pieces = [cuts[:1]]
    for i, size in enumerate(sizes.tolist()):
        if size > budget:
            pieces.append(_split_atom((first, second), cuts[i], cuts[i + 1], budget=budget))
        pieces.append(cuts[i + 1 : i + 2])
    return np.concatenate(pieces)


def candidate_cuts(first: Outline, second: Outline, *, budget: int) -> Positions:
    """Both ends and the paragraph ends of both sides that belong together."""  # [cuts, 2]
    length, other_length = first.num_tokens, second.num_tokens
    ends, other_ends = first.paragraph_ends[:-1], second.paragraph_ends[:-1]
    if not length or not other_length:
        matched, other_matched = _alone(ends, other_ends)
    elif ends.size and other_ends.size:
        # On one common scale without fractions: position * length of the other side.
        scaled, other_scaled = ends * other_length, other_ends * length
        nearest = _nearest(scaled, other_scaled)
        mutual = _nearest(other_scaled, scaled)[nearest] == np.arange(ends.size)
        share = min(MAX_DRIFT, budget / (2 * (length + other_length)))
        close = np.abs(scaled - other_scaled[nearest]) <= share * length * other_length
        matched, other_matched = ends[mutual & close], other_ends[nearest[mutual & close]]
    else:
        matched = other_matched = np.empty(0, dtype=np.int64)
    inner = np.stack([matched, other_matched], axis=1)
    return np.concatenate([[[0, 0]], inner, [[length, other_length]]])


def join_atoms(cuts: Positions, *, budget: int) -> Positions:
    """Keep as few cuts as possible: from each, go on to the furthest that fits."""
    totals = cuts.sum(axis=1)
    kept = [0]
    while kept[-1] < len(totals) - 1:
        furthest = int(np.searchsorted(totals, totals[kept[-1]] + budget, side="right")) - 1
        assert furthest > kept[-1], "an atom must fit in the budget"
        kept.append(furthest)
    return cuts[kept]


def _alone(ends: Positions, other_ends: Positions) -> tuple[Positions, Positions]:
    """With one side empty, every paragraph end of the other is a candidate."""
    return (
        np.concatenate([ends, np.zeros_like(other_ends)]),
        np.concatenate([np.zeros_like(ends), other_ends]),
    )


def _nearest(points: Positions, others: Positions) -> Positions:
    """Index of the nearest of `others` for each point, the lower one where two are as near."""
    right = np.searchsorted(others, points).clip(max=others.size - 1)
    left = (right - 1).clip(min=0)
    return np.where(np.abs(others[right] - points) < np.abs(points - others[left]), right, left)


def _split_atom(
    outlines: tuple[Outline, Outline], start: Positions, end: Positions, *, budget: int
) -> Positions:
    """Cuts strictly inside one atom that is above the budget."""  # [cuts, 2]
    sizes = [int(size) for size in end - start]
    total = sum(sizes)
    position, cuts = start, []
    while (remaining := int((end - position).sum())) > budget:
        num_steps = -(-remaining // budget)
        # Relative position aimed at: (tokens behind us + one equal step) / all tokens.
        aim, scale = (total - remaining) * num_steps + remaining, total * num_steps
        limits = [int(start[side]) + sizes[side] * aim // scale for side in (0, 1)]
        position = np.array(
            [_cut_side(outlines[i], int(position[i]), limits[i]) for i in (0, 1)], dtype=np.int64
        )
        cuts.append(position)
    return np.stack(cuts)


def _cut_side(outline: Outline, position: int, limit: int) -> int:
    """The last paragraph end in (position, limit], else sentence end, else the limit itself."""
    if limit <= position:
        return position
    paragraph = int(np.searchsorted(outline.paragraph_ends, limit, side="right"))
    if paragraph and (end := int(outline.paragraph_ends[paragraph - 1])) > position:
        return end
    sentences = outline.sentence_ends(paragraph)
    sentence = int(np.searchsorted(sentences, limit, side="right"))
    if sentence and (end := int(sentences[sentence - 1])) > position:
        return end
    return limit
