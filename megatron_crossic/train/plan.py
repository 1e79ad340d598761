"""Everything a run can know, and refuse, before it starts a process group.

A dry run prints the plan; a real run executes it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from megatron_crossic.backend import DeviceRules
from megatron_crossic.checkpoint.folder import HF_FOLDER, CheckpointInfo, fingerprint, read_info
from megatron_crossic.checkpoint.sound import find_sound
from megatron_crossic.config import RunConfig, raise_problems
from megatron_crossic.model.architecture import ModelArchitecture
from megatron_crossic.model.layout import fp8_problems, layout_problems, recompute_problems
from megatron_crossic.parallel import check_world_size
from megatron_crossic.train.budget import length_as_given, with_steps
from megatron_crossic.train.dataset import RunData, open_data
from megatron_crossic.train.fit import compare_tokenizers, data_problems, round_problems
from megatron_crossic.train.order import Order, make_order
from megatron_crossic.train.source import (
    CHECKPOINTS_FOLDER,
    base_problems,
    find_base,
    find_source,
)
from megatron_crossic.train.wandb_log import wandb_problems


@dataclass(frozen=True, kw_only=True, slots=True)
class RunPlan:
    """A run that can start."""

    config: RunConfig
    data: RunData
    source: Path
    """Checkpoint folder the run starts from."""
    info: CheckpointInfo
    """What that checkpoint is."""
    warnings: tuple[str, ...]
    """What the user should know about that checkpoint."""
    resumes: bool
    """Whether `source` is this run's own, so that optimizer and position come from it too."""
    base: Path
    """Checkpoint the frozen weights of a LoRA run come from; `source` otherwise."""
    device: str
    """Name of the backend."""
    world_size: int
    data_size: int
    num_microbatches: int
    order: Order
    """Which windows each step reads."""
    length_as_given: str
    """What `config.num_steps` comes from, such as `num_epochs 2`."""

    @property
    def architecture(self) -> ModelArchitecture:
        """The model that is trained."""
        return self.info.architecture

    @property
    def first_step(self) -> int:
        """The step after those already done, counted from 1."""
        return self.info.step + 1 if self.resumes else 1

    @property
    def num_tokens(self) -> int:
        """Tokens with loss this run has already seen."""
        return self.info.num_tokens if self.resumes else 0

    @property
    def tokens_per_pass(self) -> int:
        """Tokens of a microbatch on one rank of each context-parallel group."""
        passed = self.data.seq_length * self.config.micro_batch_size
        return passed // self.config.parallel.context

    @property
    def guard_memory(self) -> Mapping[str, Any]:
        """What the guard of the loss knew at the checkpoint; nothing in a new run."""
        memory: Mapping[str, Any] = self.info.details.get("guard", {}) if self.resumes else {}
        return memory

    @property
    def checkpoints(self) -> Path:
        """Root of this run's checkpoints."""
        return self.config.run_dir / CHECKPOINTS_FOLDER

    @property
    def same_layout(self) -> bool:
        """Whether the checkpoint was written with the same model-parallel layout."""
        return dict(self.info.details.get("layout", {})) == layout_details(self)


def make_plan(config: RunConfig, backend: DeviceRules, *, world_size: int) -> RunPlan:
    """Open data and checkpoint, and check that they, the options and the layout go together."""
    data_size = check_world_size(config.parallel, world_size)
    num_microbatches = config.num_microbatches(data_parallel_size=data_size)
    source, resumes = find_source(config)
    info = read_info(source.folder)
    base = find_base(config) if resumes and config.lora is not None else source.folder
    data = open_data(config.data)
    length = length_as_given(config)
    config = with_steps(config, num_windows=len(data.train), seq_length=data.seq_length)
    config.check()
    other_tokenizer, warnings = compare_tokenizers(data, config, source.folder / HF_FOLDER)
    raise_problems(
        layout_problems(info.architecture, config.parallel)
        + recompute_problems(info.architecture, config.parallel, config.memory)
        + backend.problems(config.parallel, config.precision, config.memory)
        + fp8_problems(
            info.architecture,
            config.parallel,
            config.precision,
            seq_length=data.seq_length,
            micro_batch_size=config.micro_batch_size,
        )
        + round_problems(config, num_microbatches)
        + data_problems(data, info.architecture, config)
        + other_tokenizer
        + wandb_problems(config)
        + base_problems(base, config, resumes=resumes)
    )
    plan = RunPlan(
        config=config,
        data=data,
        source=source.folder,
        warnings=(*source.passed_over, *warnings),
        info=info,
        resumes=resumes,
        base=base,
        device=backend.NAME,
        world_size=world_size,
        data_size=data_size,
        num_microbatches=num_microbatches,
        order=make_order(
            sizes=data.train.sizes, weights=config.data.weights, seed=config.data.seed
        ),
        length_as_given=length,
    )
    if resumes:
        _check_resumable(plan)
    return plan


