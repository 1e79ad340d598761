"""Manifests: what an artifact is, what it was made from, and what was left out and why.

Every stage writes one JSON file beside its output and reads its parent's. A reader compares the
files it finds with the manifest and refuses what disagrees.
"""

import dataclasses
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from megatron_crossic import __version__
from megatron_crossic.errors import DataError
from megatron_crossic.files import (
    PARTIAL_SUFFIX,
    FileFingerprint,
    beside,
    fingerprint_file,
    remove_quietly,
    sync_folder,
    unreadable,
    write_text_atomically,
)

FORMAT_VERSION = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """The account of one artifact."""

    kind: str
    """What the artifact is: `pairs`, `windows`, `checkpoint`."""
    options: Mapping[str, Any]
    """Every option that shaped the result, resolved."""
    counts: Mapping[str, Any]
    """What came in, what went out, at every stage."""
    drops: Mapping[str, int] = field(default_factory=dict)
    """Number of items left out under each reason."""
    files: Mapping[str, FileFingerprint] = field(default_factory=dict)
    """Role of each file the artifact consists of, and its content."""
    inputs: Sequence[FileFingerprint] = ()
    """The files it was made from."""
    parents: Sequence[str] = ()
    """SHA-256 of the manifests of the artifacts it was made from."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """What only this kind of artifact has, a tokenizer fingerprint for example."""
    format_version: int = FORMAT_VERSION
    code_version: str = __version__


def manifest_path(artifact: Path) -> Path:
    """`pairs.jsonl` -> `pairs.jsonl.manifest.json`; a data set prefix works the same way."""
    return beside(artifact, ".manifest.json")


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write `manifest` atomically as indented JSON with a stable order of keys."""
    text = json.dumps(dataclasses.asdict(manifest), ensure_ascii=False, indent=2)
    write_text_atomically(path, text + "\n")


@contextmanager
def completing(path: Path, *files: Path) -> Iterator[None]:
    """Around the renames that give `files` their names and, at last, `write_manifest(path, …)`.

    An older manifest goes first and a partial one marks what lies there as incomplete; it becomes
    the manifest. So a run that is killed in between leaves the mark, and the next one knows that
    the files are nobody's (`is_incomplete`). An error removes them all.
    """
    mark = beside(path, PARTIAL_SUFFIX)
    try:
        mark.touch()
        sync_folder(path.parent)
        path.unlink(missing_ok=True)
        yield
    except BaseException:
        remove_quietly(path, *files, mark)
        raise


def is_incomplete(path: Path) -> bool:
    """Whether a run was killed before it could give `path`, which comes last, its name."""
    # `os.path.exists` is False, not an error, for a name that is too long.
    return os.path.exists(beside(path, PARTIAL_SUFFIX)) and not os.path.exists(path)


def read_manifest(path: Path, *, kind: str) -> Manifest:
    """Read a manifest back; raises `DataError` where it is missing, damaged or of another kind."""
    if not path.is_file():
        raise DataError(
            f"{kind} manifest must exist, got nothing at {path}. "
            "The artifact is incomplete or was moved without it: make it again."
        )
    try:
        values = json.loads(path.read_bytes())
        values["files"] = {role: FileFingerprint(**f) for role, f in values["files"].items()}
        values["inputs"] = [FileFingerprint(**f) for f in values["inputs"]]
        manifest = Manifest(**values)
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(
            f"{kind} manifest must be a JSON object written by this project, got {path}: {error}. "
            "Make the artifact again."
        ) from error
    if (manifest.kind, manifest.format_version) != (kind, FORMAT_VERSION):
        raise DataError(
            f"manifest must be of kind {kind}, format {FORMAT_VERSION}, got {manifest.kind}, "
            f"format {manifest.format_version} in {path}. Point to another artifact."
        )
    return manifest


def check_file(folder: Path, role: str, expected: FileFingerprint, *, deep: bool = False) -> None:
    """Refuse a file that is missing or whose size (with `deep`, content) is not as recorded."""
    path = folder / expected.name
    found = path.stat().st_size if path.is_file() else None
    if found != expected.num_bytes:
        raise DataError(
            f"{role} file must have {expected.num_bytes} bytes as its manifest says, got "
            f"{'no file' if found is None else f'{found} bytes'} at {path}. "
            "It was truncated, replaced or belongs to another run: make the artifact again."
        )
    if deep and fingerprint_file(path).sha256 != expected.sha256:
        raise DataError(
            f"{role} file must have the content its manifest says, got other content at {path}. "
            "It was damaged or replaced: make the artifact again."
        )
