"""What a validation reports: loss on held-out windows, transfer gain, retention.

The transfer gain asks whether the model uses what stands before a text: the negative log-likelihood
of the same target tokens after their own source, after another pair's, and after none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

from megatron.core.distributed import DistributedDataParallel

from megatron_crossic.config import DataConfig
from megatron_crossic.train.dataset import RunData
from megatron_crossic.train.loss import LossReport, losses_by_name
from megatron_crossic.train.order import BatchShare
from megatron_crossic.train.probes import Case, Probes
from megatron_crossic.train.step import StepShape
from megatron_crossic.train.validate import validate


@dataclass(frozen=True, kw_only=True, slots=True)
class TransferReport:
    """Nats a token over the same measured tokens in each case, by direction (`es after en`)."""

    target_nll: Mapping[Case, Mapping[str, float]]
    num_tokens: int
    """Tokens measured in each case."""

    @property
    def gain(self) -> dict[str, dict[str, float]]:
        """How much better a text is known with its own source than without, above 0 where it is."""
        paired = self.target_nll["paired"]
        return {
            f"over_{case}": {
                name: nll - paired[name] for name, nll in self.target_nll[case].items()
            }
            for case in ("random", "alone")
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class ValidationReport:
    """Everything a validation measures; parts that a run has no data for are None or empty."""

    held_out: LossReport | None = None
    """On data.validation."""
    transfer: TransferReport | None = None
    """On chunks of data.validation."""
    retention: Mapping[str, float] = field(default_factory=dict)
    """Loss on each of data.retention."""

    def to_json(self) -> dict[str, Any]:
        """As `validation.jsonl` has it, less the step."""
        values: dict[str, Any] = asdict(self.held_out) if self.held_out else {}
        if self.transfer:
            values["target_nll"] = dict(self.transfer.target_nll)
            values["transfer_gain"] = self.transfer.gain
            values["num_transfer_tokens"] = self.transfer.num_tokens
        if self.retention:
            values["retention"] = dict(self.retention)
        return values


def validate_all(
    chunks: Sequence[DistributedDataParallel],
    data: RunData,
    probes: Probes | None,
    share: BatchShare,
    shape: StepShape,
    config: DataConfig,
) -> ValidationReport:
    """Measure all that the run has data for; the same at every layout."""
    on = partial(validate, chunks, share=share, attention_scope=config.attention_scope)
    # Texts without a target side have loss only where all text has, whatever training counts.
    retention = {
        name: on(windows, shape=shape, split_loss=config.split_loss, loss_on="all").loss
        for name, windows in data.retention.items()
    }
    return ValidationReport(
        held_out=on(
            data.validation, shape=shape, split_loss=config.split_loss, loss_on=config.loss_on
        )
        if len(data.validation)
        else None,
        transfer=_transfer(on, probes, shape) if probes else None,
        retention=retention,
    )


def _transfer(on: "partial[LossReport]", probes: Probes, shape: StepShape) -> TransferReport:
    """Measure each case; directions stand in the place of languages."""
    by_direction = replace(shape, languages=probes.directions)
    reports = {
        case: on(windows, shape=by_direction, split_loss=False, loss_on="target")
        for case, windows in probes.windows.items()
    }
    (num_tokens,) = {report.num_tokens for report in reports.values()}
    return TransferReport(
        target_nll={case: report.loss_by_language for case, report in reports.items()},
        num_tokens=num_tokens,
    )


def validation_line(report: ValidationReport, *, start: Mapping[str, float]) -> str:
    """`loss 2.1 (…) over 9 tokens; transfer gain es after en …; retention enwiki 2.3 (+0.02)`.

    `start` is the retention before training, as far as it is known.
    """
    said = []
    if report.held_out:
        loss, num_tokens = report.held_out.loss, report.held_out.num_tokens
        said.append(f"loss {loss:.4f}{losses_by_name(report.held_out)} over {num_tokens:,} tokens")
    if report.transfer:
        over_random, over_alone = report.transfer.gain.values()
        gains = (
            f"{name} {gain:+.3f} over a random source, {over_alone[name]:+.3f} over none"
            for name, gain in over_random.items()
        )
        said.append(f"transfer gain {', '.join(gains)}")
    if report.retention:
        losses = (
            f"{name} {loss:.3f}" + (f" ({loss - start[name]:+.3f})" if name in start else "")
            for name, loss in report.retention.items()
        )
        said.append(f"retention {', '.join(losses)}")
    return "; ".join(said)
