from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from small_pairs import make_pair, side_factory

from megatron_crossic.data.account import Account
from megatron_crossic.data.selection import (
    LengthRatioRule,
    drop_empty,
    is_held_out,
    limit_length_ratio,
)
from megatron_crossic.data.sides import EncodedPair, Side
from megatron_crossic.data.spans import Role


@pytest.fixture(scope="module")
def make_side(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Side]:
    return side_factory(tmp_path_factory.mktemp("byte"))


def encoded(
    make_side: Callable[..., Side], source: Sequence[int], target: Sequence[int]
) -> EncodedPair:
    texts = ("text" if len(source) > 1 else "", "text" if len(target) > 1 else " ")
    return EncodedPair(
        pair=make_pair("p", *texts),
        sides=(make_side(Role.SOURCE, source), make_side(Role.TARGET, target)),
    )


def test_pairs_without_text_are_dropped_under_a_reason(make_side: Callable[..., Side]) -> None:
    pairs = [
        encoded(make_side, *sizes) for sizes in (([2], [2, 5]), ([2, 3], [1]), ([1, 1], [1, 1]))
    ]
    account = Account()
    assert list(drop_empty(pairs, account)) == [pairs[2]]
    assert account.pairs_dropped == {"empty_source": 1, "empty_target": 1}
    assert account.tokens_dropped == {"empty_source": 9, "empty_target": 6}
    assert (account.pairs_read, account.tokens_read) == (3, 19)


@pytest.mark.parametrize(
    ("rule", "sizes", "dropped"),
    [
        # 4 * 5 = 20 tokens at most: two paragraphs of ten.
        ("truncate", [(5, 20)], {"length_ratio_truncated": 10}),
        ("drop", [], {"length_ratio": 35}),
        ("keep", [(5, 30)], {}),
    ],
)
def test_the_length_ratio_rules(
    make_side: Callable[..., Side],
    rule: LengthRatioRule,
    sizes: list[tuple[int, int]],
    dropped: dict[str, int],
) -> None:
    account = Account()
    pair = encoded(make_side, [2, 3], [10, 10, 10])
    found = list(limit_length_ratio([pair], account, ratio=4.0, rule=rule))
    assert [tuple(side.num_tokens for side in p.sides) for p in found] == sizes
    assert account.tokens_dropped == dropped
    assert account.pairs_truncated == (rule == "truncate")


@pytest.mark.parametrize("rule", ["truncate", "drop", "keep"])
def test_at_the_ratio_nothing_happens(
    make_side: Callable[..., Side], rule: LengthRatioRule
) -> None:
    pair, account = encoded(make_side, [20, 20], [4, 6]), Account()
    assert list(limit_length_ratio([pair], account, ratio=4.0, rule=rule)) == [pair]
    assert not account.tokens_dropped
    assert not account.pairs_dropped


def test_the_source_is_cut_where_it_is_the_longer_one(make_side: Callable[..., Side]) -> None:
    pair = encoded(make_side, [9, 9, 9], [3, 2])
    (found,) = limit_length_ratio([pair], Account(), ratio=2.0, rule="truncate")
    assert [side.num_tokens for side in found.sides] == [9, 5]


def test_one_paragraph_is_always_left(make_side: Callable[..., Side]) -> None:
    account = Account()
    pair = encoded(make_side, [1, 1], [50, 3])
    (found,) = limit_length_ratio([pair], account, ratio=4.0, rule="truncate")
    assert found.sides[1].num_tokens == 50
    assert account.tokens_dropped == {"length_ratio_truncated": 3}


def test_a_title_is_not_all_that_is_left(make_side: Callable[..., Side]) -> None:
    pair = encoded(make_side, [1, 1], [2, 50, 3])
    pair = replace(pair, sides=(pair.sides[0], replace(pair.sides[1], has_title=True)))
    (found,) = limit_length_ratio([pair], Account(), ratio=4.0, rule="truncate")
    assert found.sides[1].paragraph_ends.tolist() == [2, 52]


def test_hold_out_of_documents_without_a_title_goes_by_their_text() -> None:
    answers = {is_held_out(make_pair("", f"text {i}", "y"), fraction=0.5) for i in range(20)}
    assert answers == {True, False}


def test_hold_out_looks_at_the_source_only() -> None:
    spanish, japanese = (
        make_pair("Berlin", "x", "y"),
        make_pair("Berlin", "x", "z", languages="en ja"),
    )
    fractions = [i / 50 for i in range(51)]
    answers = [is_held_out(spanish, fraction=f) for f in fractions]
    assert answers == [is_held_out(japanese, fraction=f) for f in fractions]
    assert answers == sorted(answers)
    assert (answers[0], answers[-1]) == (False, True)


def test_hold_out_takes_about_the_share_asked_for() -> None:
    pairs = [make_pair(f"title {i}", "x", "y") for i in range(2000)]
    assert 150 < sum(is_held_out(pair, fraction=0.1) for pair in pairs) < 250
