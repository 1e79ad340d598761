"""What a measurement was made with: versions, revision of the source, time."""

import importlib.metadata
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

import megatron_crossic

_PACKAGES = ("megatron-core", "transformer-engine", "numpy")


def describe_environment() -> dict[str, Any]:
    """Versions (None: not installed) and the revision of the source, as JSON has them."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "git_revision": _git_revision(Path(megatron_crossic.__file__).parent),
        "versions": {
            "megatron-crossic": megatron_crossic.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "cuda": torch.version.cuda,
            **{name: _version(name) for name in _PACKAGES},
        },
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git_revision(folder: Path) -> str | None:
    """The commit, with `+changes` where files differ from it; None outside a repository."""
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return None
    return commit + ("+changes" if _git(folder, "status", "--porcelain", "-uno") else "")


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
