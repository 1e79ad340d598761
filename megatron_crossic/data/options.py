"""The options of preprocessing, checked once."""

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from megatron_crossic.data.bulk import EncoderChoice
from megatron_crossic.data.chunks import MIN_BUDGET
from megatron_crossic.data.cutting import Granularity
from megatron_crossic.data.inputs import BLOCK_BYTES, SEGMENT_BYTES
from megatron_crossic.data.modes import MODES
from megatron_crossic.data.packing import ASSEMBLIES
from megatron_crossic.data.pieces import SPLIT_TOKENS
from megatron_crossic.data.records import LANGUAGES
from megatron_crossic.data.selection import LengthRatioRule
from megatron_crossic.data.sentences import SPLITTERS
from megatron_crossic.data.tokenizer import Tokenizer
from megatron_crossic.data.windows import WindowLayout
from megatron_crossic.errors import ConfigError
from megatron_crossic.files import beside

VALIDATION_SUFFIX = "-validation"

LARGEST_SEQ_LENGTH = 2**31 - 1
"""Lengths in an .idx file are signed integers of four bytes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PreprocessOptions:
    """From which pairs to make which windows, and where to."""

    pairs: tuple[Path, ...]
    """Files of pair records, read one after the other: JSON lines, also .gz, .bz2 and .zst, and
    Parquet. In mode `documents` files of single documents."""
    tokenizer: Path
    """A Hugging Face directory or a SentencePiece `.model`."""
    output_prefix: Path
    """`PREFIX.bin`, `PREFIX.idx`, `PREFIX.spans`, `PREFIX.pairs.jsonl`, `PREFIX.manifest.json`."""
    seq_length: int
    """Tokens of every window."""
    mode: str = "crossic"
    """Which texts share a chunk; a name of `modes.MODES`."""
    assembly: str = "split_aware"
    """Which chunks share a window; a name of `packing.ASSEMBLIES`."""
    granularity: Granularity = "chunk"
    """Inside a chunk: a block of each language (the paper), or `paragraph`: paragraphs that belong
    together side by side."""
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
    sentence_splitter: str = "sentencex"
    """What finds sentence ends in over-long paragraphs; a name of `sentences.SPLITTERS`."""
    language: str | None = None
    """Language of documents that do not name it (mode `documents`)."""
    match_tokens: Path | None = None
    """Prefix of a data set: training windows end, or begin again from the first, where as many
    document tokens are in them as there. For comparisons at an equal budget."""
    encoder: EncoderChoice = "auto"
    """What tokenizes; the ids are the same."""
    segment_bytes: int = SEGMENT_BYTES
    """Input between two borders that no window crosses; also what a killed run repeats at most."""
    shard: tuple[int, int] | None = None
    """(i, n): only every n-th segment from the i-th, counted from 0, for an array of jobs."""
    workers: int = 1
    """Processes; the result is the same. 1 works in this process."""
    overwrite: bool = False
    """Replace an existing data set."""

    def __post_init__(self) -> None:
        _check_choice("mode", self.mode, tuple(MODES))
        _check_choice("assembly", self.assembly, tuple(ASSEMBLIES))
        _check_choice("sentence-splitter", self.sentence_splitter, SPLITTERS)
        _check_choice("granularity", self.granularity, get_args(Granularity))
        _check_choice("encoder", self.encoder, get_args(EncoderChoice))
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
        if self.language is not None:
            _check_language(self.language)
        self._check_scale()

    def _check_scale(self) -> None:
        if self.workers < 1:
            raise ConfigError(f"workers must be positive, got {self.workers}. Use --workers 1.")
        if self.segment_bytes < BLOCK_BYTES or self.segment_bytes % BLOCK_BYTES:
            raise ConfigError(
                f"segment size must be a multiple of {BLOCK_BYTES >> 20} MiB, got "
                f"{self.segment_bytes} bytes. Use {SEGMENT_BYTES >> 20}."
            )
        if self.shard is None:
            return
        index, count = self.shard
        if not 0 <= index < count:
            raise ConfigError(
                f"shard must be i/n with 0 <= i < n, got {index}/{count}. "
                "Count from 0, as SLURM_ARRAY_TASK_ID does for --array=0-7 and n = 8."
            )
        if self.match_tokens is not None:
            raise ConfigError(
                "match-tokens must be used without --shard, got both. "
                "Give it to tools/merge_datasets.py instead."
            )

    @property
    def prefix(self) -> Path:
        """Where the training windows go; a shard has its number in the name."""
        if self.shard is None:
            return self.output_prefix
        return shard_prefix(self.output_prefix, *self.shard)

    @property
    def validation_prefix(self) -> Path:
        """Where the held-out windows go."""
        prefix = beside(self.output_prefix, VALIDATION_SUFFIX)
        return prefix if self.shard is None else shard_prefix(prefix, *self.shard)

    @property
    def block_bytes(self) -> int:
        """What a worker gets at once; partners are exchanged within all of it."""
        return self.segment_bytes if self.mode == "random_pair" else BLOCK_BYTES

    def to_json(self) -> dict[str, Any]:
        """The options that decide the result."""
        values = dataclasses.asdict(self)
        for name in ("workers", "overwrite", "encoder"):
            del values[name]
        return values | {
            "pairs": [str(path) for path in self.pairs],
            "tokenizer": str(self.tokenizer),
            "output_prefix": str(self.output_prefix),
            "match_tokens": self.match_tokens and str(self.match_tokens),
        }

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


def shard_prefix(prefix: Path, index: int, count: int) -> Path:
    """`data/en-th` -> `data/en-th-00003-of-00008`."""
    return beside(prefix, f"-{index:05}-of-{count:05}")


def _check_language(code: str) -> None:
    if code not in LANGUAGES:
        raise ConfigError(
            f"language must be a two-letter ISO 639-1 code, got {code!r}. Use for example en."
        )


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(
            f"{name} must be one of {', '.join(choices)}, got {value!r}. Choose one of them."
        )
