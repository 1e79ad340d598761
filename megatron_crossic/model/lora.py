"""Low-rank adapters beside the frozen matrices of attention and MLP, divided as those are.

    y = W x + alpha / rank * B A dropout(x)        A [rank, in], B [out, rank], B starts at zero

Megatron fuses matrices: `linear_qkv` is query, key and value, `linear_fc1` is gate and up. Each
projection has an A of its own, as PEFT has it, so the fused adapter is three (or two) PEFT adapters
exactly; A is [projections, rank, in] and the rows of B lie in the order of the fused matrix.

| layer  | A                | B                 | tensor ranks exchange [seq, batch, rank]      |
|--------|------------------|-------------------|-----------------------------------------------|
| column | on every rank    | divided by output | SP: A x is gathered; else its gradient summed |
| row    | divided by input | on every rank     | A x is summed; SP: and scattered              |

What is exchanged has `rank` columns instead of thousands. Under sequence parallelism a matrix on
every rank sees a share of the tokens only and is marked, so that megatron-core sums its gradient.

The adapters are one module, `model.adapters`, and the layers call them by forward hooks: names and
classes of the base model stay what they are, Transformer Engine's layers included.

Dropout depends on the windows alone: a mask is drawn for the whole matrix of a window from a
generator seeded by run, window, layer and target, then cut to this rank's part. One mask serves the
projections of a fused matrix (PEFT draws one for each).
"""

import hashlib
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from megatron.core import parallel_state
from megatron.core.dist_checkpointing.mapping import ShardedStateDict
from megatron.core.models.gpt import GPTModel
from megatron.core.tensor_parallel import (
    copy_to_tensor_model_parallel_region,
    gather_from_sequence_parallel_region,
    get_cuda_rng_tracker,
    reduce_from_tensor_model_parallel_region,
    reduce_scatter_to_sequence_parallel_region,
)
from megatron.core.transformer import TransformerConfig
from megatron.core.transformer.mlp import apply_swiglu_sharded_factory
from megatron.core.transformer.utils import (
    ensure_metadata_has_dp_cp_group,
    make_sharded_tensors_for_checkpoint,
)
from torch import Tensor, nn
from torch.nn.functional import linear, rms_norm

from megatron_crossic.config import LoraConfig
from megatron_crossic.model.adapter_layout import MODULE, adapter_layout


