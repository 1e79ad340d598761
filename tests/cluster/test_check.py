"""The check by two ranks on the CPU, each on a made-up node of its own."""

import os
import sys
from pathlib import Path

from tiny_runs import start_ranks

from megatron_crossic.cluster.check import (
    CheckOptions,
    check_nodes,
    write_unhealthy,
)
from megatron_crossic.cluster.health import Complaint, Expectations
from megatron_crossic.cluster.meeting import find_place
from megatron_crossic.cluster.table import verdict_text

UNJUDGED = Expectations(slow_factor=None)


def check(options: CheckOptions, unhealthy: Path) -> None:
    """What tools/check_nodes.py does."""
    os.environ["SLURMD_NODENAME"] = f"node0{os.environ['RANK']}"
    found = check_nodes(find_place(), options)
    if found is not None:
        sys.stderr.write(verdict_text(found, options))
        write_unhealthy(unhealthy, found.complaints)
        sys.exit(found.exit_code)


def run_check(folder: Path, *, minimum: float) -> tuple[list[int | None], str, list[str]]:
    """Exit codes, the table and the lines of the file."""
    folder.mkdir()
    options = CheckOptions(
        run_dir=folder, expected=UNJUDGED, min_allreduce_gbps=minimum, timeout_seconds=100
    )
    processes = start_ranks(2, folder / "log", check, options, folder / "unhealthy")
    for process in processes:
        process.join(timeout=120)
    lines = (folder / "unhealthy").read_text(encoding="utf-8").splitlines()
    shown = (folder / "log").read_text(encoding="utf-8")
    return [process.exitcode for process in processes], shown, lines


def test_two_ranks_are_healthy_or_short_of_bandwidth(tmp_path: Path) -> None:
    codes, shown, lines = run_check(tmp_path / "healthy", minimum=1e-6)
    assert (codes, lines) == ([0, 0], [])
    assert "GB/s bus bandwidth, at least 1e-06 expected" in shown
    assert shown.endswith("all nodes are healthy")
    codes, shown, lines = run_check(tmp_path / "short", minimum=1e9)
    assert codes == [10, 0], "one rank speaks for all"
    assert [line.split()[0] for line in lines] == ["node00", "node01"]
    assert lines[0].endswith("no node stands out: each pair of nodes falls short")
    assert "unhealthy: node01 all-reduce over all ranks" in shown


def test_a_rank_that_does_not_come_is_told_by_its_node(tmp_path: Path) -> None:
    place = find_place({"RANK": "0", "WORLD_SIZE": "2", "MASTER_PORT": "0"})
    nodes = ("node00", "node01")
    options = CheckOptions(run_dir=tmp_path, expected=UNJUDGED, timeout_seconds=0.3, nodes=nodes)
    found = check_nodes(place, options)
    assert found is not None
    assert [one.line() for one in found.complaints] == ["node01 rank 1 did not join within 0.3 s"]
    assert found.bandwidth is None


def test_a_first_rank_that_is_not_there_is_told_by_its_node(tmp_path: Path) -> None:
    environment = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    options = CheckOptions(run_dir=tmp_path, expected=UNJUDGED, timeout_seconds=0.3)
    found = check_nodes(find_place(environment), options)
    assert found is not None
    assert [one.line() for one in found.complaints] == [
        "127.0.0.1 rank 0 was not there within 0.3 s"
    ]


def test_lines_are_appended_once(tmp_path: Path) -> None:
    path = tmp_path / "17.0" / "unhealthy"
    first, second = (Complaint(node=f"node0{n}", reason="two\nlines") for n in (0, 1))
    write_unhealthy(path, [first])
    write_unhealthy(path, [first, second])
    assert path.read_text(encoding="utf-8") == "node00 two lines\nnode01 two lines\n"
