"""Inputs of the preprocessing benchmarks: pair files repeated with changes, and their documents.

A tokenizer that remembers words gets faster with every repetition of a text, as it never would on
a real corpus. So each copy after the first has its digits shifted and a made-up word, never used
before, in every fifth line: about one new word in a hundred, as in the later parts of real
documentation (0.7 to 0.9 % of the words of its second thousand pages are new).
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from megatron_crossic.data.pairs import read_pairs
from megatron_crossic.data.records import Document, Pair, pair_to_json
from megatron_crossic.data.sides import PARAGRAPH_BREAK
from megatron_crossic.errors import DataError
from megatron_crossic.jsonl import to_json_line

LINES_PER_NEW_WORD = 5
SHORTEST_LINE = 8
"""A shorter line is left alone: it is a rule or a mark rather than text."""
SYLLABLES = tuple(a + b for a in "bdfgklmnprstvz" for b in "aeiou")


@dataclass(frozen=True, kw_only=True, slots=True)
class RepeatedPairs:
    """What a written pair file holds."""

    num_bytes: int
    num_pairs: int


def write_repeated(
    output: Path, inputs: Sequence[Path], *, copies: int | None = None, num_bytes: int | None = None
) -> RepeatedPairs:
    """Write the pairs of all inputs `copies` times, or until the file has `num_bytes`."""
    size = num_pairs = 0
    with output.open("wb") as file:
        for pair in repeated(inputs, copies=copies):
            line = to_json_line(pair_to_json(pair))
            file.write(line)
            size += len(line)
            num_pairs += 1
            if num_bytes is not None and size >= num_bytes:
                break
    return RepeatedPairs(num_bytes=size, num_pairs=num_pairs)


def repeated(inputs: Sequence[Path], *, copies: int | None) -> Iterator[Pair]:
    """All inputs, again and again with changes; without end where `copies` is None."""
    for copy in itertools.count() if copies is None else range(copies):
        before = 0  # lines of this copy that have been seen
        for pair in itertools.chain.from_iterable(map(read_pairs, inputs)):
            yield changed(pair, copy=copy, first_line=before)
            before += num_lines(pair)
        if not before:
            names = ", ".join(map(str, inputs))
            raise DataError(f"pair files must hold pairs, got none in {names}. Give other files.")


def num_lines(pair: Pair) -> int:
    return sum(document.text.count("\n") + 1 for document in pair.documents)


def changed(pair: Pair, *, copy: int, first_line: int) -> Pair:
    """The pair as it stands in one copy; copy 0 is the original.

    `first_line` counts the lines before it in the same copy, so that no made-up word is used twice.
    """
    if copy == 0:
        return pair
    documents = []
    for document in pair.documents:
        documents.append(_changed(document, copy=copy, first_line=first_line))
        first_line += document.text.count("\n") + 1
    source, *targets = documents
    return replace(pair, id=f"{pair.id}#{copy}", source=source, targets=tuple(targets))


def _changed(document: Document, *, copy: int, first_line: int) -> Document:
    digits = str.maketrans("0123456789", "".join(str((digit + copy) % 10) for digit in range(10)))
    lines = document.text.translate(digits).split("\n")
    for i in range(-first_line % LINES_PER_NEW_WORD, len(lines), LINES_PER_NEW_WORD):
        line = lines[i]
        if len(line) >= SHORTEST_LINE:
            middle = len(line) // 2
            lines[i] = line[:middle] + made_up_word(copy, first_line + i) + line[middle:]
    return replace(document, text="\n".join(lines))


def made_up_word(copy: int, line: int) -> str:
    """A word for one line of one copy: `baba`, `dobaka`; no two of them are the same.

    Five syllables count the lines (70^5 = 1.7e9 of them, the leading ones written out), the rest
    the copies.
    """
    syllables = []
    for _ in range(5):
        line, rest = divmod(line, len(SYLLABLES))
        syllables.append(SYLLABLES[rest])
    while copy:
        copy, rest = divmod(copy, len(SYLLABLES))
        syllables.append(SYLLABLES[rest])
    return "".join(syllables)


def write_documents(output: Path, pairs: Path) -> int:
    """The same texts as lines of {"text"}, source before target; returns the bytes written."""
    size = 0
    with output.open("wb") as file:
        for pair in read_pairs(pairs):
            for document in pair.documents:
                size += file.write(to_json_line({"text": document_text(document)}))
    return size


def document_text(document: Document) -> str:
    """Title and paragraphs, each followed by a blank line, as `sides` encodes them."""
    title = document.title.strip()
    paragraphs = ([title] if title else []) + document.paragraphs()
    return "".join(paragraph + PARAGRAPH_BREAK for paragraph in paragraphs)
