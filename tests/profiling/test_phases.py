"""The phases of a step neither overlap nor leave a gap."""

from hypothesis import given
from hypothesis import strategies as st

from megatron_crossic.profiling.phases import REST, PhaseClock, is_transfer


class Counting:
    """A device whose work takes as long as the test says."""

    def __init__(self) -> None:
        self.now = 0.0

    def moment(self) -> float:
        return self.now

    def seconds_between(self, first: float, second: float) -> float:  # type: ignore[override]
        return second - first


def test_time_belongs_to_the_innermost_phase() -> None:
    device = Counting()
    clock = PhaseClock(device)
    clock.begin()
    device.now += 1
    with clock.phase("forward-backward"):
        device.now += 10
        clock("forward-compute", log_level=2).start()
        device.now += 100
        with clock.phase("data"):
            device.now += 1000
        device.now += 200
        clock("forward-compute").stop()
        device.now += 20
    device.now += 2
    found = clock.end()()
    expected = {REST: 3, "forward-backward": 30, "forward-compute": 300, "data": 1000}
    assert found.by_phase == expected
    assert found.seconds == sum(expected.values())


def test_transfers_and_the_end_of_the_passes_are_noted() -> None:
    device = Counting()
    clock = PhaseClock(device)
    clock.begin()
    for name, seconds in (("forward-recv", 5), ("forward-compute", 7), ("backward-send", 3)):
        with clock.phase(name):
            device.now += seconds
    with clock.phase("gradients"):
        device.now += 11
    with clock.phase("update"):
        device.now += 13
    found = clock.end()()
    assert (found.num_transfers, found.shortest_transfer) == (2, 3)
    assert found.passes_end == 5 + 7 + 3
    assert found.seconds == 39


def test_what_a_failed_step_left_open_is_forgotten() -> None:
    clock = PhaseClock(Counting())
    clock.begin()
    clock.enter("forward-compute")
    clock.begin()
    assert clock.end()().by_phase == {REST: 0}


@given(st.lists(st.tuples(st.sampled_from("abc-"), st.integers(0, 9)), max_size=40))
def test_phases_add_up_to_the_step_whatever_the_nesting(actions: list[tuple[str, int]]) -> None:
    device = Counting()
    clock = PhaseClock(device)
    clock.begin()
    opened: list[str] = []
    expected = dict.fromkeys(("a", "b", "c", REST), 0)
    for name, seconds in actions:
        if name != "-":
            clock.enter(name)
            opened.append(name)
        elif opened:
            clock.leave(opened.pop())
        device.now += seconds
        expected[opened[-1] if opened else REST] += seconds
    while opened:
        clock.leave(opened.pop())
    found = clock.end()()
    assert {name: found.by_phase[name] for name in expected} == expected
    assert found.seconds == sum(expected.values()) == device.now


def test_marks_open_and_close_with_their_phases() -> None:
    seen: list[str] = []

    class Mark:
        def __init__(self, name: str) -> None:
            self.name = name

        def __enter__(self) -> None:
            seen.append(f"<{self.name}")

        def __exit__(self, *_: object) -> None:
            seen.append(f"{self.name}>")

    clock = PhaseClock(Counting(), mark=Mark)
    clock.begin()
    with clock.phase("a"), clock.phase("b"):
        pass
    clock.end()
    assert seen == ["<a", "<b", "b>", "a>"]


def test_names_of_transfers() -> None:
    both = "forward-backward-send-forward-backward-recv"
    names = ("forward-recv", "backward-send", "forward-send-backward-recv", both)
    assert all(map(is_transfer, names))
    assert not any(map(is_transfer, ("forward-compute", "forward-backward", "data", "gradients")))
