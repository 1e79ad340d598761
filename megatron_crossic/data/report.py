"""What preprocessing tells: to its caller as a report, to whoever opens the data as a manifest."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from megatron_crossic.data.account import Account
from megatron_crossic.data.options import PreprocessOptions
from megatron_crossic.data.tokenizer import Tokenizer
from megatron_crossic.data.windows import WindowLayout
from megatron_crossic.files import FileFingerprint, fingerprint_file
from megatron_crossic.manifest import Manifest, manifest_path


@dataclass(frozen=True, kw_only=True, slots=True)
class DataSetReport:
    """What became of the pairs of one data set."""

    prefix: Path
    account: Account
    languages: list[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class PreprocessReport:
    """The data sets written."""

    training: DataSetReport
    validation: DataSetReport | None


def windows_manifest(
    report: DataSetReport,
    *,
    options: PreprocessOptions,
    tokenizer: Tokenizer,
    layout: WindowLayout,
    files: Mapping[str, FileFingerprint],
    inputs: Sequence[FileFingerprint],
) -> Manifest:
    """The manifest of one data set."""
    account = report.account
    return Manifest(
        kind="windows",
        options=_options_to_json(options),
        counts=account.counts(),
        drops=dict(account.pairs_dropped),
        files=files,
        inputs=inputs,
        parents=[
            fingerprint_file(path).sha256
            for path in map(manifest_path, options.pairs)
            if path.is_file()
        ],
        details={
            "seq_length": layout.seq_length,
            "vocab_size": tokenizer.vocab_size,
            "dtype": layout.dtype.name,
            "tokenizer": {
                "fingerprint": tokenizer.fingerprint,
                "bos_id": layout.bos_id,
                "eod_id": tokenizer.eod_id,
                "split_id": layout.split_id,
                "pad_id": layout.pad_id,
            },
            "held_out": report.prefix != options.output_prefix,
            "languages": report.languages,
            "tokens_by_language": account.tokens_by_language(report.languages),
            "tokens_by_role": account.tokens_by_role(),
            "fill_rate": account.fill_rate,
        },
    )


def _options_to_json(options: PreprocessOptions) -> dict[str, Any]:
    values = dataclasses.asdict(options)
    return values | {
        "pairs": [str(path) for path in options.pairs],
        "tokenizer": str(options.tokenizer),
        "output_prefix": str(options.output_prefix),
    }
