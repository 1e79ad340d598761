"""Cut pairs as arrays: what workers hand over and windows are made of.

Everything of a batch lies in flat arrays, so that handing it to another process is copying a few
buffers. A group (the documents that share chunks) has its sides one after the other in `tokens`,
and rows of cuts, one position a side. Its pieces are what lies between some of these rows; which of
them are joined to a chunk is decided by `packing`, with all pieces of a segment in sight.

Example: a group of 7 source and 5 target tokens that may be cut after 4 and 3 has the rows (0, 0),
(4, 3), (7, 5) and two pieces of sizes 7 and 5.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.spans import NO_LANGUAGE, Role
from megatron_crossic.errors import DataError

Ints = NDArray[np.int64]

STRAIGHT, TURNED = 0, 1
ALTERNATING = 2
"""Added to either: every second chunk of the group has the other order."""


_SHIFTS = {
    "piece_sizes": "",
    "piece_groups": "group_rows",
    "piece_rows": "row_cuts",
    "row_cuts": "cuts",
    "cuts": "",
    "group_rows": "row_cuts",
    "group_sides": "side_starts",
    "group_widths": "",
    "group_orders": "",
    "group_documents": "",
    "side_starts": "tokens",
    "side_roles": "",
}
"""Array -> the array into which its values point, if any."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Groups of consecutive pairs, cut into pieces."""

    tokens: NDArray[Any]
    """All sides of all groups, in the type on disk."""
    piece_sizes: Ints
    """Tokens of each piece, all sides together."""  # [pieces]
    piece_groups: Ints
    """Group of each piece; nondecreasing."""  # [pieces]
    piece_rows: Ints
    """Row at which each piece begins; it ends where the next one of its group begins, or at the
    last row of the group."""  # [pieces]
    row_cuts: Ints
    """First value of each row in `cuts`."""  # [rows]
    cuts: Ints
    """Positions in a side, row after row."""
    group_rows: Ints
    """Last row of each group."""  # [groups]
    group_sides: Ints
    """First side of each group."""  # [groups]
    group_widths: Ints
    """Number of sides of each group."""  # [groups]
    group_orders: Ints
    """STRAIGHT or TURNED, with or without ALTERNATING."""  # [groups]
    group_pairs: Ints
    """Ordinal of the pair each group belongs to."""  # [groups]
    group_documents: Ints
    """Which document of the pair the group is, where each is on its own."""  # [groups]
    side_starts: Ints
    """First of each side's tokens."""  # [sides]
    side_languages: NDArray[np.uint8]
    """Index into `languages`."""  # [sides]
    side_roles: NDArray[np.uint8]  # [sides]
    languages: tuple[str, ...]
    num_pairs: int
    provenance: bytes
    """One JSON line a pair."""

    def end_rows(self) -> Ints:
        """The row at which each piece ends."""  # [pieces]
        return _end_rows(self.piece_rows, self.piece_groups, self.group_rows)


def _end_rows(piece_rows: Ints, piece_groups: Ints, group_rows: Ints) -> Ints:
    following = np.append(piece_rows[1:], 0)
    is_last = np.diff(piece_groups, append=-1) != 0
    return np.where(is_last, group_rows[piece_groups], following)


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupSide:
    """One document of a group."""

    tokens: NDArray[np.int32]
    language: str
    role: Role


