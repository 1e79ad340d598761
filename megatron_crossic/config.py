"""The configuration of a training run: frozen, strict, free of I/O.

A YAML file and dotted options on the command line (`--parallel.tensor 2`) fill these classes;
`train.options` parses them. Checks that need a model, a data set or a world size live with what
they check; `RunConfig.check` collects every problem the values alone can show.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from megatron_crossic.errors import ConfigError
from megatron_crossic.layout_config import MemoryConfig, ParallelConfig, PrecisionConfig

__all__ = [
    "AttentionScope",
    "CheckpointConfig",
    "DataConfig",
    "LossOn",
    "MemoryConfig",
    "OptimizerConfig",
    "ParallelConfig",
    "PrecisionConfig",
    "RunConfig",
    "ScheduleConfig",
    "raise_problems",
]

LossOn = Literal["all", "target"]
AttentionScope = Literal["window", "pair", "chunk"]


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which windows are read, and what has loss."""

    train: tuple[Path, ...]
    """Prefixes of data sets by `preprocess_data.py`; their windows are shuffled together.

    Paths are relative to the folder the command is started in.
    """
    weights: tuple[float, ...] = ()
    """A weight for each of `train`: its share of the windows, whatever its size.

    Every set keeps it at every moment of the run. Only proportions count: 7 and 3 are 0.7 and 0.3.
    """
    validation: tuple[Path, ...] = ()
    """Prefixes of held-out data sets."""
    seed: int = 1234
    """Seed of the window order; the order does not depend on the layout."""
    split_loss: bool = True
    """Whether predicting `[SPLIT]` at the end of a chunk counts."""
    loss_on: LossOn = "all"
    """Which text has loss; target leaves the source texts as context alone."""
    attention_scope: AttentionScope = "window"
    """What a token attends to: the window before it, or less of it.

    With chunk it sees its chunk alone, with pair also the chunks of its pair that stand next to it.
    Positions restart there, and the first token there has no loss. BOS belongs to the first chunk.
    """

    def problems(self) -> list[str]:
        """Every rule the values break, as messages."""
        if not self.train:
            return ["data.train must name a data set, got none. Give one prefix or more."]
        found = []
        if self.weights and len(self.weights) != len(self.train):
            found.append(
                f"data.weights must have one weight for each of data.train, got "
                f"{len(self.weights)} for {len(self.train)}. Give as many, or none."
            )
        if not all(math.isfinite(weight) and weight > 0 for weight in self.weights):
            found.append(
                f"data.weights must be above 0, got {', '.join(map(str, self.weights))}. "
                "Leave data sets without weight out of data.train."
            )
        return found


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
    keep_last: int = 2
    """Newest complete checkpoints that stay on disk."""


LoraTarget = Literal["linear_qkv", "linear_proj", "linear_fc1", "linear_fc2"]
LORA_TARGETS: tuple[LoraTarget, ...] = ("linear_qkv", "linear_proj", "linear_fc1", "linear_fc2")


@dataclass(frozen=True, kw_only=True)
class LoraConfig:
    """Low-rank adapters beside frozen weights; only the adapters are trained and saved.

    Rank, alpha and dropout are the paper's. The base weights are read from `checkpoint.initial`
    whenever the run starts or resumes.
    """

    rank: int = 64
    """Rows of A and columns of B, for each projection of the Hugging Face model."""
    alpha: float = 128.0
    """The adapter's output counts alpha / rank times."""
    dropout: float = 0.05
    """Share of inputs an adapter does not see while it is trained."""
    targets: tuple[LoraTarget, ...] = LORA_TARGETS
    """Matrices with adapters: query, key and value; attention output; gate and up; down."""

    @property
    def scale(self) -> float:
        """What the adapter's output is multiplied with."""
        return self.alpha / self.rank

    def problems(self) -> list[str]:
        """Every rule the values break, as messages."""
        found = []
        if self.rank < 1:
            found.append(f"lora.rank must be at least 1, got {self.rank}. Use 64.")
        if self.alpha <= 0:
            found.append(f"lora.alpha must be above 0, got {self.alpha}. Use twice the rank.")
        if not 0 <= self.dropout < 1:
            found.append(
                f"lora.dropout must be at least 0 and below 1, got {self.dropout}. Use 0.05."
            )
        if not self.targets or len(set(self.targets)) < len(self.targets):
            found.append(
                f"lora.targets must name matrices, each once, got {list(self.targets)}. "
                f"Choose from {', '.join(LORA_TARGETS)}."
            )
        return found


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """One training run."""

    run_dir: Path
    """Gets `checkpoints/`, `metrics.jsonl`, `tensorboard/` and `config.yaml`."""
    data: DataConfig
    checkpoint: CheckpointConfig
    global_batch_size: int
    """Windows per step over all ranks."""
    num_steps: int = 0
    """Steps of the whole run; the schedule is laid out over them.

    Instead of it, num_epochs or num_tokens can be given.
    """
    num_epochs: float | None = None
    """As many steps as it takes to read so many times as many windows as data.train holds."""
    num_tokens: int | None = None
    """As many steps as it takes to read so many tokens, all tokens of the windows counted."""
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
    memory: MemoryConfig = field(default_factory=MemoryConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    lora: LoraConfig | None = None
    """Train adapters instead of the weights; any option of the group switches it on."""

    def check(self) -> None:
        """Raise one `ConfigError` that lists every problem the values alone show."""
        counts = {
            "global_batch_size": self.global_batch_size,
            "micro_batch_size": self.micro_batch_size,
            "log_interval": self.log_interval,
            "validation_interval": self.validation_interval,
            "checkpoint.interval": self.checkpoint.interval,
            "checkpoint.keep_last": self.checkpoint.keep_last,
        }
        if self.stop_after_step is not None:
            counts["stop_after_step"] = self.stop_after_step
        problems = [
            f"{name} must be at least 1, got {value}. Raise it."
            for name, value in counts.items()
            if value < 1
        ]
        problems = self.length_problems() + problems + self.data.problems()
        if min(self.data.seed, self.seed) < 0:
            problems.append(
                f"data.seed and seed must not be negative, got {self.data.seed} and {self.seed}. "
                "Use 0 or more."
            )
        problems += self.parallel.problems()
        problems += self.precision.problems()
        if self.precision.fp8_param_gather and not self.parallel.distributed_optimizer:
            problems.append(
                "precision.fp8_param_gather must go with parallel.distributed_optimizer, got "
                "false. Switch both on or both off."
            )
        problems += self.memory.problems()
        problems += self.optimizer.problems()
        if self.num_steps:  # else known once the data sets are open
            problems += self.schedule.problems(num_steps=self.num_steps)
        if self.lora is not None:
            problems += self.lora.problems()
        raise_problems(problems)

    def length_problems(self) -> list[str]:
        """What is wrong with the length of the run, given in one of three ways."""
        others = {"num_epochs": self.num_epochs, "num_tokens": self.num_tokens}
        given = {name: value for name, value in others.items() if value is not None}
        if self.num_steps or not given:
            given["num_steps"] = self.num_steps or 0  # `num_steps: null` in YAML arrives as None
        if len(given) > 1:
            return [
                "num_steps must be given alone, or num_epochs or num_tokens in its place, got "
                f"{' and '.join(sorted(given))}. Leave all but one out."
            ]
        name, value = next(iter(given.items()))
        if math.isfinite(value) and (value >= 1 or (name == "num_epochs" and value > 0)):
            return []
        lowest = "above 0" if name == "num_epochs" else "at least 1"
        return [f"{name} must be {lowest}, got {value}. Raise it."]

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
