"""Modes: which texts share a chunk, and in which order. One line in the table for each.

    crossic      all documents of a pair in one chunk, source first (CrossIC-PT)
    reversed     the same, source last
    alternate    the same, source first and source last in turn, chunk by chunk
    random_pair  as crossic, but each source beside the target of another pair
    mix          the same texts, each document in chunks of its own (Mix-PT)
    source_only  only the sources
    target_only  only the targets
    documents    single documents: replay data in one language

A mode turns an encoded pair into groups. The sides of a group are cut together in the order source,
targets, and then laid down in the order the group has: `crossic` and `reversed` have the same cuts.

`mix` is the control that sees the same texts but never a pair: no window may hold two documents of
one. Its groups have lanes, and windows are made lane by lane (`lanes.lane_order`).
"""

import hashlib
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from megatron_crossic.data.account import Account
from megatron_crossic.data.batch import ALTERNATING, STRAIGHT, TURNED
from megatron_crossic.data.records import Pair
from megatron_crossic.data.sides import EncodedPair, Side


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Sides that belong in the same chunks."""

    sides: tuple[Side, ...]
    """Source first: how they are cut does not depend on how they are laid down."""
    order: int = STRAIGHT
    """How they are laid down: STRAIGHT or TURNED, ALTERNATING or not."""
    document: int = 0
    """Which document of its pair the group is, where each is on its own."""


def _together(sides: tuple[Side, ...]) -> list[Group]:
    return [Group(sides=sides)]


def _turned(sides: tuple[Side, ...]) -> list[Group]:
    return [Group(sides=sides, order=TURNED)]


def _in_turn(sides: tuple[Side, ...]) -> list[Group]:
    return [Group(sides=sides, order=ALTERNATING)]


def _apart(sides: tuple[Side, ...]) -> list[Group]:
    return [Group(sides=(side,), document=i) for i, side in enumerate(sides)]


MODES: dict[str, Callable[[tuple[Side, ...]], list[Group]]] = {
    "crossic": _together,
    "reversed": _turned,
    "alternate": _in_turn,
    "random_pair": _together,
    "mix": _apart,
    "source_only": lambda sides: _apart(sides[:1]),
    "target_only": lambda sides: _apart(sides)[1:],
    "documents": _apart,
}


def with_random_partners(pairs: Iterable[EncodedPair], account: Account) -> Iterator[EncodedPair]:
    """Give the targets of each pair to another: every text stays, no pair does.

    Partners are exchanged among pairs of the same languages. The exchange is one cycle through all
    of them (Sattolo's algorithm), seeded by their ids, so no target ever stays at home. A pair
    that is alone with its languages is left out: `no_other_partner`.
    """
    by_languages: dict[tuple[str, ...], list[EncodedPair]] = defaultdict(list)
    for pair in pairs:
        by_languages[tuple(side.language for side in pair.sides)].append(pair)
    for group in by_languages.values():
        if len(group) == 1:
            account.drop_pair("no_other_partner", num_tokens=group[0].num_tokens)
            continue
        for pair, other in zip(group, _cycle(group), strict=True):
            yield _exchange(pair, other)


def _cycle(group: list[EncodedPair]) -> list[EncodedPair]:
    ids = "\0".join(pair.pair.id for pair in group)
    chance = random.Random(hashlib.sha256(ids.encode()).digest())
    cycle = list(group)
    for i in range(len(cycle) - 1, 0, -1):
        j = chance.randrange(i)
        cycle[i], cycle[j] = cycle[j], cycle[i]
    return cycle


def _exchange(pair: EncodedPair, other: EncodedPair) -> EncodedPair:
    """The source of `pair` beside the targets of `other`."""
    made = Pair(
        id=f"{pair.pair.id} x {other.pair.id}",
        source=pair.pair.source,
        targets=other.pair.targets,
        provenance={
            "source_of": {"id": pair.pair.id, "provenance": dict(pair.pair.provenance)},
            "target_of": {"id": other.pair.id, "provenance": dict(other.pair.provenance)},
        },
    )
    return replace(pair, pair=made, sides=(*pair.sides[:1], *other.sides[1:]))
