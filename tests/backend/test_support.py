"""What each kind of device refuses; the devices are described, not needed."""

from dataclasses import replace

import pytest

from megatron_crossic.backend import cpu, cuda
from megatron_crossic.backend.support import Support, unsupported
from megatron_crossic.config import MemoryConfig, ParallelConfig, PrecisionConfig

CPU = Support(is_gpu=False)
HOPPER = Support(is_gpu=True, transformer_engine=True, cuda_version=(12, 9), capability=(9, 0))
BARE = replace(HOPPER, transformer_engine=False)
BF16, FP8 = PrecisionConfig(compute="bf16"), PrecisionConfig(compute="fp8")
FP32, CHECKED = PrecisionConfig(compute="fp32"), PrecisionConfig(compute="bf16", check="fp32")
BLOCKWISE = PrecisionConfig(compute="fp8", recipe="blockwise")
ONE, OVERLAPPED = ParallelConfig(), ParallelConfig(tensor=2, sequence=True, tp_comm_overlap=True)
SEQUENCE = ParallelConfig(tensor=2, sequence=True)
KEEP, OFFLOAD = MemoryConfig(), MemoryConfig(offload_optimizer=True)


@pytest.mark.parametrize(
    ("support", "parallel", "precision", "memory", "message"),
    [
        (CPU, ONE, FP8, KEEP, "precision.compute must be fp32 or bf16 on the cpu backend, got fp8"),
        (BARE, ONE, FP8, KEEP, "fp32 or bf16 without Transformer Engine, got fp8. Install"),
        (CPU, ParallelConfig(context=2), BF16, KEEP, "parallel.context must be 1 on the cpu"),
        (BARE, ParallelConfig(context=2), BF16, KEEP, "context must be 1 without Transformer Eng"),
        (CPU, OVERLAPPED, BF16, KEEP, "parallel.tp_comm_overlap must be false on the cpu backend"),
        (
            HOPPER,
            ParallelConfig(context=2),
            FP32,
            KEEP,
            "context must be 1 in fp32, got 2. Use",
        ),
        (HOPPER, OVERLAPPED, CHECKED, KEEP, "tp_comm_overlap must be false in fp32, got true"),
        (BARE, OVERLAPPED, BF16, KEEP, "tp_comm_overlap must be false without Transformer Engine"),
        (
            replace(HOPPER, capability=(8, 0)),
            ONE,
            FP8,
            KEEP,
            "must be fp32 or bf16 below compute capability 8.9, got fp8 with 8.0. Use bf16",
        ),
        (
            replace(HOPPER, cuda_version=(12, 8)),
            ONE,
            BLOCKWISE,
            KEEP,
            "precision.recipe must be tensorwise or delayed below CUDA 12.9, got blockwise with "
            "CUDA 12.8. Use tensorwise",
        ),
        (
            replace(HOPPER, cuda_version=None),
            ONE,
            BLOCKWISE,
            KEEP,
            "got blockwise with CUDA unknown",
        ),
        (
            replace(HOPPER, max_connections="8"),
            SEQUENCE,
            BF16,
            KEEP,
            "CUDA_DEVICE_MAX_CONNECTIONS must be 1 with parallel.sequence, got 8. Set it to 1",
        ),
        (
            replace(HOPPER, max_connections="32"),
            OVERLAPPED,
            BF16,
            KEEP,
            "CUDA_DEVICE_MAX_CONNECTIONS must be 1 with parallel.tp_comm_overlap, got 32",
        ),
        (CPU, ONE, BF16, OFFLOAD, "memory.offload_optimizer must be false on the cpu backend"),
        (HOPPER, ONE, BF16, OFFLOAD, "memory.offload_optimizer must be false until checkpoints"),
    ],
)
def test_what_a_device_cannot_do_is_named(
    support: Support,
    parallel: ParallelConfig,
    precision: PrecisionConfig,
    memory: MemoryConfig,
    message: str,
) -> None:
    (problem,) = unsupported(support, parallel, precision, memory)
    assert message in problem


@pytest.mark.parametrize(
    ("support", "parallel", "precision"),
    [
        (CPU, replace(SEQUENCE, pipeline=2, virtual_pipeline=2), BF16),
        (HOPPER, OVERLAPPED, FP8),
        (HOPPER, ParallelConfig(context=2), BLOCKWISE),
        (BARE, SEQUENCE, BF16),
        (replace(HOPPER, max_connections="8"), ParallelConfig(tensor=2), BF16),
        (replace(HOPPER, max_connections="8", capability=(10, 0)), SEQUENCE, BF16),
    ],
)
def test_what_a_device_can_do_passes(
    support: Support, parallel: ParallelConfig, precision: PrecisionConfig
) -> None:
    assert unsupported(support, parallel, precision, KEEP) == []


def test_each_backend_asks_the_rules() -> None:
    (problem,) = cpu.problems(ONE, FP8)
    assert "on the cpu backend" in problem
    assert any("until checkpoints" in problem for problem in cuda.problems(ONE, BF16, OFFLOAD))


def test_the_gpu_backend_reads_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_DEVICE_MAX_CONNECTIONS", "8")
    assert cuda.support().max_connections == "8"
    monkeypatch.delenv("CUDA_DEVICE_MAX_CONNECTIONS")
    assert cuda.support().max_connections == "1"  # `activate` sets it
    assert cuda.support().is_gpu


def test_the_cpu_has_no_shared_buffers() -> None:
    with pytest.raises(AssertionError, match="no shared buffers"):
        cpu.share_buffers((16, 32), tensor=2, fp8=False)
