"""What a device can do, and the options it has to refuse; pure, so that any device can be tried.

The modules `cpu` and `cuda` say what theirs can do; the rules are here once.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from megatron_crossic.config import MemoryConfig, ParallelConfig, PrecisionConfig

BLOCKWISE_CUDA = (12, 9)
"""First CUDA version whose cuBLAS multiplies blocks of 128 with a scale each."""
FP8_CAPABILITY = (8, 9)
"""First compute capability with FP8 tensor cores (Ada; Hopper is 9.0)."""
UNORDERED_CAPABILITY = (10, 0)
"""From Blackwell on kernels overlap with communication whatever the number of connections."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Support:
    """What one device offers."""

    is_gpu: bool
    transformer_engine: bool = False
    cuda_version: tuple[int, int] | None = None
    """CUDA version PyTorch was built for."""
    capability: tuple[int, int] | None = None
    """Compute capability of the GPU; None where no GPU can be asked."""
    max_connections: str = "1"
    """CUDA_DEVICE_MAX_CONNECTIONS of this process."""

    @property
    def _place(self) -> str:
        return "without Transformer Engine" if self.is_gpu else "on the cpu backend"


def unsupported(
    support: Support,
    parallel: ParallelConfig,
    precision: PrecisionConfig,
    memory: MemoryConfig,
) -> list[str]:
    """Options the device cannot run, each a message with the alternative."""
    return [
        *_fp32_problems(support, parallel, precision),
        *_without_transformer_engine(support, parallel, precision),
        *_fp8_problems(support, precision),
        *_connection_problems(support, parallel),
        *_offload_problems(support, memory),
    ]


def _without_transformer_engine(
    support: Support, parallel: ParallelConfig, precision: PrecisionConfig
) -> Iterator[str]:
    if support.transformer_engine:
        return
    place = support._place
    cure = "Install transformer-engine" if support.is_gpu else "Use GPUs with Transformer Engine"
    if precision.compute == "fp8":
        yield (
            f"precision.compute must be fp32 or bf16 {place}, got fp8. {cure}, or use "
            "--precision.compute bf16."
        )
    if parallel.context > 1:
        yield (
            f"parallel.context must be 1 {place}, got {parallel.context}. {cure}, or use "
            "parallel.tensor or parallel.pipeline."
        )
    if parallel.tp_comm_overlap:
        yield (
            f"parallel.tp_comm_overlap must be false {place}, got true. {cure}, or switch it off."
        )


def _fp32_problems(
    support: Support, parallel: ParallelConfig, precision: PrecisionConfig
) -> Iterator[str]:
    """Transformer Engine divides windows with its 16-bit kernels only; its buffers are bf16."""
    if not support.transformer_engine or "fp32" not in (precision.compute, precision.check):
        return
    if parallel.context > 1:
        yield (
            f"parallel.context must be 1 in fp32, got {parallel.context}. Use bf16, or "
            "parallel.tensor."
        )
    if parallel.tp_comm_overlap:
        yield (
            "parallel.tp_comm_overlap must be false in fp32, got true. Switch it off, or use bf16."
        )


def _fp8_problems(support: Support, precision: PrecisionConfig) -> Iterator[str]:
    if precision.compute != "fp8" or not support.transformer_engine:
        return
    if support.capability is not None and support.capability < FP8_CAPABILITY:
        yield (
            "precision.compute must be fp32 or bf16 below compute capability "
            f"{_dotted(FP8_CAPABILITY)}, got fp8 with {_dotted(support.capability)}. "
            "Use bf16, or a Hopper GPU."
        )
    version = support.cuda_version
    if precision.recipe == "blockwise" and (version is None or version < BLOCKWISE_CUDA):
        yield (
            f"precision.recipe must be tensorwise or delayed below CUDA {_dotted(BLOCKWISE_CUDA)}, "
            f"got blockwise with CUDA {_dotted(version) if version else 'unknown'}. "
            "Use tensorwise, or a PyTorch built for a newer CUDA."
        )


def _connection_problems(support: Support, parallel: ParallelConfig) -> Iterator[str]:
    """Both need kernels to start in the order they were queued: one connection."""
    wanted = parallel.sequence or parallel.tp_comm_overlap
    ordered = not support.is_gpu or (support.capability or (0, 0)) >= UNORDERED_CAPABILITY
    if wanted and not ordered and support.max_connections != "1":
        name = "tp_comm_overlap" if parallel.tp_comm_overlap else "sequence"
        yield (
            f"CUDA_DEVICE_MAX_CONNECTIONS must be 1 with parallel.{name}, got "
            f"{support.max_connections}. Set it to 1 or leave it out."
        )


def _offload_problems(support: Support, memory: MemoryConfig) -> Iterator[str]:
    """megatron-core's hybrid optimizer moves only what is on a GPU, and is no use on the CPU.

    On a GPU it holds its state in optimizers of its own, a main weight among the moments of each
    parameter; `checkpoint.moments` reads neither, so a run could not resume at another layout.
    """
    if memory.offload_optimizer and not support.is_gpu:
        yield (
            "memory.offload_optimizer must be false on the cpu backend, got true. Switch it off: "
            "the optimizer is in the memory of the host already."
        )
    elif memory.offload_optimizer:
        yield (
            "memory.offload_optimizer must be false until checkpoints hold the state of "
            "megatron-core's hybrid optimizer, got true. Use parallel.distributed_optimizer, "
            "precision.grad_reduce bf16 or more pipeline stages."
        )


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
