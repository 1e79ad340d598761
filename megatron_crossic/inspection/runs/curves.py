"""The files of a run as curves: one array of steps, one array of values a name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.errors import DataError
from megatron_crossic.files import unreadable
from megatron_crossic.inspection.marks import visible_line
from megatron_crossic.jsonl import parse_json_lines

METRICS_FILE, VALIDATION_FILE = "metrics.jsonl", "validation.jsonl"
"""What `train.metrics` writes; it needs torch, which a look at a run does without."""
BY_LANGUAGE = "loss_by_language"
SMOOTHED_SHARE = 50
"""A smoothed value is the mean of the last fiftieth of the steps."""

Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Curves:
    """Values over the steps; NaN where a step has none."""

    steps: NDArray[np.int64]  # [n], rising
    values: Mapping[str, Values]  # [n] each
    languages: Mapping[str, Values]
    """Loss by language  # [n] each"""

    def get(self, name: str) -> Values:
        """The curve of this name, or NaN at every step."""
        return self.values.get(name, np.full(len(self.steps), np.nan))


@dataclass(frozen=True, kw_only=True, slots=True)
class RunCurves:
    """Everything a run wrote down."""

    name: str
    training: Curves
    validation: Curves


def read_runs(folders: Sequence[Path]) -> list[RunCurves]:
    """Read runs; they are named by their folders, or their paths where two folders are alike."""
    names = [folder.resolve().name for folder in folders]
    return [
        read_run(folder, name=name if names.count(name) == 1 else str(folder))
        for folder, name in zip(folders, names, strict=True)
    ]


def read_run(folder: Path, *, name: str) -> RunCurves:
    """Read one run, finished or not; `DataError` where it has no step yet."""
    training = read_curves(folder / METRICS_FILE)
    if not len(training.steps):
        raise DataError(
            f"{folder / METRICS_FILE} must have a step, got none. Wait for the run's first step."
        )
    validations = folder / VALIDATION_FILE
    return RunCurves(
        name=visible_line(name),
        training=training,
        validation=read_curves(validations) if validations.exists() else to_curves([]),
    )


def read_curves(path: Path) -> Curves:
    """All complete lines; one that a run is just writing has no line feed yet and is left out."""
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except OSError as error:
        raise unreadable(path, error) from error
    if lines and not lines[-1].endswith(b"\n"):
        del lines[-1]
    records = [record for _, record in parse_json_lines(path, lines)]
    if not all(isinstance(record.get("step"), int) for record in records):
        raise DataError(
            f"{path} must have a whole number as step in every line, got others. "
            "Give the folder of a run of tools/pretrain.py."
        )
    return to_curves(records)


def to_curves(records: Sequence[Mapping[str, Any]]) -> Curves:
    """Records of steps -> arrays. The names are taken as they come; what is no number is NaN.

    A value inside another has both names, as `retention/enwiki`.
    """
    nested = [_mapping(record.get(BY_LANGUAGE)) for record in records]
    records = [_flat(record) for record in records]
    names = dict.fromkeys(name for record in records for name in record)
    languages = dict.fromkeys(language for losses in nested for language in losses)
    return Curves(
        steps=np.array([record["step"] for record in records], dtype=np.int64),
        values={visible_line(name): _column(records, name) for name in names},
        languages={visible_line(name): _column(nested, name) for name in sorted(languages)},
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in record.items():
        inner = _flat(value) if isinstance(value, dict) else {"": value}
        found |= {f"{name}/{key}" if key else name: item for key, item in inner.items()}
    return found


def _column(records: Sequence[Mapping[str, Any]], name: str) -> Values:
    found = (record.get(name) for record in records)
    return np.array(
        [value if isinstance(value, int | float) else np.nan for value in found], dtype=np.float64
    )


def smooth(values: Values) -> Values:
    """Mean of the last `len / SMOOTHED_SHARE` values at each place; NaN does not count.

    With windows of 2: 1 3 5 7 -> 1 2 4 6.
    """
    size = max(1, len(values) // SMOOTHED_SHARE)
    known = np.isfinite(values)
    sums = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0))])
    counts = np.concatenate([[0], np.cumsum(known)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(ends - size, 0)
    count = counts[ends] - counts[starts]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count, (sums[ends] - sums[starts]) / count, np.nan)


def tokens_at(run: RunCurves, steps: NDArray[np.int64]) -> Values:
    """Tokens with loss that the run had seen after these steps; 0 before the first one."""
    training = run.training
    return np.interp(
        steps, np.concatenate([[0], training.steps]), [0.0, *training.get("num_tokens_total")]
    )
