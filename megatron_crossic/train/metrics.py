"""What a run says about itself: progress lines, JSON lines, TensorBoard.

    run_dir/metrics.jsonl      one object a training step
    run_dir/validation.jsonl   one object a validation; step 0 is before training
    run_dir/bad_steps.jsonl    one object a window of a step whose loss was bad
    run_dir/stragglers.jsonl   one object a look for slow ranks
    run_dir/tensorboard/       the same numbers

Only rank 0 writes. A resumed run first removes what lies beyond the step it resumes from, so that
every step is there once.
"""

import math
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO, TextIO
from unittest.mock import patch

import orjson
from torch.utils.tensorboard import SummaryWriter

from megatron_crossic.errors import DataError
from megatron_crossic.files import unwritable, write_text_atomically
from megatron_crossic.jsonl import to_json_line
from megatron_crossic.train.held_out import ValidationReport, validation_line
from megatron_crossic.train.loss import losses_by_name
from megatron_crossic.train.progress import Lines, open_progress
from megatron_crossic.train.speed import StepSpeed
from megatron_crossic.train.stragglers import STRAGGLERS_FILE, Straggler
from megatron_crossic.train.suspects import Suspect, record
from megatron_crossic.train.wandb_log import WandbLog

METRICS_FILE = "metrics.jsonl"
VALIDATION_FILE = "validation.jsonl"
TENSORBOARD_FOLDER = "tensorboard"


@dataclass(frozen=True, kw_only=True, slots=True)
class StepMetrics:
    """One training step, as `metrics.jsonl` has it."""

    step: int
    loss: float
    loss_by_language: dict[str, float]
    loss_by_part: dict[str, float]
    grad_norm: float
    """Before clipping."""
    grad_norm_by_group: dict[str, float]
    """The same of some of the weights each; their squares add up to that of `grad_norm`."""
    learning_rate: float
    num_tokens: int
    """Tokens with loss in this step's global batch."""
    num_tokens_total: int
    """Tokens with loss since the first step of the run."""
    speed: StepSpeed
    """Its fields stand in the file beside the others."""
    num_windows_by_set: dict[str, int] = field(default_factory=dict)
    """Windows of this step's global batch that come from each data set of data.train."""
    skipped: bool = False
    """Whether the update was left out."""
    num_skipped: int = 0
    """Steps without update since the first step of the run."""

    def record(self) -> dict[str, Any]:
        """The object in `metrics.jsonl`."""
        values = asdict(self)
        speed = values.pop("speed")
        return {**values, **speed}


class SilentLog:
    """What the other ranks have in place of a `MetricsLog`."""

    def say(self, message: str) -> None:
        """Say nothing."""

    def step(self, metrics: StepMetrics) -> None:
        """Record nothing."""

    def validation(self, step: int, report: ValidationReport) -> None:
        """Record nothing."""

    def suspects(self, found: Callable[[], Sequence[Suspect]]) -> None:
        """Look nothing up."""

    def stragglers(self, found: Sequence[Straggler], record: dict[str, Any]) -> None:
        """Record nothing."""


class MetricsLog(SilentLog):
    """Rank 0's writer of everything above; use `open_metrics`."""

    def __init__(
        self,
        *,
        steps: BinaryIO,
        validations: BinaryIO,
        board: SummaryWriter,
        run_dir: Path,
        progress: Lines,
        num_steps: int,
        log_interval: int,
        wandb: WandbLog | None,
    ) -> None:
        self._steps = steps
        self._validations = validations
        self._board = board
        self._run_dir = run_dir
        self._progress = progress
        self._num_steps = num_steps
        self._log_interval = log_interval
        self._start = _retention_at_start(run_dir / VALIDATION_FILE)
        self._wandb = wandb
        self._seconds: deque[float] = deque(maxlen=51)

    def say(self, message: str) -> None:
        """Write one line of progress."""
        self._progress.say(message)

    def step(self, metrics: StepMetrics) -> None:
        """Record one training step."""
        values = metrics.record()
        _append(self._steps, values)
        self._scalars("train", metrics.step, values)
        self._seconds.append(metrics.speed.seconds)
        self._progress.step(metrics.step, f"loss {metrics.loss:.4f}")
        if metrics.step % self._log_interval == 0 or metrics.step == self._num_steps:
            eta = self._remaining_seconds(metrics.step)
            self.say(progress_line(metrics, num_steps=self._num_steps, eta_seconds=eta))

    def validation(self, step: int, report: ValidationReport) -> None:
        """Record one validation, made after `step`."""
        values = {"step": step, **report.to_json()}
        _append(self._validations, values)
        self._scalars("validation", step, values)
        if step == 0:
            self._start = dict(report.retention)
        said = validation_line(report, start=self._start)
        self.say(f"validation after step {step}: {said}")

    def suspects(self, found: Callable[[], Sequence[Suspect]]) -> None:
        """Name the windows of a bad step; where they cannot be looked up, say so and go on."""
        try:
            lines = record(self._run_dir, found())
        except (DataError, ValueError) as error:  # a damaged file must not hide the bad step
            lines = [f"  windows whose sources are not known: {error}"]
        for line in lines:
            self.say(line)

    def stragglers(self, found: Sequence[Straggler], record: dict[str, Any]) -> None:
        """Record one look for slow ranks; say who they are."""
        with (self._run_dir / STRAGGLERS_FILE).open("ab") as file:
            _append(file, record)
        for straggler in found:
            self.say(f"warning: {straggler.line()}")

    def _remaining_seconds(self, step: int) -> float:
        """From the recent steps; the first one of a process is slower, so it counts if alone."""
        recent = list(self._seconds)[1:] or self._seconds
        return (self._num_steps - step) * sum(recent) / len(recent)

    def _scalars(self, group: str, step: int, values: dict[str, Any]) -> None:
        numbers = dict(_flat(group, values))
        for name, number in numbers.items():
            self._board.add_scalar(name, number, step)
        if self._wandb is not None:
            self._wandb.scalars(numbers, step=step)


