"""Which node slows an all-reduce down, from made bandwidths."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from megatron_crossic.cluster.network import Pair, blame, bus_bandwidth, rounds_of_pairs


def pairs_of(nodes: list[str], bad: set[str]) -> dict[Pair, float]:
    """300 GB/s but for pairs with a bad node."""
    return {
        pair: 20.0 if bad & set(pair) else 300.0 for some in rounds_of_pairs(nodes) for pair in some
    }


def test_bus_bandwidth_is_that_of_nccl_tests() -> None:
    """16 ranks, 256 MiB in 2 ms: 2 * 15 / 16 * 0.268435456 GB / 0.002 s."""
    assert bus_bandwidth(256 << 20, 0.002, num_ranks=16) == pytest.approx(251.658, abs=1e-3)
    assert bus_bandwidth(10**9, 1.0, num_ranks=2) == pytest.approx(1.0)


@given(st.integers(2, 40))
def test_every_node_is_with_both_neighbours_and_never_twice_in_a_round(number: int) -> None:
    nodes = [f"n{place}" for place in range(number)]
    rounds = rounds_of_pairs(nodes)
    for some in rounds:
        inside = [node for pair in some for node in pair]
        assert len(inside) == len(set(inside))
    found = [frozenset(pair) for some in rounds for pair in some]
    assert len(found) == len(set(found)) == (1 if number == 2 else number)
    assert len(rounds) <= 3


def test_one_node_has_no_pairs() -> None:
    assert rounds_of_pairs(["a"]) == []


@given(st.integers(4, 20), st.data())
def test_one_bad_node_of_four_or_more_is_found(number: int, data: st.DataObject) -> None:
    nodes = [f"n{place}" for place in range(number)]
    bad = data.draw(st.sampled_from(nodes))
    found = blame(alone={}, pairs=pairs_of(nodes, {bad}), minimum=250)
    assert (list(found.reasons), found.is_certain) == ([bad], True)


def test_the_example_of_the_module() -> None:
    found = blame(alone={}, pairs=pairs_of(["A", "B", "C", "D"], {"B"}), minimum=250)
    assert found.reasons == {
        "B": "all-reduce with its neighbours 20.0 GB/s at best, 250 expected, others reach it"
    }


def test_of_three_nodes_one_is_found_too() -> None:
    assert list(blame(alone={}, pairs=pairs_of(["A", "B", "C"], {"C"}), minimum=250).reasons) == [
        "C"
    ]


def test_a_node_that_is_slow_inside_is_found_without_pairs() -> None:
    found = blame(alone={"A": 30.0, "B": 400.0}, pairs={("A", "B"): 25.0}, minimum=250)
    assert found.reasons == {"A": "all-reduce inside the node 30.0 GB/s, 250 expected"}


def test_where_no_node_stands_out_all_are_named_and_it_is_said() -> None:
    two = blame(alone={"A": 400.0, "B": 400.0}, pairs={("A", "B"): 25.0}, minimum=250)
    assert set(two.reasons) == {"A", "B"}
    assert not two.is_certain
    assert "each pair of nodes falls short" in two.reasons["A"]
    whole = blame(alone={}, pairs=pairs_of(["A", "B", "C"], set()), minimum=250)
    assert "each pair of nodes alone reaches it" in whole.reasons["C"]
    one = blame(alone={"A": 3.0}, pairs={}, minimum=250)
    assert one.reasons == {"A": "no node stands out: it is the only one"}
