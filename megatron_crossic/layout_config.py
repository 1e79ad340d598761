"""The part of a run's configuration that says how it uses its devices; no value changes the loss.

Groups of ranks, number formats (these change the last digits) and what is computed twice to save
memory. What a device cannot do is known to `backend.support`, what a model is too small for to
`model.layout`.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class ParallelConfig:
    """How the model and the batch are divided over ranks; what remains is data parallelism."""

    tensor: int = 1
    """Ranks that share each layer's matrices."""
    pipeline: int = 1
    """Ranks that share the layers, in consecutive stages."""
    virtual_pipeline: int = 1
    """Chunks of layers on each pipeline rank; above 1 they interleave, which shortens the bubble.

    With 8 layers, 2 ranks and 2 chunks, rank 0 has layers 0-1 and 4-5, rank 1 has 2-3 and 6-7.
    """
    context: int = 1
    """Ranks that share each window's tokens (Transformer Engine on CUDA only)."""
    sequence: bool = False
    """Share norms and dropouts along the sequence between the tensor-parallel ranks."""
    distributed_optimizer: bool = False
    """Divide optimizer state and its update over the data-parallel ranks."""
    overlap_grad_reduce: bool = False
    """Reduce gradients over data ranks during the backward pass, bucket by bucket."""
    overlap_param_gather: bool = False
    """Gather updated weights during the next forward pass (with distributed_optimizer)."""
    tp_comm_overlap: bool = False
    """Overlap tensor-parallel communication with matrix products (Transformer Engine only)."""

    @property
    def model_size(self) -> int:
        """Ranks that hold one copy of the model."""
        return self.tensor * self.pipeline * self.context

    def problems(self) -> list[str]:
        """Every rule the values alone break, as messages."""
        found = [
            f"parallel.{name} must be at least 1, got {size}. Use 1 to switch it off."
            for name in ("tensor", "pipeline", "virtual_pipeline", "context")
            if (size := getattr(self, name)) < 1
        ]
        if self.virtual_pipeline > 1 and self.pipeline == 1:
            found.append(
                f"parallel.virtual_pipeline must go with parallel.pipeline > 1, got "
                f"{self.virtual_pipeline} with pipeline 1. Raise parallel.pipeline or use 1."
            )
        if self.sequence and self.tensor == 1:
            found.append(
                "parallel.sequence must go with parallel.tensor > 1, got tensor 1. "
                "Raise parallel.tensor or set parallel.sequence to false."
            )
        return found + self._overlap_problems()

    def _overlap_problems(self) -> list[str]:
        found = []
        if self.overlap_param_gather and not (
            self.distributed_optimizer and self.overlap_grad_reduce
        ):
            found.append(
                "parallel.overlap_param_gather must go with parallel.distributed_optimizer and "
                f"parallel.overlap_grad_reduce, got {self.distributed_optimizer} and "
                f"{self.overlap_grad_reduce}. Switch both on or this one off."
            )
        if self.tp_comm_overlap and not self.sequence:
            found.append(
                "parallel.tp_comm_overlap must go with parallel.sequence, got sequence false. "
                "Switch sequence on or tp_comm_overlap off."
            )
        return found


