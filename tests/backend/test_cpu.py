"""Inside `activate` CUDA names mean the CPU; outside nothing has changed."""

import torch

from megatron_crossic.backend import cpu, select_backend
from megatron_crossic.config import ParallelConfig, PrecisionConfig


def test_cuda_devices_mean_the_cpu_inside_only() -> None:
    before = torch.cuda.current_device, torch.cuda.synchronize, torch.cuda.get_rng_state
    with cpu.activate():
        assert torch.zeros(2, device="cuda").device.type == "cpu"
        assert torch.zeros(2, device=0).device.type == "cpu"
        assert torch.ones(3, device=torch.device("cuda", 1)).cuda().device.type == "cpu"
        assert torch.cuda.current_device() == torch.device("cpu")
        assert torch.zeros(1).type() == "torch.cuda.FloatTensor"
        assert torch.zeros(1).type(torch.float64).dtype == torch.float64
        torch.cuda.synchronize()
    assert (torch.cuda.current_device, torch.cuda.synchronize, torch.cuda.get_rng_state) == before
    assert torch.zeros(1).type() == "torch.FloatTensor"


def test_random_state_round_trip_through_the_cuda_names() -> None:
    with cpu.activate():
        state = torch.cuda.get_rng_state()
        first = torch.rand(4)
        torch.cuda.set_rng_state(state)
        assert torch.equal(torch.rand(4), first)


def test_auto_selects_what_the_machine_has() -> None:
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert expected == select_backend("auto").NAME
    assert select_backend("cpu").COMMUNICATION == "gloo"


def test_what_a_cpu_cannot_run_is_refused_with_the_alternative() -> None:
    problems = cpu.problems(ParallelConfig(context=2), PrecisionConfig(compute="fp8"))
    assert len(problems) == 2
    assert "precision.compute must be fp32 or bf16 on the cpu backend, got fp8" in problems[0]
    assert "parallel.context must be 1 on the cpu backend, got 2" in problems[1]
    assert cpu.problems(ParallelConfig(tensor=2), PrecisionConfig(compute="fp32")) == []


def test_peak_memory_is_in_bytes() -> None:
    assert 50e6 < cpu.peak_memory_bytes() < 1e12
