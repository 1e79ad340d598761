"""What is measured, and the plan of a run that leaves nothing behind."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from megatron_crossic.backend import Backend
from megatron_crossic.config import RunConfig
from megatron_crossic.errors import ConfigError
from megatron_crossic.profiling.tracing import TraceOptions
from megatron_crossic.train.plan import RunPlan, make_plan
from megatron_crossic.train.source import CHECKPOINTS_FOLDER


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasureOptions:
    """How much is measured, and who else watches."""

    steps: int = 20
    """Timed steps, and as many again that are divided into parts."""
    warmup: int = 5
    """Steps before the measured ones: kernels are chosen and memory is taken in the first."""
    trace: TraceOptions = field(default_factory=TraceOptions)
    nvtx: bool = False

    def check(self, backend: Backend, *, world_size: int) -> None:
        """Raise `ConfigError` for what cannot be measured."""
        if self.steps < 2 or self.warmup < 0:
            raise ConfigError(
                f"--steps must be at least 2 and --warmup at least 0, got {self.steps} and "
                f"{self.warmup}. Use 20 and 5: a spread needs several steps."
            )
        if self.trace.steps < 1 or any(not 0 <= one < world_size for one in self.trace.ranks):
            raise ConfigError(
                f"--trace-ranks must be from 0 to {world_size - 1} and --trace-steps at least 1, "
                f"got {', '.join(map(str, self.trace.ranks))} and {self.trace.steps}. Name ranks "
                "there are."
            )
        if self.nvtx and self.trace.ranks:
            raise ConfigError(
                "--nvtx must go without --trace, got both. Make one after the other: a GPU's "
                "activities are told to one tool at a time."
            )
        if self.nvtx and backend.NAME != "cuda":
            raise ConfigError(
                f"--nvtx must go with a GPU, got the {backend.NAME} backend. Leave it out, or use "
                "--trace, which works on both."
            )


def plan_profile(
    config: RunConfig, options: MeasureOptions, backend: Backend, *, world_size: int, folder: Path
) -> RunPlan:
    """The plan of a run that leaves nothing behind."""
    options.check(backend, world_size=world_size)
    recovery = replace(
        config.recovery,
        skip_steps=(),
        spike_factor=0.0,
        weight_check_interval=None,
        straggler_interval=None,
        exit_after_minutes=None,
        stop_file=None,
    )
    initial = config.checkpoint.initial or config.run_dir / CHECKPOINTS_FOLDER
    quiet = replace(
        config,
        run_dir=folder / "no-run",  # never made: there is nothing to resume, STOP or SAVE
        data=replace(config.data, validation=(), retention=()),
        checkpoint=replace(config.checkpoint, initial=initial),
        precision=replace(config.precision, check=None),
        recovery=recovery,
        stop_after_step=None,
        wandb=None,
    )
    plan = make_plan(quiet, backend, world_size=world_size)
    needed = options.warmup + 2 * options.steps + options.trace.num_steps
    longer = replace(plan.config, num_steps=max(plan.config.num_steps, needed))
    return replace(plan, config=longer)