class Adapter(nn.Module):
    """The adapter of one matrix on this rank."""

    def __init__(
        self, lora: LoraConfig, config: TransformerConfig, target: str, *, layer: int, seed: int
    ) -> None:
        super().__init__()
        self.lora, self.target, self.layer, self.seed = lora, target, layer, seed
        self.sequence_parallel = config.sequence_parallel
        self.tensor_rank = parallel_state.get_tensor_model_parallel_rank()
        size = parallel_state.get_tensor_model_parallel_world_size()
        self.layout = layout = adapter_layout(target, config, tensor_size=size)
        device, dtype = torch.cuda.current_device(), config.params_dtype
        whole = torch.empty(layout.num_projections, lora.rank, layout.num_inputs)
        generator = torch.Generator().manual_seed(mixed_seed(seed, layer, target))
        whole.uniform_(-(layout.num_inputs**-0.5), layout.num_inputs**-0.5, generator=generator)
        # A copy of its own: fused AdamW takes the strides of a view for those of its gradient.
        self.a = nn.Parameter(self._inputs_here(whole).to(device=device, dtype=dtype).contiguous())
        self.b = nn.Parameter(
            torch.zeros(layout.num_local_outputs, lora.rank, device=device, dtype=dtype)
        )
        divided, whole_here = (self.b, self.a) if layout.is_column else (self.a, self.b)
        divided.tensor_model_parallel = True  # type: ignore[attr-defined]
        whole_here.sequence_parallel = config.sequence_parallel  # type: ignore[attr-defined]

    def forward(self, inputs: Tensor) -> Tensor:
        """What is added to the layer's output; both as the layer has them on this rank."""
        if self.training and self.lora.dropout:
            inputs = inputs * self._kept(inputs) / (1 - self.lora.dropout)
        inner = linear(inputs, self.a.flatten(0, 1))  # [seq, batch, projections * rank]
        inner = self._exchange(inner) * self.lora.scale
        outputs = [
            linear(part, rows.flatten(0, 1)).unflatten(-1, rows.shape[:2])
            for part, rows in zip(
                inner.chunk(self.layout.num_projections, dim=-1), self._rows(), strict=True
            )
        ]
        return torch.cat(outputs, dim=-1).flatten(-2)

    def delta(self) -> Tensor:
        """What this rank's part of the frozen matrix would grow by  # [out, in]"""
        parts = [rows @ a for rows, a in zip(self._rows(), self.a, strict=True)]
        return torch.cat(parts, dim=1).flatten(0, 1) * self.lora.scale

    def _rows(self) -> tuple[Tensor, ...]:
        """B of every projection  # [groups, rows of a group, rank]"""
        return self.b.unflatten(0, (self.layout.num_local_groups, -1)).split(
            self.layout.group_rows, dim=1
        )

    def _exchange(self, inner: Tensor) -> Tensor:
        if self.layout.is_column:
            if self.sequence_parallel:
                return gather_from_sequence_parallel_region(inner)
            return copy_to_tensor_model_parallel_region(inner)
        if self.sequence_parallel:
            return reduce_scatter_to_sequence_parallel_region(inner)
        return reduce_from_tensor_model_parallel_region(inner)

    def _kept(self, inputs: Tensor) -> Tensor:
        """Which inputs dropout leaves  # [seq, batch, in], the part of this rank.

        Reads the seed of torch's generator, which `seed_window` sets. Activation recomputation
        restores it, so that a second pass draws the same mask.
        """
        divided = self.layout.is_column and self.sequence_parallel
        length = inputs.shape[0] * (self.layout.tensor_size if divided else 1)
        generator = torch.Generator(inputs.device)
        masks = []
        for window in range(torch.initial_seed(), torch.initial_seed() + inputs.shape[1]):
            part = parallel_state.get_context_parallel_rank()
            generator.manual_seed(mixed_seed(self.seed, window, part, self.layer, self.target))
            shape = (length, self.layout.num_inputs)
            chances = torch.rand(shape, generator=generator, device=inputs.device)
            masks.append(self._part_here(chances >= self.lora.dropout, divided=divided))
        return torch.stack(masks, dim=1)

    def _part_here(self, mask: Tensor, *, divided: bool) -> Tensor:
        if divided:
            mask = mask.chunk(self.layout.tensor_size)[self.tensor_rank]
        return self._inputs_here(mask)

    def _inputs_here(self, tensor: Tensor) -> Tensor:
        """The columns of this rank: all before a column-parallel layer."""
        if self.layout.is_column:
            return tensor
        return tensor.chunk(self.layout.tensor_size, dim=-1)[self.tensor_rank]

    def sharded_state_dict(
        self, prefix: str, sharded_offsets: tuple[Any, ...], metadata: dict[str, Any]
    ) -> ShardedStateDict:
        """Both matrices; those of gate and up are divided each for itself."""
        axes = {"b": 0} if self.layout.is_column else {"a": 2}
        described: ShardedStateDict = make_sharded_tensors_for_checkpoint(
            self.state_dict(keep_vars=True),
            prefix,
            axes,
            sharded_offsets,
            tp_group=parallel_state.get_tensor_model_parallel_group(),
            dp_cp_group=metadata["dp_cp_group"],
        )
        if self.target == "linear_fc1":
            name = f"{prefix}b"
            described[name] = apply_swiglu_sharded_factory(described[name], sharded_offsets)
        return described


