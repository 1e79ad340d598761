"""What happened to every pair and every token on the way into one data set."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.spans import NO_LANGUAGE, Role, SpanArray

_ARRAYS = ("by_role", "by_language")
_COUNTERS = ("pairs_dropped", "tokens_dropped")


@dataclass(kw_only=True, slots=True)
class Account:
    """Running counts; tokens that enter are later either in a window or under a reason."""

    pairs_read: int = 0
    pairs_kept: int = 0
    pairs_truncated: int = 0
    """Pairs of which a side lost paragraphs to the length ratio."""
    tokens_read: int = 0
    """Tokens of both sides of every pair read."""
    tokens_repeated: int = 0
    """Tokens of windows that were written again to reach a budget."""
    windows: int = 0
    pairs_dropped: Counter[str] = field(default_factory=Counter)
    tokens_dropped: Counter[str] = field(default_factory=Counter)
    by_role: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(Role), dtype=np.int64))
    by_language: NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, dtype=np.int64))

    def drop_pair(self, reason: str, *, num_tokens: int) -> None:
        self.pairs_dropped[reason] += 1
        self.drop_tokens(reason, num_tokens)

    def drop_tokens(self, reason: str, num_tokens: int) -> None:
        if num_tokens:
            self.tokens_dropped[reason] += num_tokens

    def add_windows(self, spans: SpanArray, *, num_windows: int) -> None:
        self.windows += num_windows
        self.by_role += np.bincount(spans["role"], spans["length"], len(Role)).astype(np.int64)
        self.by_language += np.bincount(spans["language"], spans["length"], 256).astype(np.int64)

    def add(self, other: "Account") -> None:
        """Add the counts of another part of the same data set."""
        for name in (each.name for each in fields(self)):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def tokens_in_windows(self) -> int:
        """Tokens of documents, without BOS, SPLIT and PAD."""
        return int(self.by_role[Role.SOURCE] + self.by_role[Role.TARGET])

    @property
    def fill_rate(self) -> float:
        """Share of all positions that are not padding."""
        total = int(self.by_role.sum())
        return 1.0 - int(self.by_role[Role.PAD]) / total if total else 0.0

    def check(self) -> None:
        """Nothing is lost without a reason."""
        entered = self.tokens_read + self.tokens_repeated
        left = entered - self.tokens_in_windows - self.tokens_dropped.total()
        assert left == 0, f"{left} tokens are neither in a window nor under a drop reason"
        lost = self.pairs_read - self.pairs_kept - self.pairs_dropped.total()
        assert lost == 0, f"{lost} pairs are neither kept nor under a drop reason"

    def counts(self) -> dict[str, Any]:
        """The counts as a manifest holds them."""
        return {
            "pairs_read": self.pairs_read,
            "pairs_kept": self.pairs_kept,
            "pairs_truncated": self.pairs_truncated,
            "chunks": int(self.by_role[Role.SPLIT]),
            "windows": self.windows,
            "tokens_read": self.tokens_read,
            "tokens_repeated": self.tokens_repeated,
            "tokens_in_windows": self.tokens_in_windows,
            "tokens_dropped": dict(self.tokens_dropped),
        }

    def to_json(self) -> dict[str, Any]:
        """Everything, for a run that goes on later."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        arrays = {name: values[name].tolist() for name in _ARRAYS}
        return values | arrays | {name: dict(values[name]) for name in _COUNTERS}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Account":
        arrays = {name: np.array(values[name], dtype=np.int64) for name in _ARRAYS}
        counters = {name: Counter(values[name]) for name in _COUNTERS}
        return cls(**{**values, **arrays, **counters})

    @classmethod
    def from_manifest(cls, counts: Mapping[str, Any], drops: Mapping[str, int]) -> "Account":
        """What came in and was left out of a data set, without what its windows hold."""
        names = ("pairs_read", "pairs_kept", "pairs_truncated", "tokens_read")
        return cls(
            **{name: counts[name] for name in names},
            pairs_dropped=Counter(drops),
            tokens_dropped=Counter(counts["tokens_dropped"]),
        )

    def tokens_by_role(self) -> dict[str, int]:
        return {role.name.lower(): int(self.by_role[role]) for role in Role}

    def tokens_by_language(self, languages: list[str]) -> dict[str, int]:
        assert len(languages) <= NO_LANGUAGE, "a language index must fit in a byte"
        return {language: int(self.by_language[i]) for i, language in enumerate(languages)}