@dataclass(frozen=True, kw_only=True)
class PrecisionConfig:
    """Number formats of weights and activations; main weights and moments are always fp32."""

    compute: Literal["fp32", "bf16", "fp8"] = "bf16"
    """fp8 runs matrix products in FP8 through Transformer Engine and keeps the rest in bf16."""
    recipe: Literal["tensorwise", "delayed", "blockwise"] = "tensorwise"
    """How FP8 is scaled: by the current maximum of each tensor, by the largest of the last 1024
    steps, or by blocks of 128 (CUDA 12.9). NVIDIA's choice on Hopper is tensorwise."""
    grad_reduce: Literal["fp32", "bf16"] = "fp32"
    """Format in which gradients are added up over microbatches and data ranks."""
    fp8_param_gather: bool = False
    """Keep the model's weights in FP8 and gather them so: half the traffic of bf16.

    With recipe tensorwise and parallel.distributed_optimizer, as NVIDIA runs it. Off by default
    because checkpoints, and so exports, then hold the model's weights rounded to FP8; the
    optimizer's own stay fp32.
    """
    check: Literal["fp32", "bf16"] | None = None
    """Do not train: run `check_steps` steps in this format and in `compute`, from the same weights
    on the same windows, and fail where the losses differ by more than `check_gap`."""
    check_steps: int = 50
    """Steps of either; the losses of the later half are compared."""
    check_gap: float = 0.01
    """Largest difference of the mean losses, in nats a token."""

    def problems(self) -> list[str]:
        """Every rule the values break, as messages."""
        found = []
        if self.fp8_param_gather and (self.compute, self.recipe) != ("fp8", "tensorwise"):
            found.append(
                "precision.fp8_param_gather must go with precision.compute fp8 and recipe "
                f"tensorwise, got {self.compute} and {self.recipe}. Switch it off or change them."
            )
        if self.recipe != "tensorwise" and self.compute != "fp8":
            found.append(
                f"precision.recipe must go with precision.compute fp8, got {self.recipe} with "
                f"{self.compute}. Leave it out or use fp8."
            )
        if self.grad_reduce == "bf16" and self.compute == "fp32":
            found.append(
                "precision.grad_reduce must be fp32 with precision.compute fp32, got bf16. "
                "Leave it out or compute in bf16."
            )
        return found + self._check_problems()

    def _check_problems(self) -> list[str]:
        found = []
        if self.check is not None and _DIGITS[self.check] <= _DIGITS[self.compute]:
            found.append(
                "precision.check must be a format with more digits than precision.compute, got "
                f"{self.check} with {self.compute}. Check fp8 against bf16, or bf16 against fp32."
            )
        if self.check_steps < 2 or self.check_gap <= 0:
            found.append(
                "precision.check_steps must be at least 2 and check_gap above 0, got "
                f"{self.check_steps} and {self.check_gap}. Use 50 and 0.01."
            )
        return found


_DIGITS = {"fp8": 4, "bf16": 8, "fp32": 24}
"""Bits of the significand, with the hidden one; fp8 is e4m3."""


@dataclass(frozen=True, kw_only=True)
class MemoryConfig:
    """What is computed again or kept elsewhere to save memory of the device."""

    recompute: Literal["none", "selective", "full"] = "none"
    """Activations that the backward pass computes again: those inside `recompute_modules`, or
    whole layers."""
    recompute_modules: tuple[Literal["core_attn", "mlp"], ...] = ("mlp",)
    """selective only. Attention is fused on both backends, so core_attn saves next to nothing."""
    recompute_method: Literal["uniform", "block"] = "uniform"
    """full only. uniform keeps the input of every `recompute_num_layers` layers; block computes
    the first `recompute_num_layers` of each pipeline chunk again and keeps the others."""
    recompute_num_layers: int = 1
    """full only; see recompute_method."""
    offload_optimizer: bool = False
    """Keep main weights and moments, and update them, in the memory of the host. Refused on every
    backend until checkpoints hold the state of megatron-core's hybrid optimizer."""

    def problems(self) -> list[str]:
        """Every rule the values break, as messages."""
        found = []
        if self.recompute_num_layers < 1:
            found.append(
                f"memory.recompute_num_layers must be at least 1, got "
                f"{self.recompute_num_layers}. Use 1 or more."
            )
        if self.recompute != "full" and (
            self.recompute_num_layers > 1 or self.recompute_method == "block"
        ):
            found.append(
                "memory.recompute_method and recompute_num_layers must go with memory.recompute "
                f"full, got {self.recompute_method} and {self.recompute_num_layers} with "
                f"{self.recompute}. Leave them out or use full."
            )
        if self.recompute != "selective" and self.recompute_modules != ("mlp",):
            found.append(
                "memory.recompute_modules must go with memory.recompute selective, got "
                f"{list(self.recompute_modules)} with {self.recompute}. Leave it out, or use "
                "selective."
            )
        if self.recompute == "selective" and not self.recompute_modules:
            found.append(
                "memory.recompute_modules must name a module with memory.recompute selective, got "
                "none. Use mlp, or memory.recompute none."
            )
        return found
