"""The second pass: pair by pair, what stays, what goes and why."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from megatron_crossic.data.deduplicate.index import Duplicate, DuplicateIndex
from megatron_crossic.data.deduplicate.options import DeduplicateOptions
from megatron_crossic.data.deduplicate.texts import (
    PairIndexes,
    is_long,
    with_documents,
)
from megatron_crossic.data.records import Document, Pair
from megatron_crossic.errors import DataError

EMPTY_SIDE = "empty_side_after_paragraphs"
PARAGRAPH_BREAKS = "paragraph_breaks"

PREVIEW = 80
"""Characters of a removed paragraph that the log shows."""

OnRemoved = Callable[[dict[str, Any]], None]
"""Called with one log record for each pair or paragraph that goes."""


@dataclass(kw_only=True, slots=True)
class Account:
    """What happened to every pair, paragraph and character."""

    pairs_read: int = 0
    pairs_written: int = 0
    paragraphs_compared: int = 0
    """Long paragraphs of the pairs that were no duplicates themselves."""
    characters_read: int = 0
    characters_written: int = 0
    drops: Counter[str] = field(default_factory=Counter)
    """Pairs and paragraphs by reason; the paragraphs of a pair that went count as that pair."""
    characters_removed: Counter[str] = field(default_factory=Counter)

    def drop(self, reason: str, *, num_characters: int) -> None:
        self.drops[reason] += 1
        self.characters_removed[reason] += num_characters

    def check(self) -> None:
        pairs = sum(n for reason, n in self.drops.items() if not reason.endswith("_paragraph"))
        lost = self.pairs_read - self.pairs_written - pairs
        assert lost == 0, f"{lost} pairs are neither written nor under a drop reason"
        removed = self.characters_removed.total()
        lost = self.characters_read - self.characters_written - removed
        assert lost == 0, f"{lost} characters are neither written nor under a reason"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shortened:
    """A pair without its duplicate paragraphs."""

    pair: Pair
    added: list[int]
    """Numbers of the paragraphs that later ones can now be duplicates of."""
    removed: list[tuple[str, int, dict[str, Any]]]
    """Reason, characters and log record of each paragraph that goes."""


class Selection:
    """Knows what was kept so far; `select` is the stage."""

    def __init__(
        self, sketches: PairIndexes, options: DeduplicateOptions, on_removed: OnRemoved
    ) -> None:
        self.account = Account()
        self._options = options
        self._on_removed = on_removed
        self._pairs = sketches.pairs
        self._paragraphs = sketches.paragraphs
        self._next_paragraph = 0
        self._pair_ids: list[str] = []
        self._pair_of_paragraph: dict[int, int] = {}

    def select(self, pairs: Iterable[Pair]) -> Iterator[Pair]:
        """Yield what stays, in order."""
        account = self.account
        for number, pair in enumerate(pairs):
            account.pairs_read += 1
            account.characters_read += _num_characters(pair)
            self._pair_ids.append(pair.id)
            kept = self._select_one(number, pair)
            if kept is not None:
                account.pairs_written += 1
                account.characters_written += _num_characters(kept)
                yield kept
        self._check_same_pairs()
        account.check()

    def counts(self) -> dict[str, Any]:
        """For the manifest."""
        account = self.account
        indexes = [index for index in (self._pairs, self._paragraphs) if index]
        return {
            "pairs_read": account.pairs_read,
            "pairs": account.pairs_written,
            "paragraphs_compared": account.paragraphs_compared,
            "characters_read": account.characters_read,
            "characters_written": account.characters_written,
            "characters_removed": dict(sorted(account.characters_removed.items())),
            "full_buckets": sum(index.num_full_buckets for index in indexes),
        }

    def _select_one(self, number: int, pair: Pair) -> Pair | None:
        if self._pairs is not None and (found := self._pairs.find(number)):
            self._next_paragraph += self._num_long(pair)
            self._drop_pair(pair, _reason(found, "pair"), number=number, found=found)
            return None
        if self._paragraphs is not None:
            shortened = self._shorten(number, pair, self._paragraphs)
            if _lost_a_side(pair, shortened.pair):
                for paragraph in reversed(shortened.added):
                    self._paragraphs.remove(paragraph)
                self._drop_pair(pair, EMPTY_SIDE, number=number)
                return None
            pair = self._enter(pair, shortened)
        if self._pairs is not None:
            self._pairs.add(number)
        return pair

    def _shorten(self, number: int, pair: Pair, index: DuplicateIndex) -> _Shortened:
        """Leave out what repeats an earlier kept paragraph, of this pair as well."""
        result = _Shortened(pair=pair, added=[], removed=[])
        changed = []
        for side, document in enumerate(pair.documents):
            kept = []
            for place, text in enumerate(document.paragraphs()):
                found = self._ask(text, index, result.added, number)
                if found is None:
                    kept.append(text)
                else:
                    where = {"document": side, "paragraph": place, "text": text[:PREVIEW]}
                    reason = _reason(found, "paragraph")
                    of = self._pair_of_paragraph[found.of]
                    record = self._record(number, reason, found, of=of) | where
                    result.removed.append((reason, len(text), record))
            changed.append(_with_paragraphs(document, kept))
        return replace(result, pair=with_documents(pair, changed))

    def _ask(
        self, text: str, index: DuplicateIndex, added: list[int], number: int
    ) -> Duplicate | None:
        if not is_long(text, self._options):
            return None
        paragraph = self._next_paragraph
        self._next_paragraph += 1
        self.account.paragraphs_compared += 1
        found = index.find(paragraph)
        if found is None and index.add(paragraph):
            added.append(paragraph)
            self._pair_of_paragraph[paragraph] = number
        return found

    def _num_long(self, pair: Pair) -> int:
        if self._paragraphs is None:
            return 0
        paragraphs = (text for document in pair.documents for text in document.paragraphs())
        return sum(is_long(text, self._options) for text in paragraphs)

    def _enter(self, pair: Pair, shortened: _Shortened) -> Pair:
        """Enter what a pair lost; the line breaks around lost paragraphs are counted apart."""
        account = self.account
        before = account.characters_removed.total()
        for reason, num_characters, record in shortened.removed:
            account.drop(reason, num_characters=num_characters)
            self._on_removed(record)
        lost = _num_characters(pair) - _num_characters(shortened.pair)
        breaks = lost - (account.characters_removed.total() - before)
        if breaks:
            account.characters_removed[PARAGRAPH_BREAKS] += breaks
        return shortened.pair

    def _drop_pair(
        self, pair: Pair, reason: str, *, number: int, found: Duplicate | None = None
    ) -> None:
        self.account.drop(reason, num_characters=_num_characters(pair))
        self._on_removed(self._record(number, reason, found, of=found.of if found else None))

    def _record(
        self, number: int, reason: str, found: Duplicate | None, *, of: int | None
    ) -> dict[str, Any]:
        """Pairs are numbered from 1 over all inputs, because ids may repeat."""
        record: dict[str, Any] = {
            "reason": reason, "pair": self._pair_ids[number], "pair_number": number + 1
        }  # fmt: skip
        if found is not None and of is not None:
            record["duplicate_of"] = self._pair_ids[of]
            record["duplicate_of_number"] = of + 1
            record["similarity"] = round(found.similarity, 4)
        return record

    def _check_same_pairs(self) -> None:
        num_pairs, num_paragraphs = self.account.pairs_read, self._next_paragraph
        if (self._pairs is not None and num_pairs != len(self._pairs)) or (
            self._paragraphs is not None and num_paragraphs != len(self._paragraphs)
        ):
            raise DataError(
                f"pair files must stay as they are while they are read, got {num_pairs} pairs in "
                "the second pass, or other texts than in the first. Run the command again."
            )


def _reason(found: Duplicate, what: str) -> str:
    return f"{'exact' if found.is_exact else 'near'}_duplicate_{what}"


def _num_characters(pair: Pair) -> int:
    return sum(len(document.text) for document in pair.documents)


def _with_paragraphs(document: Document, kept: list[str]) -> Document:
    """The same document where all paragraphs stay, white space included."""
    if len(kept) == len(document.paragraphs()):
        return document
    return replace(document, text="\n\n".join(kept))


def _lost_a_side(before: Pair, after: Pair) -> bool:
    sides = zip(before.documents, after.documents, strict=True)
    return any(old.text.strip() and not new.text.strip() for old, new in sides)
