"""The gradient norm, whole and by groups of weights, the same at every layout.

    grad_norm ** 2 == sum of the squares of grad_norm_by_group

Each rank takes one norm a tensor, adds the squares by group, and one all-reduce of some dozen
numbers adds the ranks: the work of the norm alone. Which gradients count is megatron-core's choice
(`get_main_grads_for_grad_norm`): a weight that several ranks hold counts once, a shard of the
distributed optimizer counts where it lies, and a tied output layer counts as the embedding.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from megatron.core.distributed import DistributedDataParallel
from megatron.core.optimizer import ChainedOptimizer, MegatronOptimizer
from megatron.core.optimizer.distrib_optimizer import DistributedOptimizer
from megatron.core.optimizer.optimizer import Float16OptimizerWithFloat16Params
from torch import Tensor

_PATTERNS = {
    "adapter_linear_qkv": r"\badapters\..*\blinear_qkv\.",
    "adapter_linear_proj": r"\badapters\..*\blinear_proj\.",
    "adapter_linear_fc1": r"\badapters\..*\blinear_fc1\.",
    "adapter_linear_fc2": r"\badapters\..*\blinear_fc2\.",
    # Transformer Engine keeps the norm before a matrix inside it: linear_qkv.layer_norm_weight.
    "norm": r"layer_?norm",
    "embedding": r"\bembedding\.",
    "attention": r"\bself_attention\.",
    "mlp": r"\bmlp\.",
    "output": r"\boutput_layer\.",
}
"""The first that is found in the name of a weight says its group."""
GROUPS = tuple(_PATTERNS)


def group_of(name: str) -> str:
    """The group of the weight called `name` in a `GPTModel`."""
    for group, pattern in _PATTERNS.items():
        if re.search(pattern, name):
            return group
    raise AssertionError(f"{name} is in no group of weights")


@dataclass(frozen=True, kw_only=True, slots=True)
class GradientNorm:
    """Norms over all ranks, before clipping."""

    total: float
    by_group: dict[str, float]
    """Groups this model has no trained weight of are left out."""


class GradientNorms:
    """Measures the gradients of one optimizer."""

    def __init__(
        self, chunks: Sequence[DistributedDataParallel], optimizer: MegatronOptimizer
    ) -> None:
        assert isinstance(optimizer, ChainedOptimizer), "megatron-core chains every optimizer"
        self._optimizer = optimizer
        names = {weight: name for chunk in chunks for name, weight in chunk.named_parameters()}
        self._groups = {
            updated: GROUPS.index(group_of(names[weight]))
            for inner in optimizer.chained_optimizers
            for weight, updated in _weights(inner)
        }

    def measure(self) -> GradientNorm:
        """Hand the gradients to the optimizer and measure them; all ranks call this together."""
        self._optimizer.prepare_grads()
        sums = self._sums()
        dist.all_reduce(sums, group=self._optimizer.get_grad_stats_parallel_group())
        squares, counts = sums.tolist()
        return GradientNorm(
            total=sum(squares) ** 0.5,
            by_group={
                name: square**0.5
                for name, square, count in zip(GROUPS, squares, counts, strict=True)
                if count
            },
        )

    @torch.no_grad()
    def _sums(self) -> Tensor:
        """Squares and numbers of this rank's gradients, by group  # [2, groups]"""
        device = torch.cuda.current_device()
        found = list(self._gradients())
        if not found:
            return torch.zeros((2, len(GROUPS)), dtype=torch.float64, device=device)
        groups = torch.tensor([group for group, _ in found], device=device)
        norms = torch.stack(torch._foreach_norm([gradient for _, gradient in found])).double()
        # No index_add: on a GPU its order of addition varies, and data ranks must agree to the bit.
        members = torch.nn.functional.one_hot(groups, len(GROUPS)).double()
        return torch.stack([norms**2 @ members, members.sum(dim=0)])

    def _gradients(self) -> Iterator[tuple[int, Tensor]]:
        """The group and the gradient of every weight that counts on this rank."""
        for inner in self._optimizer.chained_optimizers:
            counted = {id(gradient) for gradient in inner.get_main_grads_for_grad_norm()}
            for weight in inner.get_parameters():
                if id(weight.grad) in counted:
                    assert weight.grad is not None, "a gradient that counts is there"
                    yield self._groups[weight], weight.grad


def _weights(optimizer: MegatronOptimizer) -> Iterator[tuple[Tensor, Tensor]]:
    """Each weight of the model and what the optimizer updates for it: itself, a copy or a shard."""
    if optimizer.is_stub_optimizer:  # this rank trains nothing
        return
    pairs: Sequence[tuple[Sequence[Sequence[Tensor]], Sequence[Sequence[Tensor]]]]
    if isinstance(optimizer, DistributedOptimizer):
        pairs = (
            (optimizer.model_fp32_groups, optimizer.shard_fp32_groups),
            (optimizer.model_float16_groups, optimizer.shard_fp32_from_float16_groups),
        )
    elif isinstance(optimizer, Float16OptimizerWithFloat16Params):
        pairs = (
            (optimizer.fp32_from_fp32_groups, optimizer.fp32_from_fp32_groups),
            (optimizer.float16_groups, optimizer.fp32_from_float16_groups),
        )
    else:
        pairs = (([optimizer.get_parameters()], [optimizer.get_parameters()]),)
    for of_model, of_optimizer in pairs:
        for weights, updated in zip(of_model, of_optimizer, strict=True):
            yield from zip(weights, updated, strict=True)
