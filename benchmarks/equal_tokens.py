"""Compares the tokens of our windows with the documents another tool wrote, one by one.

The other tool wrote two documents a pair, source before target, each closed by its end-of-document
token. Ours lie in chunks all over the windows; the spans say which tokens are whose. `split_aware`
keeps the chunks of a pair in order. `best_fit` does not where they need several windows, and spans
do not tell their order then: such parts are put where the other document has them, each once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from megatron_crossic.data.indexed import token_dtype
from megatron_crossic.data.pairs import read_pairs
from megatron_crossic.data.spans import Role
from megatron_crossic.data.store import WindowStore, open_windows
from megatron_crossic.data.writer import data_set_files
from megatron_crossic.errors import DataError

Tokens = NDArray[np.integer[Any]]
_HEADER = np.dtype(
    [("magic", "V9"), ("version", "<u8"), ("dtype", "u1"), ("items", "<u8"), ("ends", "<u8")]
)
_DTYPES: dict[int, np.dtype[Any]] = {4: np.dtype("<i4"), 8: np.dtype("<u2")}


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """What was compared, and the first document that differs."""

    num_documents: int
    num_tokens: int
    """Tokens of the documents compared, without end-of-document tokens."""
    num_left_out: int
    """Documents of pairs that our tool dropped (an empty side)."""
    num_reordered: int
    """Documents whose chunks do not stand in order."""
    first_difference: str | None
    """None where all is equal."""


class Documents:
    """The documents of a Megatron data set `PREFIX.bin`, `PREFIX.idx`."""

    def __init__(self, prefix: Path) -> None:
        content = np.fromfile(f"{prefix}.idx", dtype=np.uint8)
        header = content[: _HEADER.itemsize].view(_HEADER)[0]
        num_items, start = int(header["items"]), _HEADER.itemsize
        lengths = content[start : start + 4 * num_items].view("<i4")
        ends = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        self._ends = ends[content[start + 12 * num_items :].view("<i8")]
        self._tokens = np.memmap(f"{prefix}.bin", dtype=_DTYPES[int(header["dtype"])], mode="r")

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, document: int) -> Tokens:
        tokens: Tokens = self._tokens[self._ends[document] : self._ends[document + 1]]
        return tokens


class SidesOfWindows:
    """The parts of each side of each pair, in the order of the windows."""

    def __init__(self, store: WindowStore) -> None:
        windows = [store.spans(window) for window in range(len(store))]
        spans = np.concatenate(windows)
        first = np.repeat(np.arange(len(windows), dtype=np.int64), [len(w) for w in windows])
        starts = first * store.seq_length + spans["start"]
        kept = np.isin(spans["role"], (Role.SOURCE, Role.TARGET))
        spans, starts = spans[kept], starts[kept]
        side = 2 * spans["pair"].astype(np.int64) + (spans["role"] == Role.TARGET)
        order = np.lexsort((starts, side))
        self._starts, self._lengths = starts[order], spans["length"][order].astype(np.int64)
        self._first_span = np.searchsorted(side[order], np.arange(side.max() + 2))
        dtype = token_dtype(store.vocab_size)
        self._tokens = np.memmap(data_set_files(store.prefix)["bin"], dtype=dtype, mode="r")

    def __getitem__(self, side: int) -> list[Tokens]:
        """Side 2 i is the source of pair i, side 2 i + 1 its target."""
        spans = slice(self._first_span[side], self._first_span[side + 1])
        parts = zip(self._starts[spans], self._lengths[spans], strict=True)
        return [self._tokens[start : start + length] for start, length in parts]


def compare_tokens(windows: Path, documents: Path, *, pairs: Path) -> Comparison:
    """Compare the data set of windows with that of documents; both were made from `pairs`."""
    theirs, ours = Documents(documents), SidesOfWindows(open_windows(windows))
    lines = lines_of_pairs(pairs, data_set_files(windows)["pairs"])
    total = 2 * sum(1 for _ in read_pairs(pairs))
    difference = None if len(theirs) == total else f"{len(theirs)} documents instead of {total}"
    num_documents = num_tokens = num_reordered = 0
    sides = (
        (2 * pair + role, 2 * line + role) for pair, line in enumerate(lines) for role in (0, 1)
    )
    for side, document in sides if difference is None else ():
        expected, parts = theirs[document][:-1], ours[side]
        ordered = in_order_of(expected, parts)
        num_reordered += ordered is not parts
        num_documents += 1
        num_tokens += len(expected)
        difference = first_difference(np.concatenate(ordered), expected, document=document)
        if difference is not None:
            break
    return Comparison(
        num_documents=num_documents,
        num_tokens=num_tokens,
        num_left_out=total - 2 * len(lines),
        num_reordered=num_reordered,
        first_difference=difference,
    )


def in_order_of(expected: Tokens, parts: Sequence[Tokens]) -> Sequence[Tokens]:
    """The parts, each once, as `expected` has them; unchanged where they are, or cannot be, so."""
    if len(parts) == 1 or np.array_equal(np.concatenate(parts), expected):
        return parts
    ordered: list[Tokens] = []
    remaining, at = list(range(len(parts))), 0
    while remaining:
        fitting = [i for i in remaining if np.array_equal(parts[i], expected[at:][: len(parts[i])])]
        if not fitting:
            return parts
        longest = max(fitting, key=lambda i: len(parts[i]))
        remaining.remove(longest)
        ordered.append(parts[longest])
        at += len(parts[longest])
    return ordered


def lines_of_pairs(pairs: Path, provenance: Path) -> list[int]:
    """For each pair in the windows the line of the pair file (from 0) it was made from.

    Windows keep the order of the file but leave pairs out; ids alone need not be unique, so a
    pair is the next line with its id and its titles.
    """
    lines = iter(enumerate(_names_of_pairs(pairs)))
    found = []
    for wanted in _names_of_windows(provenance):
        line = next((number for number, name in lines if name == wanted), None)
        if line is None:
            raise DataError(
                f"pairs in windows must stand in the order of their file, got {wanted[0]!r} out "
                f"of order in {provenance}. It is a defect of the preprocessing: report it."
            )
        found.append(line)
    return found


def _names_of_pairs(path: Path) -> Iterator[tuple[str, list[str]]]:
    for pair in read_pairs(path):
        yield pair.id, [document.title for document in pair.documents]


def _names_of_windows(path: Path) -> Iterator[tuple[str, list[str]]]:
    with path.open("rb") as file:
        for line in file:
            record = orjson.loads(line)
            yield record["id"], record["titles"]


def first_difference(found: Tokens, expected: Tokens, *, document: int) -> str | None:
    """Where two documents differ first, in words; None where they are equal."""
    if np.array_equal(found, expected):
        return None
    length = min(len(found), len(expected))
    places = np.flatnonzero(found[:length] != expected[:length])
    if not len(places):
        return f"document {document} has {len(found)} tokens instead of {len(expected)}"
    place = int(places[0])
    return (
        f"document {document} has token {found[place]} at {place} instead of {expected[place]}, "
        f"{len(found)} tokens instead of {len(expected)}"
    )