def _flat(group: str, values: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """`train/loss`, `train/loss_by_language/en`, …; what has no value is left out."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(f"{group}/{name}", value)
        elif name != "step" and value is not None:
            yield f"{group}/{name}", value


def progress_line(metrics: StepMetrics, *, num_steps: int, eta_seconds: float) -> str:
    """`step 12/200  loss 3.2101 (en 3.10, es 3.31)  grad norm 1.20 …` on one line."""
    width = len(str(num_steps))
    return (
        f"step {metrics.step:{width}}/{num_steps}  loss {metrics.loss:.4f}"
        f"{losses_by_name(metrics)}  grad norm {metrics.grad_norm:.3f}  "
        f"lr {metrics.learning_rate:.2e}  {_speed(metrics.speed)}  "
        f"ETA {timedelta(seconds=math.ceil(eta_seconds))}"
    )


def _speed(speed: StepSpeed) -> str:
    share = "" if speed.mfu is None else f", {speed.mfu:.1%} MFU"
    return (
        f"{speed.tokens_per_second:,.0f} tokens/s, {speed.tflops:.3g} TFLOP/s{share}  "
        f"data {speed.data_seconds:.3f} s, wait {speed.wait_seconds:.3f} s  "
        f"{speed.peak_memory_bytes / 2**30:.1f} GiB"
    )


@contextmanager
def open_metrics(
    run_dir: Path,
    *,
    resumed_step: int,
    num_steps: int,
    log_interval: int,
    progress: TextIO,
    wandb: WandbLog | None = None,
) -> Iterator[MetricsLog]:
    """Open the log of a run that goes on after `resumed_step`, 0 for a new one.

    `DataError` where it cannot be written.
    """
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
        for name in (METRICS_FILE, VALIDATION_FILE, STRAGGLERS_FILE):
            forget_after(run_dir / name, resumed_step)
        with (
            (run_dir / METRICS_FILE).open("ab") as steps,
            (run_dir / VALIDATION_FILE).open("ab") as validations,
            _open_board(run_dir, resumed_step) as board,
            open_progress(progress, first_step=resumed_step + 1, num_steps=num_steps) as lines,
        ):
            yield MetricsLog(
                steps=steps,
                validations=validations,
                board=board,
                run_dir=run_dir,
                progress=lines,
                num_steps=num_steps,
                log_interval=log_interval,
                wandb=wandb,
            )
    except OSError as error:
        raise unwritable(run_dir, error) from error


@contextmanager
def _open_board(run_dir: Path, resumed_step: int) -> Iterator[SummaryWriter]:
    """TensorBoard writes in a thread of its own and raises in ours later what went wrong there."""
    with patch.object(threading, "excepthook", _print_unless_raised_later):
        board = SummaryWriter(str(run_dir / TENSORBOARD_FOLDER), purge_step=resumed_step + 1)
        with closing(board):
            yield board


def _print_unless_raised_later(failure: threading.ExceptHookArgs) -> None:
    if not isinstance(failure.exc_value, OSError):
        threading.__excepthook__(failure)


def forget_after(path: Path, step: int) -> None:
    """Keep the records up to `step`; a new run (`step` 0) keeps none.

    The last line may be torn where the run was killed; it ends what can be kept.
    """
    if not path.exists():
        return
    kept = []
    for line in path.read_bytes().splitlines(keepends=True) if step else ():
        if not line.endswith(b"\n"):
            break
        try:
            if orjson.loads(line)["step"] <= step:
                kept.append(line)
        except orjson.JSONDecodeError:
            break
    write_text_atomically(path, b"".join(kept).decode("utf-8"))


def _retention_at_start(path: Path) -> dict[str, float]:
    """Losses before training that a resumed run finds in its file; nothing in a new one."""
    with path.open("rb") as file:
        first = file.readline()
    record = orjson.loads(first) if first else {}
    return record.get("retention", {}) if record.get("step") == 0 else {}


def _append(file: BinaryIO, values: dict[str, Any]) -> None:
    file.write(to_json_line(values))
    file.flush()
