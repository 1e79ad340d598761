"""Why a point gave no figures, told by the process that knows to the one that started it."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import torch

from megatron_crossic.errors import CrossicError
from megatron_crossic.files import write_text_atomically

FAILURE_FILE = "failure.json"
FAILURE_VARIABLE = "CROSSIC_PROFILE_FAILURE"
"""Environment variable with the path of that file; only a sweep sets it."""

Status = Literal["refused", "out of memory", "crashed"]
_KILLED = (137, -9)  # SIGKILL, as a shell and as Python tell it


@contextmanager
def told_failure() -> Iterator[None]:
    """Inside, an error is written down for the sweep that started this process, and raised."""
    try:
        yield
    except Exception as error:
        if path := os.environ.get(FAILURE_VARIABLE):
            with suppress(OSError, CrossicError):
                _tell(Path(path), error)
        raise


def _tell(path: Path, error: Exception) -> None:
    """The first error counts, for the others often follow from it; memory counts above all."""
    status = status_of(error)
    if status == "out of memory" or not path.exists():
        reason = str(error) if isinstance(error, CrossicError) else f"{_name(error)}: {error}"
        write_text_atomically(path, json.dumps({"status": status, "reason": reason}))


def _name(error: Exception) -> str:
    return type(error).__name__


def status_of(error: Exception) -> Status:
    """What kind of failure an error is."""
    if isinstance(error, CrossicError):
        return "refused"
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return "out of memory"
    # On the CPU, and from NCCL, it is a RuntimeError.
    is_memory = re.search(r"can't allocate memory|out of memory", str(error), re.IGNORECASE)
    return "out of memory" if is_memory else "crashed"


def failure_of(path: Path, *, exit_code: int, log: Path) -> Mapping[str, Any]:
    """Status and reason of a point that ended so; without a word of its own, from its log."""
    with suppress(OSError, ValueError):
        told: Mapping[str, Any] = json.loads(path.read_bytes())
        return told
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    if exit_code in _KILLED or re.search(r"exitcode\s*: -9\b|Signal 9 \(SIGKILL\)", text):
        return {
            "status": "out of memory",
            "reason": "killed by signal 9: most likely the host ran out of memory",
        }
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(\w+\.)*\w*(Error|Exception)\b", line)]
    said = (errors or lines or ["nothing was said"])[-1]
    return {"status": "crashed", "reason": f"exit code {exit_code}: {said}; see {log}"}
