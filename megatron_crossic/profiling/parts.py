"""Phases of a step -> the parts a reader knows, the pipeline's waiting among them.

    data        windows were not ready
    forward     passes, without what is counted elsewhere
    backward    the same; activations that are computed again are in it
    optimizer   gradients zeroed, copied and measured, clipping, update, gathering of weights
    gradients   gradients and losses added up over ranks, with the wait for slower ranks
    tensor      collectives among the tensor-parallel ranks, nearly all inside the passes
    transfer    sending and receiving between pipeline stages
    bubble      a pipeline stage had nothing to do
    rest        everything else; Python between the above

A stage waits in two places, and neither is labelled so:

- In a call that sends or receives, which lasts until the other stage comes. The shortest such call
  of all stages in a step waited for nobody (or for the shortest time), so each counts that much as
  `transfer` and what is beyond as `bubble`.
- After its last pass, while other stages still make theirs: it stands in the reduction that
  follows. Of that, what lies before the end of the pipeline's last pass is `bubble`.

    stage 0   F1 F2 -- -- B1 -- B2|reduction              -- in a receiving call
    stage 1   -- F1 B1 F2 B2|------reduction              -- after its last pass

In theory the bubble is (p - 1) / (m * v + p - 1) of the time of the passes, with p stages, m
microbatches and v chunks a stage: Narayanan et al. 2021, arXiv 2104.04473, section 2.2, which gives
(p - 1) / (m * v) of the time without it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from megatron_crossic.profiling.phases import REST, StepPhases, is_transfer

PARTS = (
    "data",
    "forward",
    "backward",
    "optimizer",
    "gradients",
    "tensor",
    "transfer",
    "bubble",
    "rest",
)
COMMUNICATION = ("gradients", "tensor", "transfer")
"""Parts in which ranks exchange something, waiting for slower ones in the first two included."""
TENSOR_PHASE = "tensor-parallel"
_SCHEDULE = "forward-backward"
_WAITING = "waiting"  # for other stages or their data; divided into transfer and bubble
_PART_OF_PHASE = {
    "data": "data",
    "forward-compute": "forward",
    "backward-compute": "backward",
    TENSOR_PHASE: "tensor",
    "zeroing": "optimizer",
    "norm": "optimizer",
    "update": "optimizer",
    "params-all-gather": "optimizer",
    "gradients": "gradients",
    "losses": "gradients",
    "agreement": "gradients",
}

Parts = Mapping[str, float]
"""Seconds, or shares, by the names in `PARTS`."""


def bubble_in_theory(*, stages: int, microbatches: int, chunks: int) -> float:
    """Share of the passes' time in which a stage has nothing to do, from 0 to 1.

    4 stages and 8 microbatches: 3 / (8 + 3) = 0.27; with 2 chunks a stage 3 / (16 + 3) = 0.16.
    """
    return (stages - 1) / (microbatches * chunks + stages - 1)


def step_to_parts(ranks: Sequence[StepPhases], *, chunks: int) -> list[dict[str, float]]:
    """Seconds of one step by part, for each of the ranks of one pipeline, in any order.

    The parts of a rank add up to its step. `chunks` are those of a stage: where it has several,
    transfers overlap with passes, and the schedule itself waits for them.
    """
    is_pipeline = len(ranks) > 1
    shortest = min((one.shortest_transfer for one in ranks if one.num_transfers), default=0.0)
    passes_end = max(one.passes_end for one in ranks)
    found = []
    for one in ranks:
        parts = _sum_up(one.by_phase, schedule=_WAITING if is_pipeline and chunks > 1 else REST)
        waiting = parts.pop(_WAITING)
        parts["transfer"] = min(waiting, one.num_transfers * shortest)
        drained = min(parts["gradients"], passes_end - one.passes_end) if is_pipeline else 0.0
        parts["gradients"] -= drained
        parts["bubble"] = waiting - parts["transfer"] + drained
        found.append(parts)
    return found


def _sum_up(by_phase: Mapping[str, float], *, schedule: str) -> dict[str, float]:
    parts: Counter[str] = Counter(dict.fromkeys((*PARTS, _WAITING), 0))
    for name, seconds in by_phase.items():
        parts[_part_of(name, schedule)] += seconds  # type: ignore[assignment]
    return {name: float(seconds) for name, seconds in parts.items()}


def _part_of(phase: str, schedule: str) -> str:
    """The part a phase counts in; megatron-core's own names are known by how they are formed."""
    if phase == _SCHEDULE:
        return schedule
    if phase in _PART_OF_PHASE:
        return _PART_OF_PHASE[phase]
    if is_transfer(phase):
        return _WAITING
    if phase.startswith("optimizer-"):
        return "optimizer"
    return "gradients" if "grads" in phase else REST


def communication(parts: Parts) -> float:
    """What the parts of communication are together."""
    return sum(parts[name] for name in COMMUNICATION)


def to_shares(seconds: Parts) -> dict[str, float]:
    """Each part as a share of all, from 0 to 1."""
    total = sum(seconds.values())
    return {name: seconds[name] / total if total else 0.0 for name in PARTS}
