"""Equal budgets: end a data set, or begin it again, at the document tokens of another."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.account import Account
from megatron_crossic.data.spans import NO_CHUNK, NO_LANGUAGE, NO_PAIR, Role, SpanArray
from megatron_crossic.data.windows import Windows
from megatron_crossic.manifest import manifest_path, read_manifest


@dataclass(kw_only=True, slots=True)
class TokenBudget:
    """Document tokens that may still go into windows."""

    left: int
    pad_id: int

    @classmethod
    def of(cls, prefix: Path, *, pad_id: int) -> "TokenBudget":
        """As many as the data set `prefix` has."""
        manifest = read_manifest(manifest_path(prefix), kind="windows")
        return cls(left=int(manifest.counts["tokens_in_windows"]), pad_id=pad_id)

    def take(self, windows: Windows) -> Windows:
        """As many of the windows as the budget allows; the last one may end earlier.

        Whole chunks only, so less than one chunk of the budget is left over.
        """
        owners = np.cumsum(windows.spans["start"] == 0) - 1
        tokens = document_tokens(windows.spans)
        after = np.cumsum(np.bincount(owners, tokens, len(windows)).astype(np.int64))
        whole = int(np.searchsorted(after, self.left, side="right"))
        kept = windows.spans[owners < whole]
        self.left -= int(after[whole - 1]) if whole else 0
        if whole == len(windows):
            return windows
        shorter = self._shorten(windows.tokens[whole], windows.spans[owners == whole])
        self.left = 0
        if shorter is None:
            return Windows(tokens=windows.tokens[:whole], spans=kept)
        return Windows(
            tokens=np.concatenate([windows.tokens[:whole], shorter.tokens]),
            spans=np.concatenate([kept, shorter.spans]),
        )

    def _shorten(self, tokens: NDArray[Any], spans: SpanArray) -> Windows | None:
        """One window with only its leading chunks that fit; None where none does."""
        ends = np.flatnonzero(spans["role"] == Role.SPLIT)
        used = np.cumsum(document_tokens(spans))[ends]
        num_chunks = int(np.searchsorted(used, self.left, side="right"))
        if not num_chunks:
            return None
        last = int(ends[num_chunks - 1])
        end = int(spans[last]["start"] + spans[last]["length"])
        shorter = tokens.copy()
        shorter[end:] = self.pad_id
        padding = (end, len(tokens) - end, NO_CHUNK, NO_PAIR, NO_LANGUAGE, Role.PAD)
        tail = np.array([padding], dtype=spans.dtype)
        return Windows(tokens=shorter[None], spans=np.concatenate([spans[: last + 1], tail]))


def document_tokens(spans: SpanArray) -> NDArray[np.int64]:
    """Tokens of documents in each span: none in BOS, SPLIT and PAD."""  # [spans]
    of_documents = (spans["role"] == Role.SOURCE) | (spans["role"] == Role.TARGET)
    return np.where(of_documents, spans["length"], 0).astype(np.int64)


def repeat_windows(
    windows: Iterator[Windows], budget: TokenBudget, account: Account
) -> Iterator[Windows]:
    """Yield the windows again as far as the budget goes; `account` says how much is repeated."""
    for batch in windows:
        if not budget.left:
            return
        taken = budget.take(batch)
        account.tokens_repeated += int(document_tokens(taken.spans).sum())
        yield taken
