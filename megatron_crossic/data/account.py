"""What happened to every pair and every token on the way into one data set."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.spans import NO_LANGUAGE, Role, SpanArray


@dataclass(kw_only=True, slots=True)
class Account:
    """Running counts; tokens that enter are later either in a window or under a reason."""

    pairs_read: int = 0
    pairs_kept: int = 0
    pairs_truncated: int = 0
    """Pairs of which a side lost paragraphs to the length ratio."""
    tokens_read: int = 0
    """Tokens of both sides of every pair read."""
    chunks: int = 0
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

    def add_window(self, spans: SpanArray) -> None:
        self.windows += 1
        np.add.at(self.by_role, spans["role"], spans["length"])
        np.add.at(self.by_language, spans["language"], spans["length"])

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
        left = self.tokens_read - self.tokens_in_windows - self.tokens_dropped.total()
        assert left == 0, f"{left} tokens are neither in a window nor under a drop reason"
        lost = self.pairs_read - self.pairs_kept - self.pairs_dropped.total()
        assert lost == 0, f"{lost} pairs are neither kept nor under a drop reason"

    def counts(self) -> dict[str, Any]:
        """The counts as a manifest holds them."""
        return {
            "pairs_read": self.pairs_read,
            "pairs_kept": self.pairs_kept,
            "pairs_truncated": self.pairs_truncated,
            "chunks": self.chunks,
            "windows": self.windows,
            "tokens_read": self.tokens_read,
            "tokens_in_windows": self.tokens_in_windows,
            "tokens_dropped": dict(self.tokens_dropped),
        }

    def tokens_by_role(self) -> dict[str, int]:
        return {role.name.lower(): int(self.by_role[role]) for role in Role}

    def tokens_by_language(self, languages: list[str]) -> dict[str, int]:
        assert len(languages) <= NO_LANGUAGE, "a language index must fit in a byte"
        return {language: int(self.by_language[i]) for i, language in enumerate(languages)}
