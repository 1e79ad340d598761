"""A command run to its end under watch: wall and CPU time, and the memory of all its processes."""

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psutil
from compared_tools import last_words

from megatron_crossic.errors import DataError


@dataclass(frozen=True, kw_only=True, slots=True)
class Watched:
    """What one run took."""

    wall_seconds: float
    cpu_seconds: float
    """User and system time of the process and all it waited for."""
    largest_process_bytes: int
    """Most RSS that one process ever had, as the kernel keeps it; memory shared with its parent
    counts in full."""
    all_processes_bytes: int
    """Most PSS that all processes were sampled with: memory they share counts once."""
    samples: int

    def to_json(self) -> dict[str, Any]:
        return {
            "wall_seconds": round(self.wall_seconds, 2),
            "cpu_seconds": round(self.cpu_seconds, 2),
            "largest_process_mib": self.largest_process_bytes >> 20,
            "all_processes_mib": self.all_processes_bytes >> 20,
            "samples": self.samples,
        }


def watch_command(
    command: Sequence[str], *, environment: Mapping[str, str], interval: float = 0.2
) -> Watched:
    """Run `command`; raises `DataError` with its last words where it fails."""
    peak = samples = 0
    with tempfile.TemporaryFile("w+", errors="replace") as printed:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, env=os.environ | environment, stdout=printed, stderr=subprocess.STDOUT
        )
        try:
            while True:
                # Asked of the kernel and not of `process`: only so it tells what the run used.
                ended, status, usage = os.wait4(process.pid, os.WNOHANG)
                if ended:
                    break
                peak, samples = max(peak, memory_of(process.pid)), samples + 1
                time.sleep(interval)
        except BaseException:
            process.kill()
            process.wait()
            raise
        wall = time.perf_counter() - started
        process.returncode = code = os.waitstatus_to_exitcode(status)
        printed.seek(0)
        said = printed.read()
    if code:
        raise DataError(
            f"command must end well, got exit code {code}: {last_words(said)}. "
            f"Run it by hand: {' '.join(command)}"
        )
    largest = usage.ru_maxrss * 1024
    return Watched(
        wall_seconds=wall,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        largest_process_bytes=largest,
        all_processes_bytes=max(peak, largest) if samples < 2 else peak,
        samples=samples,
    )


def memory_of(pid: int) -> int:
    """PSS of a process and all it started, in bytes; those that just ended count nothing."""
    total = 0
    with suppress(psutil.Error):
        root = psutil.Process(pid)
        for process in [root, *root.children(recursive=True)]:
            with suppress(psutil.Error):
                total += process.memory_full_info().pss
    return total
