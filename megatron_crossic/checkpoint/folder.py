"""The layout of a checkpoint folder, what is known about it, and how it appears atomically."""

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from megatron_crossic.errors import CheckpointError, DataError
from megatron_crossic.files import (
    PARTIAL_SUFFIX,
    fingerprint_file,
    sync_folder,
    unwritable,
    write_text_atomically,
)
from megatron_crossic.manifest import Manifest, check_file, read_manifest, write_manifest
from megatron_crossic.model.architecture import ModelArchitecture

LATEST = "latest"
INFO_FILE = "checkpoint.json"
HF_FOLDER = "hf"
METADATA_FILE = ".metadata"
SMALL_FILES = (METADATA_FILE, "common.pt", "metadata.json")
_SEAL = "seal"
_STEP_NAME = re.compile(r"step_[0-9]{7,19}")


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckpointInfo:
    """What a checkpoint is, readable without torch."""

    step: int
    num_tokens: int
    """Tokens with loss that training has seen, over all ranks."""
    architecture: ModelArchitecture
    details: Mapping[str, Any] = field(default_factory=dict)
    """What a resumed run must agree with: seeds, batch size, fingerprints of its data."""


def step_folder(root: Path, step: int) -> Path:
    """`step_0000020` under `root`."""
    return root / f"step_{step:07d}"


def partial_folder(root: Path, step: int) -> Path:
    """Where a checkpoint is written before it is complete."""
    folder = step_folder(root, step)
    return folder.with_name(folder.name + PARTIAL_SUFFIX)


@contextmanager
def new_checkpoint(root: Path, step: int) -> Iterator[Path]:
    """For a single process: yield an empty folder; it becomes the latest checkpoint at the end."""
    folder = start(root, step)
    try:
        yield folder
        complete(root, step)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise unwritable(folder, error) from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def start(root: Path, step: int) -> Path:
    """Make the empty partial folder of `step`, removing what a killed run left there."""
    folder = partial_folder(root, step)
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    return folder


def complete(root: Path, step: int) -> Path:
    """Give the partial folder its name and point `latest` to it, in that order."""
    folder = step_folder(root, step)
    if folder.exists():
        shutil.rmtree(folder)
    partial_folder(root, step).replace(folder)
    sync_folder(root)
    write_text_atomically(root / LATEST, folder.name + "\n")
    return folder


def write_info(folder: Path, info: CheckpointInfo) -> None:
    """Write `checkpoint.json`, the last file of a checkpoint.

    It has the check sums of the small files, and one of itself. The tensors have their own.
    """
    manifest = Manifest(
        kind="checkpoint",
        options={"architecture": info.architecture.to_json()},
        counts={"step": info.step, "num_tokens": info.num_tokens},
        details=info.details,
        files={
            name: fingerprint_file(folder / name)
            for name in SMALL_FILES
            if (folder / name).is_file()
        },
    )
    sealed = replace(manifest, details={**info.details, _SEAL: _seal(manifest)})
    write_manifest(folder / INFO_FILE, sealed)


def _seal(manifest: Manifest) -> str:
    """Changes with everything in the manifest but the seal itself."""
    details = {name: value for name, value in manifest.details.items() if name != _SEAL}
    values = asdict(replace(manifest, details=details))
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def check_small_files(folder: Path) -> None:
    """Refuse a checkpoint whose small files are not those that were written.

    Checkpoints of earlier versions have no check sums for them and pass.
    """
    try:
        manifest = read_manifest(folder / INFO_FILE, kind="checkpoint")
        if manifest.details.get(_SEAL, _seal(manifest)) != _seal(manifest):
            raise DataError(f"{INFO_FILE} must have the content that was written, got other")
        for name, expected in manifest.files.items():
            check_file(folder, name, expected, deep=True)
    except DataError as error:
        raise CheckpointError(
            f"checkpoint must be as it was written, got {folder}: {error}. "
            "It is damaged: choose another checkpoint."
        ) from error


def read_info(folder: Path) -> CheckpointInfo:
    """Read `checkpoint.json`; `CheckpointError` where it is missing or damaged."""
    try:
        manifest = read_manifest(folder / INFO_FILE, kind="checkpoint")
        return CheckpointInfo(
            step=manifest.counts["step"],
            num_tokens=manifest.counts["num_tokens"],
            architecture=ModelArchitecture.from_json(manifest.options["architecture"]),
            details={name: v for name, v in manifest.details.items() if name != _SEAL},
        )
    except (DataError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"checkpoint must have a readable {INFO_FILE}, got {folder}: {error}. "
            "Choose another checkpoint."
        ) from error


def fingerprint(folder: Path) -> str:
    """Tells checkpoints apart by what describes them, without reading the weights."""
    digest = hashlib.sha256()
    for name in (INFO_FILE, METADATA_FILE):
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()


def complete_steps(root: Path) -> list[Path]:
    """The complete checkpoints under `root`, oldest first."""
    found = [path for path in root.glob("step_*") if (path / INFO_FILE).is_file()]
    return sorted(path for path in found if not path.name.endswith(PARTIAL_SUFFIX))


def candidates(root: Path) -> list[Path]:
    """What `latest` names, which need not exist, then all that is complete, newest first."""
    steps = complete_steps(root)[::-1]
    try:
        name = (root / LATEST).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return steps
    if not _STEP_NAME.fullmatch(name):  # never a path out of the root
        return steps
    return [root / name, *(folder for folder in steps if folder.name != name)]


def find_checkpoint(path: Path) -> Path:
    """The step folder that `path` means: itself, or the newest complete one under a root."""
    if (path / INFO_FILE).is_file():
        return path
    for folder in candidates(path):
        if (folder / INFO_FILE).is_file():
            return folder
    raise CheckpointError(
        f"checkpoint must be a folder with a complete checkpoint, got {path}. "
        "Give a step folder, or the folder that holds `latest`."
    )


def remove_leftovers(root: Path) -> None:
    """Delete what killed runs left half written or half deleted; nobody may be saving there."""
    for folder in root.glob("step_*"):
        if folder.name.endswith(PARTIAL_SUFFIX) or not (folder / INFO_FILE).exists():
            shutil.rmtree(folder, ignore_errors=True)


def remove_old(newest: Path, *, keep_last: int, keep_every: int | None = None) -> None:
    """Delete all but the last `keep_last` complete checkpoints up to `newest`.

    Those of steps that `keep_every` divides stay beside them.

    Later ones were passed over as damaged when the run resumed. They do not count: with keep_last 1
    a damaged step 20 would otherwise stay and the new step 15 go.
    """
    steps = [folder for folder in complete_steps(newest.parent) if folder.name <= newest.name]
    for folder in steps[:-keep_last]:
        if keep_every is not None and int(folder.name.removeprefix("step_")) % keep_every == 0:
            continue
        (folder / INFO_FILE).unlink()  # from here on it does not count as complete
        shutil.rmtree(folder)
