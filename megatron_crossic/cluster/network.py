"""Bandwidth of all-reduces -> which nodes slow them down.

The bus bandwidth of an all-reduce of B bytes over n ranks in t seconds is 2 (n - 1) / n * B / t:
each byte crosses the slowest link so often, whatever n is, so figures of different n compare
(https://github.com/NVIDIA/nccl-tests/blob/master/doc/PERFORMANCE.md). 256 MiB over 16 ranks in
2 ms are 252 GB/s.

One bad link slows all of them down and the whole names nobody, so each node is measured alone and
with both neighbours. With node B bad of A, B, C, D:

    A-B 20   C-D 300   B-C 20   D-A 300       all of B's pairs are slow, and nobody else's
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Pair = tuple[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Blame:
    """Nodes, and a reason each."""

    reasons: Mapping[str, str]
    is_certain: bool
    """Otherwise they are all nodes there are, and leaving them out helps only by chance."""


def bus_bandwidth(num_bytes: int, seconds: float, *, num_ranks: int) -> float:
    """GB/s (1e9)."""
    return 2 * (num_ranks - 1) / num_ranks * num_bytes / seconds / 1e9


def rounds_of_pairs(nodes: Sequence[str]) -> list[list[Pair]]:
    """Neighbours in a ring, in rounds in which each node is in one pair at most.

    A, B, C, D: A-B and C-D, then B-C and D-A. Three nodes need three rounds.
    """
    number = len(nodes)
    if number < 2:
        return []
    if number == 2:
        return [[(nodes[0], nodes[1])]]
    ring = [(nodes[place], nodes[(place + 1) % number]) for place in range(number)]
    rounds = [ring[0 : number - number % 2 : 2], ring[1::2]]
    return rounds if number % 2 == 0 else [*rounds, [ring[-1]]]


def blame(*, alone: Mapping[str, float], pairs: Mapping[Pair, float], minimum: float) -> Blame:
    """Who keeps an all-reduce over all nodes below `minimum` GB/s, as far as can be told.

    `alone` has the nodes with more than one rank.
    """
    slow_alone = {node: rate for node, rate in alone.items() if rate < minimum}
    if slow_alone and len(slow_alone) < len(alone):
        return Blame(
            reasons={
                node: f"all-reduce inside the node {rate:.1f} GB/s, {minimum:g} expected"
                for node, rate in slow_alone.items()
            },
            is_certain=True,
        )
    nodes = list(dict.fromkeys([*alone, *(node for pair in pairs for node in pair)]))
    rates = {node: [rate for pair, rate in pairs.items() if node in pair] for node in nodes}
    slow = [node for node in nodes if rates[node] and max(rates[node]) < minimum]
    if slow and len(slow) < len(nodes):
        return Blame(
            reasons={
                node: f"all-reduce with its neighbours {max(rates[node]):.1f} GB/s at best, "
                f"{minimum:g} expected, others reach it"
                for node in slow
            },
            is_certain=True,
        )
    why = "each pair of nodes falls short" if slow else "each pair of nodes alone reaches it"
    why = why if pairs else "it is the only one"
    return Blame(reasons=dict.fromkeys(nodes, f"no node stands out: {why}"), is_certain=False)
