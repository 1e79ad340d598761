"""Everything a run can know, and refuse, before it starts a process group.

A dry run prints the plan; a real run executes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from megatron_crossic.backend import Backend
from megatron_crossic.checkpoint.folder import HF_FOLDER, CheckpointInfo, read_info
from megatron_crossic.checkpoint.sound import SoundCheckpoint, find_sound
from megatron_crossic.config import RunConfig, raise_problems
from megatron_crossic.data.tokenizer import load_tokenizer
from megatron_crossic.errors import CheckpointError, ConfigError, CrossicError
from megatron_crossic.model.architecture import ModelArchitecture
from megatron_crossic.model.layout import layout_problems
from megatron_crossic.parallel import check_world_size
from megatron_crossic.train.dataset import RunData, open_data

CHECKPOINTS_FOLDER = "checkpoints"


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
    device: str
    """Name of the backend."""
    world_size: int
    data_size: int
    num_microbatches: int

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


def make_plan(config: RunConfig, backend: Backend, *, world_size: int) -> RunPlan:
    """Open data and checkpoint, and check that they, the options and the layout go together."""
    data_size = check_world_size(config.parallel, world_size)
    num_microbatches = config.num_microbatches(data_parallel_size=data_size)
    source, resumes = find_source(config)
    info = read_info(source.folder)
    data = open_data(config.data)
    other_tokenizer, warnings = compare_tokenizers(data, config, source.folder / HF_FOLDER)
    raise_problems(
        layout_problems(info.architecture, config.parallel)
        + backend.problems(config.parallel, config.precision)
        + data_problems(data, info.architecture, config)
        + other_tokenizer
    )
    plan = RunPlan(
        config=config,
        data=data,
        source=source.folder,
        warnings=(*source.passed_over, *warnings),
        info=info,
        resumes=resumes,
        device=backend.NAME,
        world_size=world_size,
        data_size=data_size,
        num_microbatches=num_microbatches,
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


def find_source(config: RunConfig) -> tuple[SoundCheckpoint, bool]:
    """The checkpoint to start from, and whether it is the run's own."""
    own = find_sound(config.run_dir / CHECKPOINTS_FOLDER)
    if own is not None:
        return own, True
    if config.checkpoint.initial is None:
        raise ConfigError(
            f"checkpoint.initial must name a checkpoint for a new run, got nothing and no "
            f"checkpoints in {config.run_dir}. Give one made by convert_checkpoint.py from-hf."
        )
    initial = find_sound(config.checkpoint.initial)
    if initial is None:
        raise CheckpointError(
            f"checkpoint.initial must be a folder with a complete checkpoint, got "
            f"{config.checkpoint.initial}. Give a step folder, or the folder that holds `latest`."
        )
    return initial, False


def data_problems(data: RunData, architecture: ModelArchitecture, config: RunConfig) -> list[str]:
    """Every way in which the data sets do not fit model and layout, as messages."""
    found = []
    if data.vocab_size > architecture.vocab_size:
        found.append(
            f"vocab_size of the data sets must be at most the model's, got {data.vocab_size} with "
            f"{architecture.vocab_size}. Make the data sets with the model's own tokenizer."
        )
    if data.seq_length > architecture.max_position_embeddings:
        found.append(
            f"seq_length of the data sets must be at most the model's max_position_embeddings, got "
            f"{data.seq_length} with {architecture.max_position_embeddings}. Make them with a "
            "lower --seq-length."
        )
    shares = {
        "parallel.tensor with parallel.sequence": (
            config.parallel.tensor if config.parallel.sequence else 1
        ),
        "2 * parallel.context": 2 * config.parallel.context if config.parallel.context > 1 else 1,
    }
    found += [
        f"{name} must divide seq_length of the data sets, got {size} with {data.seq_length}. "
        "Change the layout or --seq-length."
        for name, size in shares.items()
        if data.seq_length % size
    ]
    return found


def compare_tokenizers(
    data: RunData, config: RunConfig, hf: Path
) -> tuple[list[str], tuple[str, ...]]:
    """Problems and warnings: the data sets must be made with the tokenizer the model came with.

    A folder may have it in two forms, `tokenizer.json` and a SentencePiece model; one has to match.
    """
    sources = sorted(hf.glob("*.model"))
    if (hf / "tokenizer.json").is_file():
        sources.insert(0, hf)
    found = {}
    warnings = []
    for source in sources:
        try:
            found[source] = load_tokenizer(source).fingerprint
        except CrossicError as error:
            warnings.append(f"could not compare the tokenizer of the data sets with {hf}: {error}")
    if not found or data.tokenizer_fingerprint in found.values():
        return [], () if found else tuple(warnings)
    name, fingerprint = next(iter(found.items()))
    return [
        f"data.train must be made with the tokenizer of the model, got tokenizer "
        f"{data.tokenizer_fingerprint[:12]} in {config.data.train[0]} and {fingerprint[:12]} in "
        f"{name}. Make the data sets again: preprocess_data.py --tokenizer {name}."
    ], ()


def resume_details(plan: RunPlan) -> dict[str, Any]:
    """What a resumed run must agree with, by the name a user knows it under."""
    config = plan.config
    return {
        "windows of data.train": plan.data.train.fingerprint(),
        "data.seed": config.data.seed,
        "data.split_loss": config.data.split_loss,
        "global_batch_size": config.global_batch_size,
        "precision.compute": "fp32" if config.precision.compute == "fp32" else "bf16",
    }


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
