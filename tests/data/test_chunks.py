from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from megatron_crossic.data.chunks import (
    EMPTY,
    MAX_DRIFT,
    MIN_BUDGET,
    Outline,
    Positions,
    aligned_cuts,
    atom_cuts,
    candidate_cuts,
    cut_together,
    min_budget,
    refine,
)


def outline(*sizes: int, sentence: int = 0) -> Outline:
    """Paragraphs of these sizes; with `sentence`, every that many tokens a sentence ends."""
    ends = np.cumsum(sizes, dtype=np.int64)

    def sentence_ends(paragraph: int) -> Positions:
        start, end = int(ends[paragraph]) - sizes[paragraph], int(ends[paragraph])
        inner = range(start + sentence, end, sentence) if sentence else []
        return np.array([*inner, end], dtype=np.int64)

    return Outline(paragraph_ends=ends, sentence_ends=sentence_ends)


paragraphs = st.lists(st.integers(1, 60), max_size=8)
outlines = st.builds(lambda sizes, n: outline(*sizes, sentence=n), paragraphs, st.integers(0, 20))
budgets = st.integers(MIN_BUDGET, 80)


def test_a_pair_that_fits_is_one_chunk() -> None:
    assert cut_together([outline(6, 4), outline(10)], budget=20).tolist() == [[0, 0], [10, 10]]
    assert cut_together([outline(6, 4), outline(10)], budget=19).shape == (3, 2)


def test_aligned_paragraphs_are_cut_side_by_side() -> None:
    # Parts of (10 + 20) tokens; two of them fit in 60, three do not.
    cuts = cut_together([outline(10, 10, 10, 10), outline(20, 20, 20, 20)], budget=60)
    assert cuts.tolist() == [[0, 0], [20, 40], [40, 80]]


def test_the_example_of_the_module() -> None:
    cuts = cut_together([outline(40, 40, 40), outline(30, 30)], budget=100)
    assert cuts.tolist() == [[0, 0], [40, 30], [80, 41], [120, 60]]


def test_candidates_are_mutual_nearest_ends() -> None:
    # Relative ends .1 .5 against .48 .52: .5 takes .48 (the lower of two as near), .1 nothing.
    found = candidate_cuts([outline(10, 40, 50), outline(48, 4, 48)], budget=80)
    assert found.tolist() == [[0, 0], [50, 48], [100, 100]]


def test_ends_too_far_apart_are_no_candidates() -> None:
    assert len(candidate_cuts([outline(10, 90), outline(21, 79)], budget=190)) == 2
    assert len(candidate_cuts([outline(10, 90), outline(20, 80)], budget=190)) == 3
    # The tolerance is also half a part: 40 / (2 * 200) = 0.1, 20 / (2 * 200) = 0.05.
    assert len(candidate_cuts([outline(10, 90), outline(20, 80)], budget=40)) == 3
    assert len(candidate_cuts([outline(10, 90), outline(20, 80)], budget=20)) == 2


@pytest.mark.parametrize(
    ("sentence", "expected"), [(0, [33, 66, 100]), (10, [30, 60, 100]), (40, [40, 70, 100])]
)
def test_a_long_paragraph_is_cut_at_sentences_else_at_tokens(
    sentence: int, expected: list[int]
) -> None:
    cuts = cut_together([outline(100, sentence=sentence), EMPTY], budget=40)
    assert cuts[1:, 0].tolist() == expected
    assert not cuts[:, 1].any()


def test_a_paragraph_end_is_taken_however_early_it_is() -> None:
    # Both sides aim at 50 of 100; the first ends a paragraph at 10, the second nowhere.
    cuts = atom_cuts([outline(10, 90, sentence=15), outline(100)], budget=120)
    assert cuts[1].tolist() == [10, 50]


def test_one_empty_side_is_cut_at_paragraphs() -> None:
    cuts = cut_together([EMPTY, outline(*[7] * 6)], budget=22)
    assert cuts.tolist() == [[0, 0], [0, 21], [0, 42]]


