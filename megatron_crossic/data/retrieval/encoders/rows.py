"""The rows an encoder is fitted on: whole texts of pairs, or parts of them."""

import random
from collections.abc import Iterable, Sequence
from typing import TypeVar

from megatron_crossic.data.records import Document, Pair

Row = dict[str, str]
"""Language -> text."""

Item = TypeVar("Item")


def whole_row(pair: Pair) -> Row:
    """The texts of a pair with their titles; of two in one language the first."""
    return parts_of(pair, 1)[0]


def num_parts(pair: Pair, *, characters: int) -> int:
    """How often a part of so many characters goes into the source; at least 1."""
    return max(1, round(len(pair.source.text) / characters))


def parts_of(pair: Pair, count: int) -> list[Row]:
    """`count` rows, the i-th of what stands at the i-th place of each text; empty texts are out."""
    rows: list[Row] = [{} for _ in range(count)]
    for document in pair.documents:
        for row, text in zip(rows, _cut(document, count), strict=True):
            if text.strip() and document.language not in row:
                row[document.language] = f"{document.title}\n{text}"
    return rows


def _cut(document: Document, count: int) -> list[str]:
    """Paragraphs in `count` groups: each goes where its middle is."""
    if count == 1:
        return [document.text]
    paragraphs = document.paragraphs()
    total = sum(map(len, paragraphs))
    groups: list[list[str]] = [[] for _ in range(count)]
    before = 0
    for paragraph in paragraphs:
        middle = before + len(paragraph) / 2
        groups[min(count - 1, int(middle * count / total))].append(paragraph)
        before += len(paragraph)
    return ["\n\n".join(group) for group in groups]


def sample_of(items: Iterable[Item], count: int, *, seed: int) -> tuple[list[Item], int]:
    """`count` of the items by chance, in their order, and how many there were (algorithm R)."""
    generator = random.Random(seed)
    kept: list[tuple[int, Item]] = []
    number = -1
    for number, item in enumerate(items):
        if number < count:
            kept.append((number, item))
        elif (place := generator.randrange(number + 1)) < count:
            kept[place] = (number, item)
    return [item for _, item in sorted(kept, key=lambda each: each[0])], number + 1


def texts_of(rows: Sequence[Row], language: str) -> list[str]:
    """A text for each row, empty where it has none in that language."""
    return [row.get(language, "") for row in rows]
