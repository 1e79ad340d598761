"""Phases as parts, and the waiting of a pipeline, by hand."""

from collections import Counter

import pytest

from megatron_crossic.profiling.parts import (
    PARTS,
    bubble_in_theory,
    step_to_parts,
    to_shares,
)
from megatron_crossic.profiling.phases import StepPhases


def phases(transfers: tuple[int, float] = (0, 0.0), end: float = 0.0, **by: float) -> StepPhases:
    named = Counter({name.replace("_", "-"): seconds for name, seconds in by.items()})
    return StepPhases(
        seconds=sum(by.values()),
        by_phase=named,  # type: ignore[arg-type]
        num_transfers=transfers[0],
        shortest_transfer=transfers[1],
        passes_end=end,
    )


def nonzero(parts: dict[str, float]) -> dict[str, float]:
    return {name: seconds for name, seconds in parts.items() if seconds}


def test_every_phase_has_its_part() -> None:
    step = phases(
        data=1,
        forward_compute=2,
        backward_compute=4,
        zeroing=8,
        norm=16,
        update=32,
        optimizer_inner_step=64,
        params_all_gather=128,
        gradients=256,
        all_grads_sync=512,
        embedding_grads_all_reduce=1024,
        losses=2048,
        agreement=4096,
        tensor_parallel=8192,
        forward_backward=16384,
        rest=32768,
    )
    (parts,) = step_to_parts([step], chunks=1)
    assert nonzero(parts) == {
        "data": 1,
        "forward": 2,
        "backward": 4,
        "optimizer": 8 + 16 + 32 + 64 + 128,
        "gradients": 256 + 512 + 1024 + 2048 + 4096,
        "tensor": 8192,
        "rest": 16384 + 32768,
    }
    assert sum(parts.values()) == step.seconds


def test_waiting_of_a_pipeline_is_divided_into_transfer_and_bubble() -> None:
    # Stage 0 waits 7 in two calls, of which the shortest of all stages took 1; stage 1 makes its
    # last pass 6 before stage 0 does, and stands in the reduction so long.
    first = phases((2, 2.0), end=27, forward_compute=10, forward_send_backward_recv=7,
                   backward_compute=10, gradients=1)  # fmt: skip
    second = phases((2, 1.0), end=21, forward_compute=9, forward_recv=3, backward_compute=9,
                    gradients=7)  # fmt: skip
    parts = step_to_parts([first, second], chunks=1)
    assert nonzero(parts[0]) == {
        "forward": 10, "backward": 10, "transfer": 2, "bubble": 5, "gradients": 1,
    }  # fmt: skip
    assert nonzero(parts[1]) == {
        "forward": 9, "backward": 9, "transfer": 2, "bubble": 1 + 6, "gradients": 1,
    }  # fmt: skip
    assert [sum(one.values()) for one in parts] == [first.seconds, second.seconds]


def test_interleaved_stages_wait_inside_the_schedule() -> None:
    step = phases((1, 0.0), forward_compute=5, forward_backward=3, forward_recv=0.5)
    parts = step_to_parts([step, step], chunks=2)
    assert nonzero(parts[0]) == {"forward": 5, "bubble": 3.5}
    (alone,) = step_to_parts([phases(forward_compute=5, forward_backward=3)], chunks=1)
    assert nonzero(alone) == {"forward": 5, "rest": 3}


def test_ranks_without_a_pipeline_do_not_wait_in_one() -> None:
    (parts,) = step_to_parts([phases(end=1, forward_compute=1, gradients=9)], chunks=1)
    assert nonzero(parts) == {"forward": 1, "gradients": 9}


@pytest.mark.parametrize(
    ("stages", "microbatches", "chunks", "share"),
    [(1, 8, 1, 0), (2, 4, 1, 1 / 5), (4, 8, 1, 3 / 11), (4, 8, 2, 3 / 19), (8, 1, 1, 7 / 8)],
)
def test_the_bubble_in_theory(stages: int, microbatches: int, chunks: int, share: float) -> None:
    found = bubble_in_theory(stages=stages, microbatches=microbatches, chunks=chunks)
    assert found == pytest.approx(share)


def test_the_theory_is_what_a_perfect_pipeline_measures() -> None:
    # 2 stages, 3 microbatches, every pass takes 1: 3 forward and 3 backward passes are 6 of 8.
    first = phases((4, 0.0), end=8, forward_compute=3, backward_compute=3, forward_send=2)
    second = phases((4, 0.0), end=7, forward_compute=3, backward_compute=3, forward_recv=1,
                    gradients=1)  # fmt: skip
    for parts in step_to_parts([first, second], chunks=1):
        assert to_shares(parts)["bubble"] == bubble_in_theory(stages=2, microbatches=3, chunks=1)


def test_shares_add_up() -> None:
    shares = to_shares(dict.fromkeys(PARTS, 2.0))
    assert sum(shares.values()) == pytest.approx(1)
    assert set(to_shares(dict.fromkeys(PARTS, 0.0)).values()) == {0.0}
