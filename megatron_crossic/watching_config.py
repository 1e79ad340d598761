"""The part of a run's configuration that says who else is told about it."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class WandbConfig:
    """Weights & Biases, beside TensorBoard and with the same numbers.

    Needs the extra `wandb`. Beside the numbers it gets the resolved configuration; no code, no
    output and no checkpoint is sent.
    """

    project: str = "megatron_crossic"
    """Project the run belongs to."""
    name: str | None = None
    """What the run is called there; the name of `run_dir` where not given."""
    mode: Literal["online", "offline"] = "online"
    """offline writes to `run_dir/wandb`, which `wandb sync` sends later."""

    def problems(self) -> list[str]:
        """Every rule the values break, as messages."""
        if self.project.strip() and (self.name is None or self.name.strip()):
            return []
        return [
            f"wandb.project and name must not be empty, got {self.project!r} and {self.name!r}. "
            "Name them, or leave the option out."
        ]
