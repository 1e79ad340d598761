"""The configuration of a training run: frozen, strict, free of I/O.

A YAML file and dotted options on the command line (`--parallel.tensor 2`) fill these classes;
`train.options` parses them. Checks that need a model, a data set or a world size live with what
they check; `RunConfig.check` collects every problem the values alone can show.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from megatron_crossic.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class ParallelConfig:
    """How the model and the batch are divided over ranks; what remains is data parallelism."""

    tensor: int = 1
    """Ranks that share each layer's matrices."""
    pipeline: int = 1
    """Ranks that share the layers, in consecutive stages."""
    context: int = 1
    """Ranks that share each window's tokens (Transformer Engine on CUDA only)."""
    sequence: bool = False
    """Share norms and dropouts along the sequence between the tensor-parallel ranks."""
    distributed_optimizer: bool = False
    """Divide optimizer state and its update over the data-parallel ranks."""

    @property
    def model_size(self) -> int:
        """Ranks that hold one copy of the model."""
        return self.tensor * self.pipeline * self.context

    def problems(self) -> list[str]:
        """Every rule the values alone break, as messages."""
        found = [
            f"parallel.{name} must be at least 1, got {size}. Use 1 to switch it off."
            for name in ("tensor", "pipeline", "context")
            if (size := getattr(self, name)) < 1
        ]
        if self.sequence and self.tensor == 1:
            found.append(
                "parallel.sequence must go with parallel.tensor > 1, got tensor 1. "
                "Raise parallel.tensor or set parallel.sequence to false."
            )
        return found


@dataclass(frozen=True, kw_only=True)
class PrecisionConfig:
    """Number formats of weights and activations; main weights and moments are always fp32."""

    compute: Literal["fp32", "bf16", "fp8"] = "bf16"
    """fp8 runs matrix products in FP8 through Transformer Engine and keeps the rest in bf16."""


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which windows are read, and what has loss."""

    train: tuple[Path, ...]
    """Prefixes of data sets by `preprocess_data.py`; their windows are shuffled together.

    Paths are relative to the folder the command is started in.
    """
    validation: tuple[Path, ...] = ()
    """Prefixes of held-out data sets."""
    seed: int = 1234
    """Seed of the window order; the order does not depend on the layout."""
    split_loss: bool = True
    """Whether predicting `[SPLIT]` at the end of a chunk counts."""


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """Learning rate over the steps."""

    kind: Literal["cosine", "wsd", "constant"] = "cosine"
    """wsd is warm-up, stable, linear decay."""
    peak: float = 1e-4
    """Highest learning rate, reached after the warm-up."""
    minimum: float = 1e-5
    """Learning rate at the last step (cosine and wsd)."""
    warmup_steps: int = 0
    """Steps of the linear rise from 0 to `peak`."""
    decay_steps: int | None = None
    """wsd only: the steps of the final decay; a tenth of the run where not given."""

    def problems(self, *, num_steps: int) -> list[str]:
        """Every rule the values break in a run of `num_steps`, as messages."""
        found = []
        if not 0 <= self.minimum <= self.peak or self.peak == 0:
            found.append(
                f"schedule.peak must be above 0 and at least schedule.minimum, got peak "
                f"{self.peak} and minimum {self.minimum}. Raise schedule.peak."
            )
        if not 0 <= self.warmup_steps <= num_steps:
            found.append(
                f"schedule.warmup_steps must be from 0 to num_steps, got {self.warmup_steps} "
                f"with {num_steps}. Change one of them."
            )
        if self.decay_steps is None:
            return found
        if self.kind != "wsd":
            found.append(
                f"schedule.decay_steps must go with schedule.kind wsd, got kind {self.kind}. "
                "Leave it out or use wsd."
            )
        elif not 0 <= self.decay_steps <= num_steps - self.warmup_steps:
            found.append(
                f"schedule.decay_steps must be from 0 to num_steps - warmup_steps, got "
                f"{self.decay_steps} with {num_steps} - {self.warmup_steps}. Lower it."
            )
        return found


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """AdamW with decoupled weight decay; biases and norms do not decay."""

    beta1: float = 0.9
    """Decay of the first moment, the running mean of gradients."""
    beta2: float = 0.95
    """Decay of the second moment, the running mean of squared gradients."""
    epsilon: float = 1e-8
    """Added to the root of the second moment."""
    weight_decay: float = 0.1
    """Share of a weight that goes in a step, times the learning rate."""
    clip_grad: float = 1.0
    """Largest global gradient norm; 0 switches clipping off."""

    def problems(self) -> list[str]:
        """Every rule the values break, as messages."""
        found = [
            f"optimizer.{name} must be at least 0 and below 1, got {value}. Use 0.9 or 0.95."
            for name in ("beta1", "beta2")
            if not 0 <= (value := getattr(self, name)) < 1
        ]
        found += [
            f"optimizer.{name} must not be negative, got {value}. Use 0 or more."
            for name in ("epsilon", "weight_decay", "clip_grad")
            if (value := getattr(self, name)) < 0
        ]
        return found


@dataclass(frozen=True, kw_only=True)
class CheckpointConfig:
    """Where weights come from and where the run's state goes."""

    initial: Path | None = None
    """A checkpoint made by `convert_checkpoint.py from-hf` or by another run; weights only.

    Once the run has a checkpoint of its own it goes on from that, and this is not read.
    """
    interval: int = 100
    """Steps between two checkpoints; the last step is always saved."""
    interval_minutes: float | None = None
    """Longest time between two checkpoints, by rank 0's clock, beside `interval`."""
    keep_last: int = 2
    """Newest complete checkpoints that stay on disk."""
    keep_every: int | None = None
    """Checkpoints of steps that this number divides stay as well."""