def test_a_tiny_side_does_not_stop_the_other() -> None:
    cuts = cut_together([outline(1, 1), outline(10_000)], budget=100)
    assert 101 <= len(cuts) - 1 <= 105
    assert np.diff(cuts.sum(axis=1)).max() <= 100


def test_both_empty_is_one_empty_part() -> None:
    assert cut_together([EMPTY, EMPTY], budget=8).tolist() == [[0, 0], [0, 0]]


@given(outlines, outlines, budgets)
def test_every_token_is_in_one_part_in_order_and_every_part_fits(
    first: Outline, second: Outline, budget: int
) -> None:
    cuts = cut_together([first, second], budget=budget)
    assert cuts[0].tolist() == [0, 0]
    assert cuts[-1].tolist() == [first.num_tokens, second.num_tokens]
    parts = np.diff(cuts, axis=0)
    assert (parts >= 0).all()
    assert parts.sum(axis=1).max() <= budget
    for column, side in enumerate((first, second)):
        tokens = np.arange(side.num_tokens)
        joined = [tokens[a:b] for a, b in zip(cuts[:-1, column], cuts[1:, column], strict=True)]
        assert np.array_equal(np.concatenate(joined), tokens)


@given(outlines, outlines, budgets)
def test_the_result_does_not_depend_on_which_side_comes_first(
    first: Outline, second: Outline, budget: int
) -> None:
    cuts = cut_together([first, second], budget=budget)
    assert np.array_equal(cut_together([first, second], budget=budget), cuts)
    assert np.array_equal(cut_together([second, first], budget=budget)[:, ::-1], cuts)


@settings(max_examples=60)
@given(outlines, outlines, st.integers(30, 120))
def test_no_choice_among_the_cuts_gives_fewer_parts(
    first: Outline, second: Outline, budget: int
) -> None:
    candidates = atom_cuts([first, second], budget=budget)
    num_parts = len(cut_together([first, second], budget=budget)) - 1
    inner = range(1, len(candidates) - 1)
    for fewer in combinations(inner, min(num_parts - 2, 3)) if num_parts > 1 else ():
        sizes = np.diff(candidates[[0, *fewer, len(candidates) - 1]].sum(axis=1))
        assert sizes.max() > budget


@given(outlines, outlines, budgets)
def test_candidates_never_cross_and_are_near(first: Outline, second: Outline, budget: int) -> None:
    cuts = candidate_cuts([first, second], budget=budget)
    if first.num_tokens and second.num_tokens:
        assert (np.diff(cuts, axis=0) > 0).all()
        drift = np.abs(relative(cuts)[:, 0] - relative(cuts)[:, 1])
        assert drift.max() <= MAX_DRIFT + 1e-12


@settings(max_examples=300)
@given(outlines, outlines, budgets)
def test_both_sides_are_cut_at_about_the_same_relative_position(
    first: Outline, second: Outline, budget: int
) -> None:
    if not first.num_tokens or not second.num_tokens:
        return
    positions = relative(cut_together([first, second], budget=budget))
    lengths = first.num_tokens, second.num_tokens
    bound = 2.5 * budget / sum(lengths) + 1 / min(lengths)
    assert np.abs(positions[:, 0] - positions[:, 1]).max() <= bound


def test_the_drift_bound_says_something() -> None:
    """Alternating long and short paragraphs against even ones: 30 parts, none far off."""
    first, second = outline(*[90, 10] * 30, sentence=7), outline(*[75] * 40, sentence=9)
    cuts = cut_together([first, second], budget=200)
    drift = np.abs(relative(cuts)[:, 0] - relative(cuts)[:, 1])
    assert len(cuts) > 30
    assert 0 < drift.max() <= 2.5 * 200 / 6000 < 0.1


def relative(cuts: Positions) -> np.ndarray:
    return cuts / cuts[-1]


three_sides = st.lists(outlines, min_size=1, max_size=4)


