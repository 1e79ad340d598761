"""The checkpoint a run starts from: its own newest one, or the weights it was given."""

from pathlib import Path

from megatron_crossic.checkpoint.folder import read_info
from megatron_crossic.checkpoint.sound import SoundCheckpoint, find_sound
from megatron_crossic.config import RunConfig
from megatron_crossic.errors import CheckpointError, ConfigError

CHECKPOINTS_FOLDER = "checkpoints"


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
    return _find_initial(config.checkpoint.initial), False


def _find_initial(path: Path) -> SoundCheckpoint:
    initial = find_sound(path)
    if initial is None:
        raise CheckpointError(
            f"checkpoint.initial must be a folder with a complete checkpoint, got {path}. "
            "Give a step folder, or the folder that holds `latest`."
        )
    return initial


def find_base(config: RunConfig) -> Path:
    """The weights that a LoRA run which resumes adapts; its own checkpoints hold adapters only."""
    if config.checkpoint.initial is None:
        raise ConfigError(
            "checkpoint.initial must name the base model's checkpoint when a LoRA run resumes, "
            "got nothing. Give the one the run started from."
        )
    return _find_initial(config.checkpoint.initial).folder


def base_problems(base: Path, config: RunConfig, *, resumes: bool) -> list[str]:
    """Weights that start a run must be whole."""
    if (resumes and config.lora is None) or "lora" not in read_info(base).details:
        return []
    return [
        f"checkpoint.initial must hold a whole model, got the adapters of a LoRA run in {base}. "
        "Merge them: convert_checkpoint.py to-hf, then from-hf."
    ]
