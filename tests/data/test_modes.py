from collections.abc import Callable, Sequence

import numpy as np
import pytest
from small_pairs import make_pair, side_factory
from small_windows import joined

from megatron_crossic.data.account import Account
from megatron_crossic.data.batch import Batch
from megatron_crossic.data.cutting import CutRules, Granularity, cut_pairs
from megatron_crossic.data.modes import MODES, with_random_partners
from megatron_crossic.data.sides import EncodedPair, Side
from megatron_crossic.data.spans import Role
from megatron_crossic.data.windows import WindowLayout, make_windows
from megatron_crossic.errors import ConfigError


@pytest.fixture(scope="module")
def make_side(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Side]:
    return side_factory(tmp_path_factory.mktemp("byte"))


@pytest.fixture
def pair(make_side: Callable[..., Side]) -> EncodedPair:
    """Source tokens 0 … 19 in two paragraphs, target tokens 100 … 119 in eleven and nine."""
    return EncodedPair(
        pair=make_pair("p", "x", "y"),
        sides=(
            make_side(Role.SOURCE, [10, 10]),
            make_side(Role.TARGET, [11, 9], first=100),
        ),
    )


def batch_of(
    pairs: Sequence[EncodedPair],
    mode: str,
    *,
    budget: int = 21,
    granularity: Granularity = "chunk",
    account: Account | None = None,
) -> Batch:
    rules = CutRules(mode=mode, granularity=granularity, budget=budget, dtype=np.dtype(np.uint16))
    return cut_pairs(pairs, account or Account(), rules=rules)


def chunks_of(
    pairs: Sequence[EncodedPair],
    mode: str,
    *,
    budget: int = 21,
    granularity: Granularity = "chunk",
) -> list[list[tuple[int, int]]]:
    """First and last token of each part of each chunk."""
    layout = WindowLayout(
        seq_length=budget + 1, bos_id=None, split_id=999, pad_id=999, dtype=np.dtype(np.uint16)
    )
    parts = make_windows(
        batch_of(pairs, mode, budget=budget, granularity=granularity),
        layout,
        assembly="split_aware",
        largest=budget,
        by_paragraph=granularity == "paragraph",
        tokens_at_once=2 * layout.seq_length,
    )
    windows = joined(parts, seq_length=layout.seq_length)
    found: list[list[tuple[int, int]]] = [[]]
    window = -1
    for start, length, _, _, _, role in windows.spans.tolist():
        window += start == 0
        if role == Role.SPLIT:
            found.append([])
        elif role != Role.PAD:
            tokens = windows.tokens[window][start : start + length].tolist()
            assert tokens == list(range(tokens[0], tokens[-1] + 1))
            found[-1].append((tokens[0], tokens[-1]))
    return found[:-1]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("crossic", [[(0, 9), (100, 110)], [(10, 19), (111, 119)]]),
        ("random_pair", [[(0, 9), (100, 110)], [(10, 19), (111, 119)]]),
        ("reversed", [[(100, 110), (0, 9)], [(111, 119), (10, 19)]]),
        ("mix", [[(0, 19)], [(100, 119)]]),
        ("documents", [[(0, 19)], [(100, 119)]]),
        ("source_only", [[(0, 19)]]),
        ("target_only", [[(100, 119)]]),
    ],
)
def test_what_each_mode_puts_into_a_chunk(
    pair: EncodedPair, mode: str, expected: list[list[tuple[int, int]]]
) -> None:
    assert chunks_of([pair], mode) == expected


def test_alternate_turns_every_second_chunk_round(pair: EncodedPair) -> None:
    first, second = chunks_of([pair], "alternate")
    straight = chunks_of([pair], "crossic")
    assert sorted([first[::-1] == straight[0], second[::-1] == straight[1]]) == [False, True]


def test_paragraphs_alternate_inside_a_chunk(pair: EncodedPair) -> None:
    (chunk,) = chunks_of([pair], "crossic", budget=40, granularity="paragraph")
    assert chunk == [(0, 9), (100, 110), (10, 19), (111, 119)]
    (chunk,) = chunks_of([pair], "reversed", budget=40, granularity="paragraph")
    assert chunk == [(100, 110), (0, 9), (111, 119), (10, 19)]