@given(three_sides, st.integers(16, 80))
def test_any_number_of_sides_keeps_the_laws(sides: list[Outline], budget: int) -> None:
    cuts = cut_together(sides, budget=budget)
    assert cuts[0].tolist() == [0] * len(sides)
    assert cuts[-1].tolist() == [side.num_tokens for side in sides]
    parts = np.diff(cuts, axis=0)
    assert (parts >= 0).all()
    assert parts.sum(axis=1).max() <= budget
    if cuts[-1].all():
        bound = 2.5 * budget / cuts[-1].sum() + 1 / cuts[-1].min()
        assert (np.ptp(relative(cuts), axis=1) <= bound).all()


@given(st.lists(outlines, min_size=1, max_size=3), st.integers(0, 3), st.integers(16, 80))
def test_an_empty_side_changes_nothing_for_the_others(
    sides: list[Outline], place: int, budget: int
) -> None:
    wider = [*sides[:place], EMPTY, *sides[place:]]
    cuts = cut_together(wider, budget=budget)
    others = [i for i in range(len(wider)) if i != min(place, len(sides))]
    assert np.array_equal(cuts[:, others], cut_together(sides, budget=budget))


@pytest.mark.parametrize("num_sides", [1, 2, 3, 5])
@given(data=st.data())
def test_the_smallest_budget_is_enough(num_sides: int, data: st.DataObject) -> None:
    sides = data.draw(st.lists(outlines, min_size=num_sides, max_size=num_sides))
    budget = min_budget(num_sides)
    assert np.diff(cut_together(sides, budget=budget).sum(axis=1)).max() <= budget


def test_three_aligned_sides_are_cut_side_by_side() -> None:
    sides = [outline(10, 10, 10), outline(20, 20, 20), outline(5, 5, 5)]
    assert cut_together(sides, budget=70).tolist() == [[0, 0, 0], [20, 40, 10], [30, 60, 15]]


def test_a_candidate_of_three_sides_is_one_on_every_side() -> None:
    # The third side has nothing near 20 of 30.
    sides = [outline(10, 10, 10), outline(10, 10, 10), outline(10, 20)]
    assert candidate_cuts(sides, budget=90).tolist() == [[0, 0, 0], [10, 10, 10], [30, 30, 30]]


def test_the_aligned_cuts_do_not_depend_on_the_budget() -> None:
    sides = [outline(10, 90), outline(20, 80)]
    assert aligned_cuts(sides).tolist() == [[0, 0], [10, 20], [100, 100]]
    assert len(candidate_cuts(sides, budget=20)) == 2


def test_the_example_of_refine() -> None:
    cuts = np.array([[0, 0], [40, 41], [80, 60]])
    aligned = np.array([[0, 0], [20, 18], [40, 40], [60, 50], [80, 60]])
    refined = refine(cuts, aligned)
    assert refined.cuts.tolist() == [[0, 0], [20, 18], [40, 41], [60, 50], [80, 60]]
    assert refined.bounds.tolist() == [0, 2, 4]


@given(st.lists(outlines, min_size=1, max_size=3), st.integers(12, 80))
def test_refined_parts_are_the_parts_at_aligned_cuts(sides: list[Outline], budget: int) -> None:
    cuts, aligned = cut_together(sides, budget=budget), aligned_cuts(sides)
    refined = refine(cuts, aligned)
    assert np.array_equal(refined.cuts[refined.bounds], cuts)
    assert (np.diff(refined.cuts, axis=0) >= 0).all()
    inner = np.delete(refined.cuts, refined.bounds, axis=0).tolist()
    assert all(cut in aligned.tolist() for cut in inner)
    full = np.flatnonzero(cuts[-1])
    inside = [
        cut
        for cut in aligned.tolist()
        for start, end in pairwise(cuts)
        if full.size and (start[full] < np.array(cut)[full]).all()
        if (np.array(cut)[full] < end[full]).all()
    ]
    assert inner == inside
