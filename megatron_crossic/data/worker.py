"""What one worker does: a block of input in, pieces for both data sets out."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from megatron_crossic.data.account import Account
from megatron_crossic.data.batch import Batch
from megatron_crossic.data.bulk import Encoder
from megatron_crossic.data.cutting import CutRules, cut_pairs
from megatron_crossic.data.inputs import Block
from megatron_crossic.data.modes import with_random_partners
from megatron_crossic.data.options import PreprocessOptions
from megatron_crossic.data.pairs import block_pairs
from megatron_crossic.data.records import Pair
from megatron_crossic.data.selection import drop_empty, is_held_out, limit_length_ratio
from megatron_crossic.data.sides import encode_pairs
from megatron_crossic.data.tokenizer import Tokenizer


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """What a block gives to one data set."""

    batch: Batch
    account: Account


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockResult:
    """What a block gives to the training and, with a hold-out, the validation data set."""

    shares: tuple[Share, ...]
    seconds: Mapping[str, float]
    """Time of each stage."""


@dataclass(kw_only=True, slots=True)
class Stopwatch:
    """Adds up the time of named stages."""

    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, seconds: Mapping[str, float]) -> None:
        for stage, more in seconds.items():
            self.seconds[stage] = self.seconds.get(stage, 0.0) + more

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.add({stage: time.perf_counter() - started})


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockWorker:
    """Everything a block needs; made once, then shared by all blocks of a process."""

    options: PreprocessOptions
    tokenizer: Tokenizer
    encoder: Encoder
    rules: CutRules

    def __call__(self, block: Block) -> BlockResult:
        """The flow, stage by stage."""
        options, watch = self.options, Stopwatch()
        with watch("parse"):
            pairs = list(
                block_pairs(
                    block, of_documents=options.mode == "documents", language=options.language
                )
            )
        shares = [self._share(self._chosen(pairs, held_out=False), watch)]
        if options.validation_fraction:
            shares.append(self._share(self._chosen(pairs, held_out=True), watch))
        return BlockResult(shares=tuple(shares), seconds=watch.seconds)

    def _chosen(self, pairs: list[Pair], *, held_out: bool) -> list[Pair]:
        fraction = self.options.validation_fraction
        return [pair for pair in pairs if is_held_out(pair, fraction=fraction) == held_out]

    def _share(self, pairs: list[Pair], watch: Stopwatch) -> Share:
        options, account = self.options, Account()
        with watch("tokenize"):
            encoded = list(
                encode_pairs(
                    pairs,
                    self.tokenizer,
                    self.encoder,
                    with_title=options.with_title,
                    splitter=options.sentence_splitter,
                )
            )
        with watch("cut"):
            complete = drop_empty(encoded, account)
            comparable = limit_length_ratio(
                complete, account, ratio=options.max_length_ratio, rule=options.length_ratio_rule
            )
            if options.mode == "random_pair":
                comparable = with_random_partners(comparable, account)
            batch = cut_pairs(comparable, account, rules=self.rules)
        return Share(batch=batch, account=account)
