"""What preprocessing tells: to its caller as a report, to whoever opens the data as a manifest."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from megatron_crossic.data.account import Account
from megatron_crossic.data.run import RunPlan
from megatron_crossic.files import FileFingerprint, fingerprint_file
from megatron_crossic.manifest import Manifest, manifest_path


@dataclass(frozen=True, kw_only=True, slots=True)
class DataSetReport:
    """What became of the pairs of one data set."""

    prefix: Path
    account: Account
    languages: list[str]
    held_out: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class PreprocessReport:
    """The data sets written."""

    training: DataSetReport
    validation: DataSetReport | None
    encoder: str
    """What tokenized: package and version."""
    seconds: Mapping[str, float]
    """Time of each stage, all workers together; what a resumed run did earlier is not in it."""


def windows_manifest(
    report: DataSetReport, *, plan: RunPlan, files: Mapping[str, FileFingerprint]
) -> Manifest:
    """The manifest of one data set."""
    options, tokenizer, layout = plan.options, plan.tokenizer, plan.layout
    details = {
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
        "tokenized_by": {"encoder": plan.encoder.name, "distrusted": plan.distrusted},
        "held_out": report.held_out,
    }
    manifests = [path for path in map(manifest_path, options.pairs) if path.is_file()]
    manifest = Manifest(
        kind="windows",
        options=options.to_json(),
        counts={},
        inputs=plan.inputs,
        parents=[fingerprint_file(path).sha256 for path in manifests],
        details=details,
    )
    return with_account(manifest, report.account, report.languages, files=files)


def with_account(
    manifest: Manifest,
    account: Account,
    languages: list[str],
    *,
    files: Mapping[str, FileFingerprint],
) -> Manifest:
    """The manifest with the account and the files of a finished data set."""
    found = {
        "languages": languages,
        "tokens_by_language": account.tokens_by_language(languages),
        "tokens_by_role": account.tokens_by_role(),
        "fill_rate": account.fill_rate,
    }
    return replace(
        manifest,
        counts=account.counts(),
        drops=dict(account.pairs_dropped),
        files=files,
        details={**manifest.details, **found},
    )