def test_three_languages_share_a_chunk(pair: EncodedPair, make_side: Callable[..., Side]) -> None:
    third = make_side(Role.TARGET, [9, 11], first=200, language="ja")
    triple = EncodedPair(pair=pair.pair, sides=(*pair.sides, third))
    found = chunks_of([triple], "crossic", budget=31)
    assert found == [[(0, 9), (100, 110), (200, 208)], [(10, 19), (111, 119), (209, 219)]]
    batch = batch_of([triple], "mix", budget=31)
    assert batch.languages == ("en", "es", "ja")
    assert batch.group_documents.tolist() == [0, 1, 2]


def test_every_mode_is_tested() -> None:
    tested = "crossic random_pair reversed mix documents source_only target_only alternate"
    assert set(MODES) == set(tested.split())


@pytest.mark.parametrize(("mode", "lost"), [("crossic", 0), ("mix", 0), ("source_only", 20)])
def test_what_a_mode_leaves_out_is_accounted_for(pair: EncodedPair, mode: str, lost: int) -> None:
    account = Account()
    batch = batch_of([pair], mode, account=account)
    assert account.tokens_dropped.total() == account.tokens_dropped["side_not_in_mode"] == lost
    assert account.pairs_kept == 1
    assert batch.piece_sizes.sum() == len(batch.tokens) == 40 - lost


def test_sides_know_whose_they_are(pair: EncodedPair) -> None:
    batch = batch_of([pair], "reversed", budget=40)
    assert batch.side_roles.tolist() == [Role.SOURCE, Role.TARGET]
    assert [batch.languages[i] for i in batch.side_languages] == ["en", "es"]


def test_a_part_without_tokens_is_no_part(make_side: Callable[..., Side]) -> None:
    lopsided = EncodedPair(
        pair=make_pair("p", "x", "y"),
        sides=(make_side(Role.SOURCE, [1]), make_side(Role.TARGET, [10] * 9)),
    )
    found = chunks_of([lopsided], "crossic")
    assert sorted(map(len, found)) == [1] * (len(found) - 1) + [2]


def test_a_chunk_must_have_room_for_all_its_documents(
    pair: EncodedPair, make_side: Callable[..., Side]
) -> None:
    crowded = EncodedPair(pair=pair.pair, sides=(*pair.sides, make_side(Role.TARGET, [40])))
    message = r"must have room for 12 tokens where 3 documents share one, got 11 for 'p'"
    with pytest.raises(ConfigError, match=message):
        batch_of([crowded], "crossic", budget=11)


def named(make_side: Callable[..., Side], name: str, first: int, language: str) -> EncodedPair:
    return EncodedPair(
        pair=make_pair(name, "x", "y", languages=f"en {language}"),
        sides=(
            make_side(Role.SOURCE, [2], first=first),
            make_side(Role.TARGET, [3], first=first + 100, language=language),
        ),
    )


def test_random_partners_keep_every_text_and_no_pair(make_side: Callable[..., Side]) -> None:
    pairs = [named(make_side, f"p{i}", i * 10, "es" if i % 3 else "ja") for i in range(9)]
    account = Account()
    found = list(with_random_partners(pairs, account))
    assert not account.pairs_dropped
    firsts = [[int(side.tokens[0]) for side in pair.sides] for pair in found]
    assert sorted(source for source, _ in firsts) == [i * 10 for i in range(9)]
    assert sorted(target for _, target in firsts) == [i * 10 + 100 for i in range(9)]
    assert all(target != source + 100 for source, target in firsts)
    for pair in found:
        assert pair.pair.targets[0].language == pair.sides[1].language
        source, target = (pair.pair.provenance[key]["id"] for key in ("source_of", "target_of"))
        assert pair.pair.id == f"{source} x {target}"
    again = list(with_random_partners(pairs, Account()))
    assert [pair.pair.id for pair in again] == [pair.pair.id for pair in found]


def test_a_pair_alone_with_its_languages_has_no_other_partner(
    make_side: Callable[..., Side],
) -> None:
    pairs = [named(make_side, f"p{i}", i * 10, "es" if i else "ja") for i in range(3)]
    account = Account()
    assert len(list(with_random_partners(pairs, account))) == 2
    assert account.pairs_dropped == {"no_other_partner": 1}
    assert account.tokens_dropped == {"no_other_partner": 5}