def without_damaged(plan: RunPlan, damaged: Mapping[Path, str]) -> RunPlan:
    """The plan of a resumed run that goes on from the newest checkpoint not known as damaged.

    `CheckpointError` where there is none: starting anew is for the user to decide.
    """
    source = find_sound(plan.checkpoints, damaged=damaged)
    assert source is not None, "a run that resumes has checkpoints"
    return replace(
        plan,
        source=source.folder,
        info=read_info(source.folder),
        warnings=(*plan.warnings, *source.passed_over),
    )


def resume_details(plan: RunPlan) -> dict[str, Any]:
    """What a resumed run must agree with, by the name a user knows it under."""
    config = plan.config
    return {
        "windows of data.train": plan.data.train.fingerprint(),
        "data.seed": config.data.seed,
        "data.weights": list(config.data.weights),
        "data.split_loss": config.data.split_loss,
        "data.loss_on": config.data.loss_on,
        "data.attention_scope": config.data.attention_scope,
        "global_batch_size": config.global_batch_size,
        "precision.compute": "fp32" if config.precision.compute == "fp32" else "bf16",
        **_lora_resume_details(plan),
    }


def _lora_resume_details(plan: RunPlan) -> dict[str, Any]:
    """Dropout may change between two parts of a run; the adapters and what they adapt may not."""
    lora = plan.config.lora
    return {
        "lora.rank": lora and lora.rank,
        "lora.alpha": lora and lora.alpha,
        "lora.targets": lora and sorted(lora.targets),
        "base weights in checkpoint.initial": lora and fingerprint(plan.base),
    }


def lora_details(plan: RunPlan) -> dict[str, Any]:
    """What an export of adapters must know; nothing for a run that trains the weights."""
    if plan.config.lora is None:
        return {}
    return {"lora": {**asdict(plan.config.lora), "base": str(plan.base.resolve())}}


def layout_details(plan: RunPlan) -> dict[str, int | str]:
    """The layout and the device that random states belong to."""
    parallel = plan.config.parallel
    return {"tensor": parallel.tensor, "pipeline": parallel.pipeline, "device": plan.device}


def _check_resumable(plan: RunPlan) -> None:
    saved = plan.info.details.get("resume", {})
    problems = [
        f"{name} must be as in the checkpoint that is resumed, got {value} instead of "
        f"{saved.get(name)} in {plan.source}. Restore it, or start a new run_dir with "
        "checkpoint.initial."
        for name, value in resume_details(plan).items()
        if saved.get(name) != value
    ]
    if plan.config.checkpoint.initial is not None:
        problems += _other_model_problems(plan, plan.config.checkpoint.initial)
    raise_problems(problems)


def _other_model_problems(plan: RunPlan, initial: Path) -> list[str]:
    """The run's own checkpoint wins over `checkpoint.initial`; both must be the same model."""
    started_from = find_sound(initial)
    if started_from is None or read_info(started_from.folder).architecture == plan.architecture:
        return []
    return [
        f"checkpoint.initial must be of the model in {plan.source}, which this run resumes, got "
        f"another architecture in {initial}. Choose another run_dir for another model."
    ]
