"""Finds the newest checkpoint whose bytes are all there."""

from dataclasses import dataclass
from pathlib import Path

from torch.distributed.checkpoint import FileSystemReader

from megatron_crossic.checkpoint.folder import INFO_FILE, LATEST, complete_steps
from megatron_crossic.checkpoint.untrusted import check_pickle
from megatron_crossic.errors import CheckpointError


@dataclass(frozen=True, kw_only=True, slots=True)
class SoundCheckpoint:
    """A checkpoint that can be loaded."""

    folder: Path
    passed_over: tuple[str, ...] = ()
    """Why newer ones were not chosen."""


def find_sound(path: Path) -> SoundCheckpoint | None:
    """The checkpoint `path` is, or the newest sound one under it; None where there is none at all.

    Under a root that is the one `latest` names, or the last complete one where that is damaged.
    `CheckpointError` where there are checkpoints and none is sound.
    """
    if (path / INFO_FILE).is_file():
        check_sound(path)
        return SoundCheckpoint(folder=path)
    passed_over = []
    for folder in _candidates(path):
        try:
            check_sound(folder)
        except CheckpointError as error:
            passed_over.append(f"passed over {folder}: {error}")
        else:
            return SoundCheckpoint(folder=folder, passed_over=tuple(passed_over))
    if passed_over:
        raise CheckpointError(
            f"checkpoints must include a complete one, got none in {path}. "
            f"Choose another folder. {' '.join(passed_over)}"
        )
    return None


def _candidates(root: Path) -> list[Path]:
    """What `latest` names, then all that is complete, newest first."""
    steps = complete_steps(root)[::-1]
    if not (root / LATEST).is_file():
        return steps
    named = root / (root / LATEST).read_text(encoding="utf-8").strip()
    return [named, *(folder for folder in steps if folder != named)]


def check_sound(folder: Path) -> None:
    """Refuse a checkpoint that lacks a file, or bytes its index names."""
    check_pickle(folder / ".metadata")
    needed = {INFO_FILE: 1, "common.pt": 1, "metadata.json": 1}
    for place in (FileSystemReader(folder).read_metadata().storage_data or {}).values():
        end = place.offset + place.length
        needed[place.relative_path] = max(needed.get(place.relative_path, 0), end)
    for name, num_bytes in needed.items():
        path = folder / name
        found = path.stat().st_size if path.is_file() else 0
        if found < num_bytes:
            raise CheckpointError(
                f"checkpoint file must have {num_bytes} bytes or more, got {found} at {path}. "
                "The checkpoint is incomplete: choose another one."
            )
