"""The health check of all nodes: what `tools/check_nodes.py` does on each rank, but printing.

every rank    reads its device and node, meets the others
rank 0        who is missing, what is wrong
every rank    all-reduce over all; below the expectation also alone and in pairs of nodes
rank 0        the table, the bad nodes, the verdict
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
import torch.distributed as dist

from megatron_crossic.cluster.health import (
    Complaint,
    Expectations,
    absences,
    complaints,
    disk_is_full_everywhere,
    lacks_devices,
)
from megatron_crossic.cluster.measure import NUM_BYTES, backend_for, read_rank, time_all_reduce
from megatron_crossic.cluster.meeting import Meeting, Place
from megatron_crossic.cluster.network import Pair, blame, bus_bandwidth, rounds_of_pairs
from megatron_crossic.cluster.readings import RankReading

HEALTHY, UNHEALTHY = 0, 10
"""Exit codes."""
_MOST_MEASUREMENTS = 8
"""All ranks, each node alone, three rounds of pairs, and some room."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckOptions:
    """What is checked."""

    run_dir: Path
    expected: Expectations
    min_allreduce_gbps: float = 0.0
    """0 only reports it."""
    timeout_seconds: float = 180.0
    """For ranks to join, and for each measurement."""
    nodes: tuple[str, ...] = ()
    """All nodes of the job in Slurm's order, to name those that do not come."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What rank 0 found."""

    readings: tuple[RankReading, ...]
    complaints: tuple[Complaint, ...]
    bandwidth: float | None
    """GB/s of an all-reduce over all ranks; None where it was not measured."""
    is_full: bool
    """Whether no node has room in the run directory: no node is to blame."""

    @property
    def exit_code(self) -> int:
        """0 or 10."""
        return UNHEALTHY if self.complaints else HEALTHY


def check_nodes(place: Place, options: CheckOptions) -> Verdict | None:
    """Take part as one rank; rank 0 gets the verdict, the others nothing.

    One rank alone ends with an error: where all did, the first would have the launcher kill rank 0
    before it has said what it found.
    """
    seconds = options.timeout_seconds
    wants_gpu = options.expected.num_devices > 0
    reading = read_rank(place.rank, run_dir=options.run_dir, wants_gpu=wants_gpu)
    try:
        meeting = Meeting(place, seconds=seconds)
    except dist.DistError:
        if place.rank == 0:
            raise
        missing = Complaint(node=place.host, reason=f"rank 0 was not there within {seconds:g} s")
        return Verdict(readings=(), complaints=(missing,), bandwidth=None, is_full=False)
    meeting.tell("reading", reading.to_json())
    if place.rank > 0:
        _carry_out(meeting, wants_gpu=wants_gpu, seconds=seconds)
        return None
    return _lead(_Leader(meeting, wants_gpu=wants_gpu, seconds=seconds), options)


