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
from megatron_crossic.optimization_config import LoraConfig, OptimizerConfig, ScheduleConfig
from megatron_crossic.recovery_config import CheckpointConfig, RecoveryConfig
from megatron_crossic.watching_config import WandbConfig

__all__ = [
    "AttentionScope",
    "CheckpointConfig",
    "DataConfig",
    "LoraConfig",
    "LossOn",
    "MemoryConfig",
    "OptimizerConfig",
    "ParallelConfig",
    "PrecisionConfig",
    "RecoveryConfig",
    "RunConfig",
    "ScheduleConfig",
    "WandbConfig",
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
    transfer_chunks: int = 64
    """Chunks of `validation` on which the transfer gain is measured, divided among its languages.

    Each is read three times in a window of its own; 0 leaves it out.
    """
    retention: tuple[Path, ...] = ()
    """Prefixes of held-out texts the model should stay good at, such as plain English; the loss on
    each is compared with that before training.
    """
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
        if self.transfer_chunks < 2 and self.transfer_chunks != 0:
            found.append(
                f"data.transfer_chunks must be 0 or at least 2, got {self.transfer_chunks}. Use "
                "0 to leave the transfer gain out: a random source needs a second chunk."
            )
        if len(set(self.retention)) < len(self.retention):
            found.append(
                "data.retention must name each data set once, got "
                f"{', '.join(map(str, self.retention))}. Leave the repeated ones out."
            )
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
    recovery: RecoveryConfig = field(default_factory=RecoveryConfig)
    wandb: WandbConfig | None = None
    """Tell Weights & Biases too; any option of the group switches it on."""

    def check(self) -> None:
        """Raise one `ConfigError` that lists every problem the values alone show."""
        counts = {
            "global_batch_size": self.global_batch_size,
            "micro_batch_size": self.micro_batch_size,
            "log_interval": self.log_interval,
            "validation_interval": self.validation_interval,
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
        if self.precision.fp8_param_gather and self.lora is not None:
            problems.append(
                "precision.fp8_param_gather must be false with lora, got true. Leave it out: the "
                "weights are frozen, and there is nothing to gather but adapters."
            )
        problems += self.memory.problems()
        problems += self.optimizer.problems()
        if self.num_steps:  # else known once the data sets are open
            problems += self.schedule.problems(num_steps=self.num_steps)
        if self.lora is not None:
            problems += self.lora.problems()
        problems += self.checkpoint.problems()
        problems += self.recovery.problems()
        if self.wandb is not None:
            problems += self.wandb.problems()
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
                f"{' and '.join(sorted(given))}. Leave all but one out; --num_steps 0 "
                "takes back that of a file."
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
