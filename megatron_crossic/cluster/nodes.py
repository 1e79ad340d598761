"""Names of nodes: this one's, and lists as Slurm shortens them."""

import os
import re
import socket
from collections.abc import Mapping

_PART = re.compile(r"[^,\[]*(?:\[[^\]]*\][^,\[]*)*")


def node_name(environment: Mapping[str, str] = os.environ) -> str:
    """This node as Slurm names it; its host name without Slurm."""
    return environment.get("SLURMD_NODENAME") or socket.gethostname().partition(".")[0]


def expand_nodes(text: str) -> list[str]:
    """`node[00-02,7],x` -> node00, node01, node02, node7, x: what SLURM_JOB_NODELIST means."""
    return [name for part in _PART.findall(text) if part for name in _expand(part)]


def _expand(part: str) -> list[str]:
    before, bracket, rest = part.partition("[")
    if not bracket:
        return [part]
    inside, _, after = rest.partition("]")
    names = []
    for piece in inside.split(","):
        first, dash, last = piece.partition("-")
        if dash and first.isdecimal() and last.isdecimal():
            numbers = [str(n).zfill(len(first)) for n in range(int(first), int(last) + 1)]
        else:
            numbers = [piece]
        names += [before + number + end for number in numbers for end in _expand(after)]
    return names
