"""What the cluster says about a partition, where its programs are there to be asked."""

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from megatron_crossic.cluster.script import parse_time

Partition = Mapping[str, str]
_FIELD = re.compile(r"(\S+?)=(\S*)")
_SECONDS = 30


def ask(command: Sequence[str]) -> str | None:
    """The output of one of Slurm's programs; None where it is not there or fails."""
    if shutil.which(command[0]) is None:
        return None
    try:
        run = subprocess.run(
            list(command), capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired:
        return None
    return run.stdout if run.returncode == 0 else None


def read_partitions() -> list[Partition] | None:
    """All partitions; None where nobody can be asked."""
    shown = ask(["scontrol", "show", "partition", "-o"])
    return None if shown is None else parse_partitions(shown)


def parse_partitions(shown: str) -> list[Partition]:
    """A partition a line, fields `Name=value`."""
    return [dict(_FIELD.findall(line)) for line in shown.splitlines() if "PartitionName=" in line]


def partition_problems(
    partitions: Sequence[Partition],
    *,
    name: str,
    nodes: int,
    limit: timedelta | None,
    account: str,
) -> list[str]:
    """Why a job cannot run there. Without a name it is the cluster's default partition.

    Of several, `a,b`, Slurm takes the first that is free, so it must be able to run in each.
    """
    names = ", ".join(one["PartitionName"] for one in partitions)
    found: list[str] = []
    for wanted in name.split(","):
        chosen = _find(partitions, wanted)
        if chosen is None:
            got = wanted or ("an empty name" if name else "none, and there is no default")
            found.append(
                f"CROSSIC_PARTITION must be a partition of the cluster, got {got}. "
                f"Choose from {names}."
            )
            continue
        found += _state_problems(chosen, names)
        found += _size_problems(chosen, nodes=nodes, limit=limit)
        found += _account_problems(chosen, account)
    return found


def _find(partitions: Sequence[Partition], name: str) -> Partition | None:
    for one in partitions:
        if one["PartitionName"] == name if name else one.get("Default") == "YES":
            return one
    return None


def _state_problems(chosen: Partition, names: str) -> Iterator[str]:
    if chosen.get("State", "UP") != "UP":
        yield (
            f"partition {chosen['PartitionName']} must be up, got {chosen['State']}. Wait, or "
            f"choose from {names}."
        )


def _size_problems(chosen: Partition, *, nodes: int, limit: timedelta | None) -> Iterator[str]:
    called = chosen["PartitionName"]
    longest = parse_time(chosen.get("MaxTime", "UNLIMITED"))
    if longest is not None and (limit is None or limit > longest):
        yield (
            f"--time must be at most that of partition {called}, got {limit or 'no limit'} with "
            f"{chosen['MaxTime']}. Lower it: the run goes on in as many jobs as it needs."
        )
    known = {name: chosen[name] for name in ("TotalNodes", "MaxNodes") if name in chosen}
    too_few = [
        f"{name} {most}" for name, most in known.items() if most.isdecimal() and nodes > int(most)
    ]
    if too_few:
        yield (
            f"--nodes must be at most those of partition {called}, got {nodes} with "
            f"{' and '.join(too_few)}. Lower it, or choose another partition."
        )


def _account_problems(chosen: Partition, account: str) -> Iterator[str]:
    allowed = chosen.get("AllowAccounts", "ALL")
    if account and allowed not in ("ALL", "") and account not in allowed.split(","):
        yield (
            f"CROSSIC_ACCOUNT must be one that partition {chosen['PartitionName']} allows, got "
            f"{account}. Choose from {allowed}."
        )


def account_problems(*, account: str, user: str) -> list[str]:
    """Whether the cluster demands an account and the user has none by default, if it says so."""
    config = ask(["scontrol", "show", "config"])
    demanded = re.search(r"^AccountingStorageEnforce\s*=.*associations", config or "", re.MULTILINE)
    if account or demanded is None:
        return []
    default = ask(["sacctmgr", "-nP", "show", "user", user, "format=DefaultAccount"])
    if default is None or default.strip():
        return []
    return [
        "CROSSIC_ACCOUNT must be given on this cluster, got nothing, and you have no default "
        "account. Set it in slurm/site.sh."
    ]
