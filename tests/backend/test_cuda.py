"""The CUDA backend where there is a GPU, and its refusals where there is none."""

import subprocess
import sys

import pytest
import torch

from megatron_crossic.backend import cuda, select_backend
from megatron_crossic.config import ParallelConfig, PrecisionConfig
from megatron_crossic.errors import ConfigError

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a CUDA device")
def test_cuda_without_a_gpu_is_refused() -> None:
    with pytest.raises(ConfigError, match="backend must be one this machine has, got cuda"):
        select_backend("cuda")


def test_without_transformer_engine_fp8_and_context_parallelism_are_refused() -> None:
    if cuda.has_transformer_engine():
        pytest.skip("Transformer Engine is installed")
    problems = cuda.problems(ParallelConfig(context=2), PrecisionConfig(compute="fp8"))
    assert len(problems) == 2
    assert "must be fp32 or bf16 without Transformer Engine, got fp8" in problems[0]
    assert "parallel.context must be 1 without Transformer Engine, got 2" in problems[1]


def test_the_cuda_path_never_imports_the_emulation() -> None:
    code = (
        "import sys, megatron_crossic.backend.cuda, megatron_crossic.parallel;"
        "assert 'megatron_crossic.backend.cpu' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@needs_gpu
def test_a_gpu_is_selected_and_measured() -> None:
    backend = select_backend("auto")
    with backend.activate():
        torch.zeros(1 << 20, device=backend.device())
        backend.synchronize()
    assert backend.peak_memory_bytes() >= 4 << 20
