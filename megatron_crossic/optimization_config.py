"""The part of a run's configuration that says what is trained, and how its values change."""

from dataclasses import dataclass
from typing import Literal

LoraTarget = Literal["linear_qkv", "linear_proj", "linear_fc1", "linear_fc2"]
LORA_TARGETS: tuple[LoraTarget, ...] = ("linear_qkv", "linear_proj", "linear_fc1", "linear_fc2")


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
