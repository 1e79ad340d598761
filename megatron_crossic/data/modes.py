"""Modes: which texts share a chunk, and in which order. One line in the table for each.

    crossic      source and target of a pair in one chunk, source first (CrossIC-PT)
    reversed     the same, target first
    mix          the same texts, each document in chunks of its own (Mix-PT)
    source_only  only the sources
    target_only  only the targets

A mode turns an encoded pair into groups. The one or two sides of a group are cut together, in
the order source, target, and then laid down in the order the group has: `crossic` and `reversed`
therefore have the same cuts.

In `mix` the target of a pair must not come right after its source, in the same window, or the
control would see what it is a control for: targets follow `MIX_DELAY` pairs later.
"""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.account import Account
from megatron_crossic.data.chunks import cut_together
from megatron_crossic.data.sides import EncodedPair, Side
from megatron_crossic.data.spans import Role

Group = tuple[Side, ...]
"""One or two sides that belong in the same chunks, in their order inside a chunk."""

MODES: dict[str, Callable[[EncodedPair], list[Group]]] = {
    "crossic": lambda pair: [(pair.source, pair.target)],
    "reversed": lambda pair: [(pair.target, pair.source)],
    "mix": lambda pair: [(pair.source,), (pair.target,)],
    "source_only": lambda pair: [(pair.source,)],
    "target_only": lambda pair: [(pair.target,)],
}


MIX_DELAY = 1000
"""Pairs between a source and its target in `mix`; with fewer pairs all targets come last."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """Consecutive tokens of one side inside a chunk; never empty."""

    tokens: NDArray[np.int32]
    language: int
    """Index into the data set's languages."""
    role: Role


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """The atom that no window cuts."""

    pair: int
    """Ordinal of the pair in the data set."""
    parts: tuple[Part, ...]
    num_tokens: int


class LanguageTable:
    """Languages by the order in which they were first seen."""

    def __init__(self) -> None:
        self._indices: dict[str, int] = {}

    def index(self, language: str) -> int:
        return self._indices.setdefault(language, len(self._indices))

    def names(self) -> list[str]:
        return list(self._indices)


def pairs_to_chunks(
    pairs: Iterable[EncodedPair],
    account: Account,
    *,
    mode: str,
    budget: int,
    languages: LanguageTable,
) -> Iterator[list[Chunk]]:
    """The chunks of one group after the other; sides the mode leaves out are accounted for."""
    to_groups = MODES[mode]
    delayed: deque[list[Chunk]] = deque()
    for ordinal, pair in enumerate(pairs):
        groups = to_groups(pair)
        used = sum(side.num_tokens for group in groups for side in group)
        account.drop_tokens("side_not_in_mode", pair.num_tokens - used)
        first, *others = [
            list(group_to_chunks(group, pair=ordinal, budget=budget, languages=languages))
            for group in groups
        ]
        account.pairs_kept += 1
        account.chunks += len(first) + sum(map(len, others))
        yield first
        delayed.extend(others)
        if len(delayed) > MIX_DELAY:
            yield delayed.popleft()
    yield from delayed


def group_to_chunks(
    group: Group, *, pair: int, budget: int, languages: LanguageTable
) -> Iterator[Chunk]:
    """Cut the sides of a group together and lay the parts down in the group's order."""
    cuts = _group_cuts(group, budget=budget).tolist()
    labels = [languages.index(side.language) for side in group]
    for start, end in itertools.pairwise(cuts):
        parts = tuple(
            Part(tokens=side.tokens[start[i] : end[i]], language=labels[i], role=side.role)
            for i, side in enumerate(group)
            if end[i] > start[i]
        )
        yield Chunk(pair=pair, parts=parts, num_tokens=sum(len(part.tokens) for part in parts))


def _group_cuts(group: Sequence[Side], *, budget: int) -> NDArray[np.int64]:
    """Cut positions with one column for each side of the group."""  # [parts + 1, sides]
    in_order = sorted(range(len(group)), key=lambda i: group[i].role)
    cuts = cut_together([group[i].outline() for i in in_order], budget=budget)
    columns = np.argsort(in_order)
    return cuts[:, columns]
