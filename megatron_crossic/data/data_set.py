"""One data set while it is made: chunks of a segment in, windows and their account out."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from megatron_crossic.data.account import Account
from megatron_crossic.data.batch import LanguageTable, join_batches
from megatron_crossic.data.budget import TokenBudget, document_tokens, repeat_windows
from megatron_crossic.data.journal import DataSetState
from megatron_crossic.data.windows import Windows, make_windows
from megatron_crossic.data.worker import Share
from megatron_crossic.data.writer import WindowWriter


@dataclass(kw_only=True, slots=True)
class DataSetInProgress:
    """The writer of a data set and what is known of its content so far."""

    writer: WindowWriter
    assembly: str
    largest: int
    """Most tokens of a chunk."""
    by_paragraph: bool = False
    """Whether the paragraphs of a chunk are laid down in turn."""
    account: Account = field(default_factory=Account)
    languages: LanguageTable = field(default_factory=LanguageTable)
    budget: TokenBudget | None = None
    """Document tokens it may have; None for all there are."""

    def add_segment(self, shares: Sequence[Share]) -> None:
        """Make and write the windows of a segment."""
        batch = join_batches([share.batch for share in shares], self.languages)
        for share in shares:
            self.account.add(share.account)
        first_pair = self.writer.num_pairs
        self.writer.add_pairs(batch.provenance, num_pairs=batch.num_pairs)
        for windows in make_windows(
            batch,
            self.writer.layout,
            assembly=self.assembly,
            largest=self.largest,
            by_paragraph=self.by_paragraph,
            first_pair=first_pair,
        ):
            self.add_windows(windows)
        self.writer.flush()

    def add_windows(self, windows: Windows) -> None:
        """Write windows as far as the budget goes."""
        if self.budget is not None:
            made = document_tokens(windows.spans).sum()
            windows = self.budget.take(windows)
            kept = document_tokens(windows.spans).sum()
            self.account.drop_tokens("over_budget", int(made - kept))
        self._write(windows)

    def _write(self, windows: Windows) -> None:
        self.writer.add_windows(windows)
        self.account.add_windows(windows.spans, num_windows=len(windows))

    @property
    def is_full(self) -> bool:
        return self.budget is not None and not self.budget.left

    def finish(self) -> None:
        """After the last segment: begin again where the budget is not spent."""
        while self.budget is not None and self.budget.left and self.writer.num_windows:
            for windows in repeat_windows(self.writer.written(), self.budget, self.account):
                self._write(windows)
        self.account.check()

    def state(self) -> DataSetState:
        return DataSetState(
            writer=self.writer.state(), account=self.account, languages=self.languages.names()
        )