def write_unhealthy(path: Path, found: Sequence[Complaint]) -> None:
    """Append a line a complaint, each in one write; those that are there already are not repeated.

    Several ranks may say the same at once.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab", buffering=0) as file:
        known = path.read_bytes().splitlines()
        for complaint in found:
            line = " ".join(complaint.line().split()).encode("utf-8")
            if line not in known:
                file.write(line + b"\n")


def _carry_out(meeting: Meeting, *, wants_gpu: bool, seconds: float) -> None:
    """What a rank other than 0 does: measure as ordered, until the end."""
    for number in range(_MOST_MEASUREMENTS + 1):
        order = meeting.next_order(number, seconds=2 * seconds)
        if "groups" not in order:
            meeting.tell("end", b"")
            return
        _measure(meeting, number, order["groups"], wants_gpu=wants_gpu, seconds=seconds)
    raise AssertionError("rank 0 ends the check")


def _measure(
    meeting: Meeting,
    number: int,
    groups: Sequence[Sequence[int]],
    *,
    wants_gpu: bool,
    seconds: float,
) -> None:
    """Time an all-reduce in this rank's group, and tell it or what went wrong.

    In a thread that may hang: the check goes on without it, and its process ends with it.
    """
    mine = [(place, group) for place, group in enumerate(groups) if meeting.place.rank in group]
    if not mine:
        return
    place, group = mine[0]
    answers: list[object] = []

    def work() -> None:
        try:
            answers.append(
                time_all_reduce(
                    meeting.group_store(f"{number}/{place}"),
                    rank=list(group).index(meeting.place.rank),
                    world_size=len(group),
                    backend=backend_for(wants_gpu=wants_gpu),
                    seconds=2 * seconds,
                )
            )
        except Exception as error:  # NCCL has many; each is an answer
            answers.append(" ".join(f"{type(error).__name__}: {error}".split())[:200])

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    answer = answers[0] if answers else f"did not finish within {seconds:g} s"
    meeting.tell(f"measured/{number}", orjson.dumps(answer))


class _Leader:
    """Rank 0's side: gives orders and collects answers."""

    def __init__(self, meeting: Meeting, *, wants_gpu: bool, seconds: float) -> None:
        self.meeting, self._wants_gpu, self._seconds = meeting, wants_gpu, seconds
        self._number = 0
        self.failures: dict[int, str] = {}
        """Ranks that could not measure, and why."""

    def measure(self, groups: Sequence[Sequence[int]]) -> list[float]:
        """GB/s of each group; 0 for one in which a rank failed."""
        number, self._number = self._number, self._number + 1
        self.meeting.order(number, {"groups": groups})
        _measure(self.meeting, number, groups, wants_gpu=self._wants_gpu, seconds=self._seconds)
        ranks = [rank for group in groups for rank in group]
        heard = self.meeting.hear(f"measured/{number}", ranks, seconds=self._seconds + 10)
        answers = {rank: orjson.loads(answer) for rank, answer in heard.items()}
        bad = {r: str(answers.get(r, "no answer")) for r in ranks if not _is_time(answers.get(r))}
        self.failures |= bad
        num_bytes = NUM_BYTES["cuda" if self._wants_gpu else "cpu"]
        return [
            0.0
            if any(rank in bad for rank in group)
            else bus_bandwidth(
                num_bytes, max(answers[rank] for rank in group), num_ranks=len(group)
            )
            for group in groups
        ]

    def end(self, ranks: Sequence[int]) -> None:
        """Let these go, and wait a moment: the store ends with this process."""
        self.meeting.order(self._number, {})
        self.meeting.hear("end", ranks, seconds=5)


def _is_time(answer: object) -> bool:
    return isinstance(answer, float)


def _lead(leader: _Leader, options: CheckOptions) -> Verdict:
    world_size = leader.meeting.place.world_size
    heard = leader.meeting.hear("reading", list(range(world_size)), seconds=options.timeout_seconds)
    readings = tuple(RankReading.from_json(heard[rank]) for rank in sorted(heard))
    absent = absences(
        [rank for rank in range(world_size) if rank not in heard],
        nodes=options.nodes,
        world_size=world_size,
        seconds=options.timeout_seconds,
    )
    is_full = disk_is_full_everywhere(readings, options.expected)
    found = [*absent, *complaints(readings, options.expected)]
    bandwidth = None
    if not absent and not lacks_devices(readings) and world_size > 1:
        (bandwidth,) = leader.measure([list(range(world_size))])
        found += _network_complaints(leader, readings, bandwidth, options.min_allreduce_gbps)
    leader.end([rank for rank in heard if rank > 0])
    return Verdict(readings=readings, complaints=tuple(found), bandwidth=bandwidth, is_full=is_full)


def _network_complaints(
    leader: _Leader, readings: Sequence[RankReading], bandwidth: float, minimum: float
) -> Iterator[Complaint]:
    ranks: dict[str, list[int]] = {}
    for one in readings:
        ranks.setdefault(one.node, []).append(one.rank)
    if leader.failures:
        yield from _failures(leader.failures, ranks)
        return
    if bandwidth >= minimum:
        return
    inside = {node: members for node, members in ranks.items() if len(members) > 1}
    alone = dict(zip(inside, leader.measure(list(inside.values())), strict=True)) if inside else {}
    pairs: dict[Pair, float] = {}
    for some in rounds_of_pairs(list(ranks)):
        if not leader.failures:
            groups = [sorted(ranks[one] + ranks[other]) for one, other in some]
            pairs |= zip(some, leader.measure(groups), strict=True)
    if leader.failures:
        yield from _failures(leader.failures, ranks)
        return
    whole = f"all-reduce over all ranks {bandwidth:.3g} GB/s, {minimum:g} expected"
    for node, reason in blame(alone=alone, pairs=pairs, minimum=minimum).reasons.items():
        yield Complaint(node=node, reason=f"{whole}; {reason}")


def _failures(
    failures: Mapping[int, str], ranks: Mapping[str, Sequence[int]]
) -> Iterator[Complaint]:
    """One line a node, by its first failing rank."""
    for node, members in ranks.items():
        bad = [rank for rank in members if rank in failures]
        if bad:
            yield Complaint(node=node, reason=f"all-reduce, rank {bad[0]}: {failures[bad[0]]}")
