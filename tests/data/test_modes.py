from collections.abc import Callable, Sequence

import pytest
from small_pairs import make_pair, side_factory

from megatron_crossic.data import modes
from megatron_crossic.data.account import Account
from megatron_crossic.data.modes import Chunk, LanguageTable, pairs_to_chunks
from megatron_crossic.data.sides import EncodedPair, Side
from megatron_crossic.data.spans import Role


@pytest.fixture(scope="module")
def make_side(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Side]:
    return side_factory(tmp_path_factory.mktemp("byte"))


@pytest.fixture
def pair(make_side: Callable[..., Side]) -> EncodedPair:
    """Source tokens 0 … 19 in two paragraphs, target tokens 100 … 119 in eleven and nine."""
    return EncodedPair(
        pair=make_pair("p", "x", "y"),
        source=make_side(Role.SOURCE, [10, 10]),
        target=make_side(Role.TARGET, [11, 9], first=100),
    )


def chunks_of(
    pairs: Sequence[EncodedPair], mode: str, *, budget: int = 21, account: Account | None = None
) -> list[list[Chunk]]:
    languages = LanguageTable()
    account = account or Account()
    return list(pairs_to_chunks(pairs, account, mode=mode, budget=budget, languages=languages))


def ranges(groups: Sequence[Sequence[Chunk]]) -> list[list[tuple[int, int]]]:
    """First and last token of each part of each chunk."""
    return [
        [(int(part.tokens[0]), int(part.tokens[-1])) for part in chunk.parts]
        for group in groups
        for chunk in group
    ]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("crossic", [[(0, 9), (100, 110)], [(10, 19), (111, 119)]]),
        ("reversed", [[(100, 110), (0, 9)], [(111, 119), (10, 19)]]),
        ("mix", [[(0, 19)], [(100, 119)]]),
        ("source_only", [[(0, 19)]]),
        ("target_only", [[(100, 119)]]),
    ],
)
def test_what_each_mode_puts_into_a_chunk(
    pair: EncodedPair, mode: str, expected: list[list[tuple[int, int]]]
) -> None:
    assert ranges(chunks_of([pair], mode)) == expected


@pytest.mark.parametrize(("mode", "lost"), [("crossic", 0), ("mix", 0), ("source_only", 20)])
def test_what_a_mode_leaves_out_is_accounted_for(pair: EncodedPair, mode: str, lost: int) -> None:
    account = Account()
    groups = chunks_of([pair], mode, account=account)
    assert account.tokens_dropped.total() == account.tokens_dropped["side_not_in_mode"] == lost
    assert (account.pairs_kept, account.chunks) == (1, sum(map(len, groups)))
    assert sum(chunk.num_tokens for group in groups for chunk in group) == 40 - lost


def test_parts_know_whose_they_are(pair: EncodedPair) -> None:
    (group,) = chunks_of([pair, pair][:1], "reversed", budget=40)
    (chunk,) = group
    assert [(part.role, part.language) for part in chunk.parts] == [
        (Role.TARGET, 0),
        (Role.SOURCE, 1),
    ]
    assert (chunk.pair, chunk.num_tokens) == (0, 40)


def test_mix_keeps_a_pair_apart(pair: EncodedPair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vars(modes), "MIX_DELAY", 2)
    groups = chunks_of([pair] * 4, "mix", budget=40)
    order = [(group[0].pair, group[0].parts[0].role.name) for group in groups]
    assert order == [
        (0, "SOURCE"),
        (1, "SOURCE"),
        (2, "SOURCE"),
        (0, "TARGET"),
        (3, "SOURCE"),
        (1, "TARGET"),
        (2, "TARGET"),
        (3, "TARGET"),
    ]


def test_a_part_without_tokens_is_no_part(make_side: Callable[..., Side]) -> None:
    lopsided = EncodedPair(
        pair=make_pair("p", "x", "y"),
        source=make_side(Role.SOURCE, [1]),
        target=make_side(Role.TARGET, [10] * 9),
    )
    groups = chunks_of([lopsided], "crossic")
    assert sum(len(chunk.parts) for chunk in groups[0]) == len(groups[0]) + 1
    assert all(len(part.tokens) for chunk in groups[0] for part in chunk.parts)


def test_languages_are_numbered_as_they_come() -> None:
    table = LanguageTable()
    assert [table.index(name) for name in "en es en ja".split()] == [0, 1, 0, 2]
    assert table.names() == ["en", "es", "ja"]
