"""The options of preprocessing, checked once."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from megatron_crossic.data.chunks import MIN_BUDGET
from megatron_crossic.data.modes import MODES
from megatron_crossic.data.selection import LengthRatioRule
from megatron_crossic.data.tokenizer import Tokenizer
from megatron_crossic.data.windows import ASSEMBLIES, BUFFER_CHUNKS, SPLIT_TOKENS, WindowLayout
from megatron_crossic.errors import ConfigError

LARGEST_SEQ_LENGTH = 2**31 - 1
"""Lengths in an .idx file are signed integers of four bytes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PreprocessOptions:
    """From which pairs to make which windows, and where to."""

    pairs: tuple[Path, ...]
    """Files of pair records, read one after the other."""
    tokenizer: Path
    """A Hugging Face directory or a SentencePiece `.model`."""
    output_prefix: Path
    """`PREFIX.bin`, `PREFIX.idx`, `PREFIX.spans`, `PREFIX.pairs.jsonl`, `PREFIX.manifest.json`."""
    seq_length: int
    """Tokens of every window."""
    mode: str = "crossic"
    """Which texts share a chunk; a name of `modes.MODES`."""
    assembly: str = "split_aware"
    """Which chunks share a window; a name of `windows.ASSEMBLIES`."""
    max_chunk_tokens: int | None = None
    """Longest chunk; None is all a window holds. Shorter chunks pack better but tell less of their
    topic at once. The paper does not say."""
    split_token: str | None = None
    """The token after each chunk; None is the end-of-document token. The paper does not say."""
    eod_token: str | None = None
    """The end-of-document token where the tokenizer's files do not name it."""
    max_length_ratio: float = 4.0
    """A side longer than this many times the other falls under `length_ratio_rule`. Our choice."""
    length_ratio_rule: LengthRatioRule = "truncate"
    """`truncate` the longer side at a paragraph, `drop` the pair, or `keep` all."""
    with_title: bool = True
    """Whether the title is the first paragraph of its document."""
    validation_fraction: float = 0.0
    """Share of source documents whose pairs go to `PREFIX-validation` instead."""
    buffer_chunks: int = BUFFER_CHUNKS
    """Look-ahead of `best_fit`."""
    overwrite: bool = False
    """Replace an existing data set."""

    def __post_init__(self) -> None:
        _check_choice("mode", self.mode, tuple(MODES))
        _check_choice("assembly", self.assembly, tuple(ASSEMBLIES))
        _check_choice("length-ratio-rule", self.length_ratio_rule, get_args(LengthRatioRule))
        if not self.pairs:
            raise ConfigError("pairs must name at least one file, got none. Pass --pairs FILE.")
        if not 1 <= self.max_length_ratio < math.inf:
            raise ConfigError(
                f"max-length-ratio must be finite and at least 1, got {self.max_length_ratio}. "
                "Use for example 4, or --length-ratio-rule keep to switch the rule off."
            )
        if not 0 <= self.validation_fraction < 1:
            raise ConfigError(
                "validation-fraction must be at least 0 and below 1, got "
                f"{self.validation_fraction}. Use for example 0.01."
            )
        if self.max_chunk_tokens is not None and self.max_chunk_tokens < MIN_BUDGET:
            raise ConfigError(
                f"max-chunk-tokens must be at least {MIN_BUDGET}, got {self.max_chunk_tokens}. "
                "Use for example 1024, or leave it out to let a chunk fill its window."
            )
        if self.buffer_chunks < 1:
            raise ConfigError(
                f"buffer-chunks must be positive, got {self.buffer_chunks}. Use {BUFFER_CHUNKS}."
            )

    def chunk_budget(self, layout: WindowLayout) -> int:
        """Tokens a chunk may have."""
        return min(layout.budget, self.max_chunk_tokens or layout.budget)

    def check_seq_length(self, tokenizer: Tokenizer) -> None:
        """Refuse windows in which no chunk worth the name has room."""
        smallest = MIN_BUDGET + SPLIT_TOKENS + (tokenizer.bos_id is not None)
        if not smallest <= self.seq_length <= LARGEST_SEQ_LENGTH:
            raise ConfigError(
                f"seq-length must be {smallest} to {LARGEST_SEQ_LENGTH}, got {self.seq_length}. "
                "Real trainings use 2048 and more."
            )

    def split_id(self, tokenizer: Tokenizer) -> int:
        """The id of the token after each chunk."""
        if self.split_token is None:
            return tokenizer.eod_id
        found = tokenizer.token_id(self.split_token)
        if found is None:
            raise ConfigError(
                f"split-token must be a token of the tokenizer, got {self.split_token!r}. "
                "Name one that exists, or leave it out to use the end-of-document token."
            )
        return found


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(
            f"{name} must be one of {', '.join(choices)}, got {value!r}. Choose one of them."
        )
