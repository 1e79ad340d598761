"""What the log of a launch shows of ranks that ended without a word.

torchrun on each node tells which rank failed first. srun tells the exit code of each task, and
ends the others with SIGKILL; the last exit code is then 137, whatever the first was.

    0: Root Cause (first observed failure):
    0: [0]:
    0:   time      : 2025-11-25_12:00:00
    0:   exitcode  : -11 (pid: 7)
    0:   traceback : Signal 11 (SIGSEGV) received by PID 7
    srun: error: node01: task 1: Exited with exit code 1
"""

import re
import signal
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

_LABEL = re.compile(r"^ *(\d+): ?")  # of srun --label: the task that said the line
_RANK = re.compile(r"^\[\w+\]:\s?")  # [rank0]: of an uncaught error, [default0]: of torchrun
_ERROR = re.compile(r"(\w+\.)*\w*(Error|Exception)\b")
_ROOT = "Root Cause (first observed failure):"
_OOM_KILL = re.compile(r"oom[_-]kill|OOM Killed|: Out Of Memory\b")  # as Slurm says it
_TASK_ENDED = re.compile(r"srun: error: .*\btasks? [\d,-]+: (.*)")
_BY_KILL = ("Killed", "Terminated", "Out Of Memory", "Exited with exit code 137")
_CANCELLED = re.compile(r"CANCELLED AT \S+ DUE TO ([A-Z ]*[A-Z])")


@dataclass(frozen=True, kw_only=True, slots=True)
class LogReading:
    """What a log shows."""

    root_code: int | None
    """Exit code of the rank that failed first; negative: the signal that ended it."""
    is_oom_kill: bool
    """Slurm tells that a task took more than its memory."""
    has_other_code: bool
    """A rank or task ended by itself, so that those killed were killed after it."""
    cancelled: str
    """Why Slurm ended the step; empty where it did not."""
    error: str
    """The last line that is an error of Python; empty where there is none."""
    said: str
    """That line, or the signal of the first failure, or the last line there is."""


def read_log(path: Path) -> LogReading:
    """Read a log that may not be there."""
    return read_text(path.read_text(encoding="utf-8", errors="replace") if path.exists() else "")


def read_text(text: str) -> LogReading:
    """Read the lines of a log."""
    tasks: dict[str, list[str]] = defaultdict(list)  # lines of several tasks mix
    lines = []
    for line in text.splitlines():
        label = _LABEL.match(line)
        plain = _RANK.sub("", _LABEL.sub("", line)).strip()
        tasks[label[1] if label else ""].append(plain)
        lines += [plain] if plain else []
    root = _root_code(list(tasks.values()))
    errors = [line for line in lines if _ERROR.match(line) and "ChildFailedError" not in line]
    error = errors[-1] if errors else ""
    cancelled, ended = _CANCELLED.search(text), _TASK_ENDED.search(text)
    return LogReading(
        root_code=root,
        is_oom_kill=bool(_OOM_KILL.search(text)),
        has_other_code=root not in (None, -9, -15)
        or (ended is not None and not ended[1].startswith(_BY_KILL)),
        cancelled=cancelled[1].lower() if cancelled else "",
        error=error,
        said=error or _signal(root) or (lines or ["nothing was said"])[-1],
    )


def _root_code(tasks: list[list[str]]) -> int | None:
    """The exit code of the earliest of the first failures on all nodes."""
    found = []
    for lines in tasks:
        for start in (number for number, line in enumerate(lines) if line == _ROOT):
            block = "\n".join(lines[start : start + 10])
            time = re.search(r"^time\s*: (\S+)", block, re.MULTILINE)
            code = re.search(r"^exitcode\s*: (-?\d+)", block, re.MULTILINE)
            if code:
                found.append((time[1] if time else "", int(code[1])))
    # In the same second the one that was not killed is the cause.
    return min(found, key=lambda one: (one[0], one[1] == -9))[1] if found else None


def _signal(code: int | None) -> str:
    """The signal of a negative exit code in words; empty for any other."""
    if code is None or code >= 0:
        return ""
    try:
        return f"a rank was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"a rank was ended by signal {-code}"
