"""Why a point gave no figures, told by the process that knows to the one that started it."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import torch

from megatron_crossic.errors import ConfigError, CrossicError
from megatron_crossic.files import write_text_atomically
from megatron_crossic.profiling.logs import read_log

FAILURE_FILE = "failure.json"
FAILURE_VARIABLE = "CROSSIC_PROFILE_FAILURE"
"""Environment variable with the path of that file; only a sweep sets it."""

Status = Literal["refused", "failed", "out of memory", "crashed", "stopped"]
"""refused: trying again does not help. failed: an error of ours, of data or a checkpoint. stopped:
asked to end, which says nothing of the point, so it is measured later."""
_KILLED = (137, -9)  # SIGKILL, as a shell and as Python tell it
_ENDED = (143, -15, 130, -2)  # SIGTERM and Ctrl-C
_HOST_MEMORY = "killed by signal 9: most likely the host ran out of memory"
# On the CPU, from NCCL and from libraries that take GPU memory themselves it is a RuntimeError;
# cuBLAS that finds no memory for its workspace says that it is not initialized.
_MEMORY = re.compile(
    r"can(no|')t allocate memory|out of memory|CUBLAS_STATUS_(ALLOC_FAILED|NOT_INITIALIZED)"
    r"|Failed to CUDA [cm]alloc|\[Errno 12\]",
    re.IGNORECASE,
)


class StoppedError(CrossicError):
    """A profile was asked to end before its last step."""


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
    if isinstance(error, StoppedError):
        return "stopped"
    if isinstance(error, CrossicError):
        return "refused" if isinstance(error, ConfigError) else "failed"
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or _MEMORY.search(str(error)):
        return "out of memory"
    return "crashed"


def failure_of(path: Path, *, exit_code: int, log: Path) -> Mapping[str, Any]:
    """Status and reason of a point that ended so: its own word, or what its log shows."""
    found = read_log(log)
    told: Mapping[str, Any] = {}
    with suppress(OSError, ValueError):
        told = json.loads(path.read_bytes())
    # A rank that is killed says nothing; the others say that they lost it.
    if (found.is_oom_kill or found.root_code == -9) and told.get("status") in (None, "crashed"):
        return _failure("out of memory", _HOST_MEMORY)
    if told:
        return told
    if found.cancelled:
        return _failure("stopped", f"the job step was cancelled due to {found.cancelled}")
    if not found.has_other_code:  # else the launcher killed the others after that
        if exit_code in _KILLED:
            return _failure("out of memory", _HOST_MEMORY)
        if exit_code in _ENDED:
            return _failure("stopped", f"ended by a signal, exit code {exit_code}")
    status: Status = "out of memory" if _MEMORY.search(found.error) else "crashed"
    return _failure(status, f"exit code {exit_code}: {found.said}; see {log}")


def _failure(status: Status, reason: str) -> dict[str, str]:
    return {"status": status, "reason": reason}
