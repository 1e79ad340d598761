"""Readings -> complaints, with made readings of nodes nobody has."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from megatron_crossic.cluster.check import CheckOptions, Verdict
from megatron_crossic.cluster.health import (
    Complaint,
    Expectations,
    absences,
    complaints,
    disk_is_full_everywhere,
    lacks_devices,
)
from megatron_crossic.cluster.nodes import expand_nodes, node_name
from megatron_crossic.cluster.readings import GpuReading, RankReading
from megatron_crossic.cluster.table import verdict_text

GIB = 1 << 30
GOOD = GpuReading(
    uncorrected_errors=0,
    remapping_failed=False,
    slowdowns=(),
    temperature=41,
    free_bytes=79 * GIB,
    total_bytes=80 * GIB,
    processes=(),
)
EXPECTED = Expectations(num_devices=2)


def rank(number: int, **changes: object) -> RankReading:
    """Two ranks a node, each on a healthy H100."""
    reading = RankReading(
        rank=number,
        node=f"node0{number // 2}",
        device="NVIDIA H100 80GB HBM3",
        num_devices=2,
        probe_seconds=0.004,
        free_disk_bytes=100 * GIB,
        gpu=GOOD,
    )
    return replace(reading, **changes)  # type: ignore[arg-type]


def lines(*readings: RankReading, expected: Expectations = EXPECTED) -> list[str]:
    return [complaint.line() for complaint in complaints(readings, expected)]


def test_healthy_nodes_have_no_complaint() -> None:
    assert lines(*map(rank, range(8))) == []
    assert lines(rank(0, gpu=None, not_checked="no NVML"), rank(1)) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"uncorrected_errors": 2}, "2 uncorrected memory errors"),
        ({"remapping_failed": True}, "a bad row of memory is not replaced"),
        ({"slowdowns": ("power brake",)}, "clocks held down: power brake"),
        ({"temperature": 86}, "86 °C, more than 85"),
        (
            {"free_bytes": 60 * GIB, "processes": ("process 77 (19.0 GiB)",)},
            "75% of the memory is free, 90% needed, taken by process 77 (19.0 GiB)",
        ),
    ],
)
def test_a_bad_gpu_is_told_with_rank_and_node(change: dict[str, object], reason: str) -> None:
    (line,) = lines(rank(2), rank(3, gpu=replace(GOOD, **change)))  # type: ignore[arg-type]
    assert line.startswith(f"node01 rank 3: {reason}")


def test_what_is_not_known_is_no_complaint() -> None:
    assert lines(rank(0, gpu=GpuReading()), rank(1, free_disk_bytes=None)) == []


def test_missing_gpus_are_told_once_a_node() -> None:
    assert lines(rank(0, num_devices=1), rank(1, num_devices=1), rank(2)) == [
        "node00 1 of 2 GPUs are visible"
    ]
    assert lines(rank(0, num_devices=3)) == []


def test_a_rank_without_a_device_is_told_and_stops_what_needs_all() -> None:
    broken = rank(1, probe_seconds=None, device="RuntimeError: device-side assert")
    assert lines(rank(0), broken) == [
        "node00 rank 1 has no device: RuntimeError: device-side assert"
    ]
    assert lacks_devices([rank(0), broken])
    assert not lacks_devices([rank(0)])


def test_a_slow_device_is_measured_against_the_median() -> None:
    slow = rank(3, probe_seconds=0.006)
    (line,) = lines(rank(0), rank(1), rank(2), slow)
    assert line.startswith("node01 rank 3: 1.50 times as slow at matrix products as the median")
    unjudged = replace(EXPECTED, slow_factor=None)
    assert lines(rank(0), slow, expected=unjudged) == []


def test_a_disk_is_the_fault_of_a_node_unless_it_is_of_all() -> None:
    full, fine = rank(0, free_disk_bytes=GIB // 2), rank(2)
    assert lines(full, fine) == ["node00 0.50 GiB free in the run directory, 1 needed"]
    assert lines(rank(0, can_write=False)) == ["node00 the run directory cannot be written"]
    assert not disk_is_full_everywhere([full, fine], EXPECTED)
    assert disk_is_full_everywhere([full, rank(2, can_write=False)], EXPECTED)
    assert not disk_is_full_everywhere([], EXPECTED)


def test_ranks_that_do_not_come_are_told_by_node() -> None:
    nodes = expand_nodes("node[00-01]")
    found = absences([4, 5, 6, 7], nodes=nodes, world_size=8, seconds=60)
    assert found == [Complaint(node="node01", reason="rank 4, 5, 6, 7 did not join within 60 s")]
    (unknown,) = absences([1], nodes=[], world_size=2, seconds=1.5)
    assert unknown.line() == "unknown rank 1 did not join within 1.5 s"


@given(st.sets(st.integers(0, 15)))
def test_every_absent_rank_is_told_once(missing: set[int]) -> None:
    nodes = expand_nodes("n[0-3]")
    found = absences(sorted(missing), nodes=nodes, world_size=16, seconds=1)
    told = [int(w.strip(",")) for one in found for w in one.reason.split(" did")[0].split()[1:]]
    assert sorted(told) == sorted(missing)
    assert {one.node for one in found} == {f"n{number // 4}" for number in missing}


def test_lists_of_nodes_as_slurm_writes_them() -> None:
    assert expand_nodes("node[00-02,07],x1") == ["node00", "node01", "node02", "node07", "x1"]
    assert expand_nodes("r[1-2]n[08-09]s") == ["r1n08s", "r1n09s", "r2n08s", "r2n09s"]
    assert expand_nodes("") == []
    assert node_name({"SLURMD_NODENAME": "node07"}) == "node07"
    assert node_name({})


def test_readings_survive_the_way_through_a_store() -> None:
    for reading in (rank(3), rank(0, gpu=replace(GOOD, slowdowns=("a", "b"))), rank(1, gpu=None)):
        assert RankReading.from_json(reading.to_json()) == reading


def test_the_table_says_what_was_not_checked() -> None:
    readings = (rank(0), rank(2, gpu=None, not_checked="nvidia-ml-py is not installed"))
    verdict = Verdict(readings=readings, complaints=(), bandwidth=251.7, is_full=False)
    options = CheckOptions(run_dir=__file__, expected=EXPECTED)  # type: ignore[arg-type]
    shown = verdict_text(verdict, options).splitlines()
    assert "99% free" in shown[1]
    assert shown[3].startswith("all-reduce over all ranks: 252 GB/s bus bandwidth")
    assert shown[4:] == [
        "not checked on node01: nvidia-ml-py is not installed",
        "all nodes are healthy",
    ]
    assert verdict.exit_code == 0
    bad = replace(verdict, complaints=(Complaint(node="node01", reason="broken"),))
    assert verdict_text(bad, options).splitlines()[-1] == "unhealthy: node01 broken"
    assert bad.exit_code == 10