class Adapters(nn.Module):
    """The adapters of this rank's pipeline stage, by local layer and target."""

    def __init__(self, lora: LoraConfig, model: GPTModel, *, seed: int) -> None:
        super().__init__()
        self.config = model.config
        self.first_layer = model.decoder.layers[0].layer_number - 1
        self.layers = nn.ModuleList(
            nn.ModuleDict(
                {
                    target: Adapter(
                        lora, model.config, target, layer=self.first_layer + i, seed=seed
                    )
                    for target in lora.targets
                }
            )
            for i in range(len(model.decoder.layers))
        )

    def sharded_state_dict(
        self,
        prefix: str = "",
        sharded_offsets: tuple[Any, ...] = (),
        metadata: dict[str, Any] | None = None,
    ) -> ShardedStateDict:
        """All adapters; those of all layers make one tensor [layers, ...], as in the base model."""
        assert not sharded_offsets, "adapters are never inside a divided module"
        metadata = ensure_metadata_has_dp_cp_group(metadata)
        described: ShardedStateDict = {}
        for i, layer in enumerate(self.layers):
            for target, adapter in _items(layer):
                offsets = ((0, self.first_layer + i, self.config.num_layers),)
                local = f"{prefix}layers.{i}.{target}."
                for name, part in adapter.sharded_state_dict(local, offsets, metadata).items():
                    part.key = part.key.replace(local, f"{prefix}{target}.")
                    described[name] = part
        return described


def add_adapters(model: GPTModel, lora: LoraConfig, *, seed: int) -> None:
    """Freeze the model and add the adapters. Call it before gradient buffers are made."""
    model.requires_grad_(False)
    adapters = Adapters(lora, model, seed=seed)
    model.add_module(MODULE, adapters)
    for layer, of_layer in zip(model.decoder.layers, adapters.layers, strict=True):
        for target, adapter in _items(of_layer):
            matrix(layer, target).register_forward_hook(partial(_add_to_output, adapter))
    if model.config.recompute_granularity is not None and model.pre_process:
        # A recomputed layer gets no gradient where none of its inputs wants one.
        model.embedding.register_forward_hook(_want_gradient)


def matrix(layer: nn.Module, target: str) -> nn.Module:
    """The linear layer called `target` in a transformer layer."""
    parent = "self_attention" if target in ("linear_qkv", "linear_proj") else "mlp"
    return layer.get_submodule(f"{parent}.{target}")


def _items(of_layer: nn.Module) -> Iterator[tuple[str, Adapter]]:
    """The adapters of a layer by target."""
    for target, adapter in of_layer.named_children():
        assert isinstance(adapter, Adapter), f"{target} is no adapter"
        yield target, adapter


def merge_adapters(model: GPTModel) -> None:
    """Add the adapters to the frozen weights and remove them."""
    adapters = model.get_submodule(MODULE)
    assert isinstance(adapters, Adapters), "the model has adapters"
    with torch.no_grad():
        for layer, of_layer in zip(model.decoder.layers, adapters.layers, strict=True):
            for target, adapter in _items(of_layer):
                linear_layer = matrix(layer, target)
                linear_layer.weight.add_(adapter.delta())  # type: ignore[operator]
                linear_layer._forward_hooks.clear()
    delattr(model, MODULE)


def _add_to_output(
    adapter: Adapter,
    layer: nn.Module,
    inputs: tuple[Tensor, ...],
    output: tuple[Tensor, Tensor | None],
) -> tuple[Tensor, Tensor | None]:
    """Forward hook of a linear layer.

    Transformer Engine fuses the norm before a matrix into it; the adapter reads the normed input
    too, so the norm is computed again, on this rank's tokens.
    """
    (hidden,) = inputs
    norm = getattr(layer, "layer_norm_weight", None)
    if norm is not None:
        hidden = rms_norm(hidden, norm.shape, norm, layer.eps)  # type: ignore[arg-type]
    return output[0] + adapter(hidden), output[1]


def _want_gradient(_: nn.Module, __: object, output: Tensor) -> Tensor:
    """Forward hook of the embedding."""
    return output.requires_grad_()


def seed_window(number: int) -> None:
    """Say which window of the run the next microbatch begins with; its others follow it."""
    torch.manual_seed(number)
    if torch.cuda.current_device() == torch.device("cpu"):
        # Under sequence parallelism layers run with the states of megatron-core's tracker, which
        # are those of the GPU's generator; on the CPU backend there is but one.
        tracker = get_cuda_rng_tracker()
        tracker.set_states(dict.fromkeys(tracker.get_states(), torch.get_rng_state()))


def mixed_seed(*values: int | str) -> int:
    """A seed for a generator of its own, without visible relation to those of other values."""
    digest = hashlib.blake2b(repr(values).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1
