"""A GPU of another machine, for planning a run where there is none: on a login node."""

import importlib.util
from dataclasses import dataclass, field
from typing import Literal

import torch

from megatron_crossic.backend.support import BLOCKWISE_CUDA, Support, unsupported
from megatron_crossic.config import MemoryConfig, ParallelConfig, PrecisionConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuElsewhere:
    """`DeviceRules` of a GPU that cannot be asked."""

    support: Support
    NAME: Literal["cpu", "cuda"] = field(default="cuda", init=False)

    def problems(
        self,
        parallel: ParallelConfig,
        precision: PrecisionConfig,
        memory: MemoryConfig = MemoryConfig(),  # noqa: B008, frozen
    ) -> list[str]:
        """What every GPU with that software rules out."""
        return unsupported(self.support, parallel, precision, memory)


def gpu_elsewhere(*, same_software: bool) -> GpuElsewhere:
    """With the packages of this environment, or, in a container, with all that a run can use."""
    if not same_software:
        everything = Support(is_gpu=True, transformer_engine=True, cuda_version=BLOCKWISE_CUDA)
        return GpuElsewhere(support=everything)
    major, _, minor = (torch.version.cuda or "").partition(".")
    return GpuElsewhere(
        support=Support(
            is_gpu=True,
            transformer_engine=importlib.util.find_spec("transformer_engine") is not None,
            cuda_version=(int(major), int(minor)) if minor else None,
        )
    )