@dataclass(frozen=True, kw_only=True)
class RecoveryConfig:
    """When a run leaves early, and what it does about bad steps and broken machines."""

    exit_after_minutes: float | None = None
    """Save and leave after this time, before a scheduler's limit."""
    stop_file: Path | None = None
    """Save and leave once this file exists, as with `STOP` in run_dir; it is not removed."""
    on_bad_loss: Literal["stop", "skip"] = "stop"
    """What to do about a loss or gradient norm that is no number, or a spike.

    stop ends the run with an error; skip leaves the update out and goes on. Both name the windows.
    """
    spike_factor: float = 0.0
    """A loss above this many medians of the last `spike_window` ones is a spike; 0 is off."""
    spike_window: int = 50
    """Losses that median is of; there are no spikes before there are so many."""
    max_bad_steps: int = 10
    """Bad steps in a row that end the run even with `on_bad_loss` skip."""
    skip_steps: tuple[int, ...] = ()
    """Steps that read their windows and make no update."""
    weight_check_interval: int | None = None
    """Steps between two comparisons of the weights of all data-parallel ranks."""
    timeout_minutes: float = 10.0
    """How long a rank may wait for the others before the job ends and names who is missing."""

    def problems(self) -> list[str]:
        """Every rule the values break, as messages."""
        counts = {
            "spike_window": self.spike_window,
            "max_bad_steps": self.max_bad_steps,
            "weight_check_interval": self.weight_check_interval,
            "skip_steps": min(self.skip_steps, default=None),
        }
        found = [
            f"recovery.{name} must be at least 1, got {value}. Raise it."
            for name, value in counts.items()
            if value is not None and value < 1
        ]
        times = {
            "exit_after_minutes": self.exit_after_minutes,
            "timeout_minutes": self.timeout_minutes,
        }
        found += [
            f"recovery.{name} must be above 0, got {value}. Raise it."
            for name, value in times.items()
            if value is not None and value <= 0
        ]
        if self.spike_factor and self.spike_factor <= 1:
            found.append(
                f"recovery.spike_factor must be above 1, or 0 for off, got {self.spike_factor}. "
                "Use 2 or more."
            )
        return found


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """One training run."""

    run_dir: Path
    """Gets `checkpoints/`, `metrics.jsonl`, `tensorboard/` and `config.yaml`."""
    data: DataConfig
    checkpoint: CheckpointConfig
    num_steps: int
    """Steps of the whole run; the schedule is laid out over them."""
    global_batch_size: int
    """Windows per step over all ranks."""
    micro_batch_size: int = 1
    """Windows per forward pass on one rank."""
    stop_after_step: int | None = None
    """End after this step with a checkpoint; the schedule stays that of `num_steps`."""
    backend: Literal["auto", "cuda", "cpu"] = "auto"
    """auto is CUDA where a GPU is visible."""
    seed: int = 1234
    """Seed of every random generator; the window order has its own, data.seed."""
    validation_interval: int = 100
    """Steps between two validations; one more runs before the first step, one after the last."""
    log_interval: int = 1
    """Steps between two progress lines; `metrics.jsonl` gets every step."""
    parallel: ParallelConfig = field(default_factory=ParallelConfig)
    precision: PrecisionConfig = field(default_factory=PrecisionConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    recovery: RecoveryConfig = field(default_factory=RecoveryConfig)

    def check(self) -> None:
        """Raise one `ConfigError` that lists every problem the values alone show."""
        counts = {
            "num_steps": self.num_steps,
            "global_batch_size": self.global_batch_size,
            "micro_batch_size": self.micro_batch_size,
            "log_interval": self.log_interval,
            "validation_interval": self.validation_interval,
            "checkpoint.interval": self.checkpoint.interval,
            "checkpoint.keep_last": self.checkpoint.keep_last,
        }
        if self.stop_after_step is not None:
            counts["stop_after_step"] = self.stop_after_step
        if self.checkpoint.keep_every is not None:
            counts["checkpoint.keep_every"] = self.checkpoint.keep_every
        problems = [
            f"{name} must be at least 1, got {value}. Raise it."
            for name, value in counts.items()
            if value < 1
        ]
        if not self.data.train:
            problems.append("data.train must name a data set, got none. Give one prefix or more.")
        if min(self.data.seed, self.seed) < 0:
            problems.append(
                f"data.seed and seed must not be negative, got {self.data.seed} and {self.seed}. "
                "Use 0 or more."
            )
        problems += self.parallel.problems()
        problems += self.optimizer.problems()
        problems += self.schedule.problems(num_steps=self.num_steps)
        problems += self.recovery.problems()
        if (minutes := self.checkpoint.interval_minutes) is not None and minutes <= 0:
            problems.append(
                f"checkpoint.interval_minutes must be above 0, got {minutes}. Raise it."
            )
        raise_problems(problems)

    @property
    def last_step(self) -> int:
        """The step after which this process ends."""
        return min(self.stop_after_step or self.num_steps, self.num_steps)

    def num_microbatches(self, *, data_parallel_size: int) -> int:
        """Forward passes of one rank in one step; `ConfigError` where the batch does not divide."""
        per_pass = self.micro_batch_size * data_parallel_size
        if self.global_batch_size % per_pass:
            lower = self.global_batch_size // per_pass * per_pass
            raise ConfigError(
                f"global_batch_size must be a multiple of micro_batch_size * data_parallel_size, "
                f"got {self.global_batch_size} with {self.micro_batch_size} * {data_parallel_size} "
                f"= {per_pass}. Use {f'{lower} or ' if lower else ''}{lower + per_pass}."
            )
        return self.global_batch_size // per_pass


def raise_problems(problems: list[str]) -> None:
    """Raise one `ConfigError` that carries every message, or return where there is none."""
    if problems:
        raise ConfigError("\n       ".join(problems))