@dataclass(kw_only=True, slots=True)
class BatchBuilder:
    """Collects groups one by one; where things begin is counted once, in `build`."""

    dtype: np.dtype[Any]
    _cuts: list[Ints] = field(default_factory=list)
    _piece_rows: list[Ints] = field(default_factory=list)
    _groups: list[tuple[int, ...]] = field(default_factory=list)
    """The values of `_OF_GROUP` for each group."""
    _tokens: list[NDArray[np.int32]] = field(default_factory=list)
    _sides: list[tuple[int, int]] = field(default_factory=list)
    """Language and role."""
    _languages: dict[str, int] = field(default_factory=dict)
    _provenance: list[bytes] = field(default_factory=list)

    def begin_pair(self, provenance: bytes) -> None:
        """The groups that follow are of the next pair."""
        self._provenance.append(provenance)

    def add_group(
        self,
        sides: Sequence[GroupSide],
        *,
        cuts: Ints,
        piece_rows: Ints,
        order: int = STRAIGHT,
        document: int = 0,
    ) -> None:
        """`cuts` [rows, sides] are positions in the sides, `piece_rows` where pieces begin."""
        self._cuts.append(cuts)
        self._piece_rows.append(piece_rows)
        pair = len(self._provenance) - 1
        self._groups.append((*cuts.shape, len(piece_rows), order, pair, document))
        for side in sides:
            self._tokens.append(side.tokens)
            language = self._languages.setdefault(side.language, len(self._languages))
            self._sides.append((language, side.role))

    def build(self) -> Batch:
        groups = np.array(self._groups, dtype=np.int64).reshape(-1, len(_OF_GROUP)).T
        of_group = dict(zip(_OF_GROUP, groups, strict=True))
        rows, widths, pieces = (of_group[name] for name in ("rows", "widths", "pieces"))
        sides = np.array(self._sides, dtype=np.uint8).reshape(-1, 2)
        row_cuts = _starts(np.repeat(widths, rows))
        cuts = _concatenated([each.reshape(-1) for each in self._cuts])
        piece_groups = np.repeat(np.arange(len(pieces)), pieces)
        piece_rows = _concatenated(self._piece_rows) + _starts(rows)[piece_groups]
        group_rows = np.cumsum(rows) - 1
        totals = np.add.reduceat(cuts, row_cuts) if len(row_cuts) else cuts
        end_rows = _end_rows(piece_rows, piece_groups, group_rows)
        tokens = np.concatenate([np.empty(0, dtype=np.int32), *self._tokens])
        return Batch(
            tokens=tokens.astype(self.dtype, copy=False),
            piece_sizes=totals[end_rows] - totals[piece_rows],
            piece_groups=piece_groups,
            piece_rows=piece_rows,
            row_cuts=row_cuts,
            cuts=cuts,
            group_rows=group_rows,
            group_sides=_starts(widths),
            group_widths=widths,
            group_orders=of_group["orders"],
            group_pairs=of_group["pairs"],
            group_documents=of_group["documents"],
            side_starts=_starts(np.array([len(each) for each in self._tokens], dtype=np.int64)),
            side_languages=sides[:, 0].copy(),
            side_roles=sides[:, 1].copy(),
            languages=tuple(self._languages),
            num_pairs=len(self._provenance),
            provenance=b"".join(self._provenance),
        )


_OF_GROUP = ("rows", "widths", "pieces", "orders", "pairs", "documents")


def _starts(lengths: Ints) -> Ints:
    """Where each of these stretches begins when they follow one another."""
    return np.cumsum(lengths) - lengths


def _concatenated(arrays: Sequence[Ints]) -> Ints:
    return np.concatenate([np.empty(0, dtype=np.int64), *arrays])


class LanguageTable:
    """Languages of a data set by the order in which they were first seen."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        self._indices = {name: i for i, name in enumerate(names)}

    def remap(self, names: Sequence[str]) -> NDArray[np.uint8]:
        """What replaces each language index of a batch with these names."""  # [256]
        table = np.full(256, NO_LANGUAGE, dtype=np.uint8)
        for i, name in enumerate(names):
            index = self._indices.setdefault(name, len(self._indices))
            if index >= NO_LANGUAGE:
                raise DataError(
                    f"a data set must have fewer than {NO_LANGUAGE} languages, got {name!r} as one "
                    "more. Make several data sets and blend them in training."
                )
            table[i] = index
        return table

    def names(self) -> list[str]:
        return list(self._indices)


def join_batches(batches: Sequence[Batch], languages: LanguageTable) -> Batch:
    """Several batches as one, with the language indices of the data set."""
    arrays: dict[str, Any] = {
        name: _joined(batches, name, [len(getattr(each, into)) for each in batches] if into else [])
        for name, into in _SHIFTS.items()
    }
    num_pairs = [each.num_pairs for each in batches]
    return Batch(
        tokens=np.concatenate([each.tokens for each in batches]),
        group_pairs=_joined(batches, "group_pairs", num_pairs),
        side_languages=np.concatenate(
            [languages.remap(each.languages)[each.side_languages] for each in batches]
        ),
        languages=tuple(languages.names()),
        num_pairs=sum(num_pairs),
        provenance=b"".join(each.provenance for each in batches),
        **arrays,
    )


def _joined(batches: Sequence[Batch], name: str, lengths: Sequence[int]) -> NDArray[Any]:
    """One array of all batches; values point behind `lengths` of what batches before had."""
    arrays = [getattr(each, name) for each in batches]
    if lengths:
        before = np.cumsum([0, *lengths[:-1]])
        arrays = [array + shift for array, shift in zip(arrays, before, strict=True)]
    return np.concatenate(arrays)


def ranges(starts: Ints, counts: Ints) -> Ints:
    """The numbers starts[i] … starts[i] + counts[i] - 1 of every i, one after the other.

    starts 5, 20 and counts 2, 3 give 5, 6, 20, 21, 22.
    """
    before = np.cumsum(counts) - counts
    return np.repeat(starts - before, counts) + np.arange(int(counts.sum()))
