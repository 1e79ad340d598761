"""Starts the processes of a point: a fresh group each, on this node or on all of a Slurm job."""

import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from megatron_crossic.errors import ConfigError

ONE_NODE = "{python} -m torch.distributed.run --standalone --nproc-per-node {processes}"
SLURM = (
    "srun --nodes {nodes} --ntasks {nodes} --ntasks-per-node 1 --kill-on-bad-exit=1 "
    "{python} -m torch.distributed.run --nnodes {nodes} --nproc-per-node {processes} "
    "--rdzv-backend c10d --rdzv-endpoint {host}:{port} --rdzv-id {port}"
)
"""One torchrun on each node; the nodes meet on this one, where the batch script runs."""
_PATIENCE = 60
"""Seconds a point has to end once it is asked to."""


def num_nodes(environment: Mapping[str, str] = os.environ) -> int:
    """Nodes of the Slurm job this process runs in; 1 outside of one."""
    return int(environment.get("SLURM_NNODES", "1"))


def launch_words(launcher: str | None, *, processes: int, nodes: int) -> list[str]:
    """The command that starts `processes` on each of `nodes`; a script and its options follow.

    `launcher` is split as a shell would split it, and no shell sees it.
    """
    text = launcher or (SLURM if nodes > 1 else ONE_NODE)
    values = {
        "python": sys.executable,
        "processes": str(processes),
        "nodes": str(nodes),
        "host": socket.gethostname(),
        "port": str(_free_port()),
    }
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ConfigError(
            f"--launcher must be a command line, got {text!r}: {error}. Close its quotes."
        ) from error
    if not words:
        raise ConfigError("--launcher must name a command, got nothing. Leave it out.")
    for name, value in values.items():
        words = [word.replace(f"{{{name}}}", value) for word in words]
    return words


def _free_port() -> int:
    """A port that is free on this node now."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        port: int = probe.getsockname()[1]
    return port


def run_logged(command: Sequence[str], *, log: Path, environment: Mapping[str, str]) -> int:
    """Run a command to its end with its output in `log`; its exit code.

    Asked to end itself, this process ends the command first.
    """
    try:
        with log.open("wb") as file, _sigterm_interrupts():
            process = subprocess.Popen(
                command, stdout=file, stderr=subprocess.STDOUT, env={**os.environ, **environment}
            )
            try:
                return process.wait()
            except BaseException:
                process.terminate()
                _wait(process)
                raise
    except FileNotFoundError as error:
        raise ConfigError(
            f"--launcher must start with a command there is, got {command[0]}. Check its name."
        ) from error


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """Inside, SIGTERM is as Ctrl-C."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
