"""The distributed optimizer's state, each rank's own part written and read where it lies.

A data rank holds a stretch of every flattened weight, from a row's middle to another row's middle.
Such a stretch is a few boxes of the weight: with rows of 4, elements 2 to 13 are

    . . a a      the end of row 0
    b b b b      whole rows
    b b b b
    c . . .      the beginning of row 3

A checkpoint takes boxes of any size, so each rank writes its own and nothing is gathered:
megatron-core collects all data ranks' state on every rank instead, 96 GB of host memory each for
eight billion weights. A run that resumes reads the boxes that cross its own, at any layout.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import torch
import torch.distributed.checkpoint as torch_checkpoint
from megatron.core.dist_checkpointing.dict_utils import nested_values
from megatron.core.dist_checkpointing.mapping import (
    ShardedStateDict,
    ShardedTensor,
    ShardedTensorFactory,
)
from megatron.core.dist_checkpointing.utils import extract_sharded_tensors_and_factories
from megatron.core.optimizer import MegatronOptimizer
from megatron.core.optimizer.distrib_optimizer import DistributedOptimizer
from torch import Tensor
from torch.distributed.checkpoint import DefaultLoadPlanner
from torch.distributed.checkpoint.metadata import (
    ChunkStorageMetadata,
    MetadataIndex,
    TensorProperties,
    TensorStorageMetadata,
)
from torch.distributed.checkpoint.planner import (
    LoadPlan,
    ReadItem,
    TensorWriteData,
    WriteItem,
    WriteItemType,
)
from torch.distributed.checkpoint.planner_helpers import create_read_items_for_chunk_list

from megatron_crossic.errors import CheckpointError

Box = tuple[tuple[int, ...], tuple[int, ...]]
"""Offsets and sizes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """A box of a tensor of the checkpoint."""

    key: str
    """The tensor's name in the checkpoint."""
    global_shape: tuple[int, ...]
    offset: tuple[int, ...]
    tensor: Tensor
    """The box itself, a view of the optimizer's state."""

    @property
    def index(self) -> MetadataIndex:
        """What PyTorch calls it in plans."""
        return MetadataIndex(self.key, torch.Size(self.offset))

    @property
    def chunk(self) -> ChunkStorageMetadata:
        """Its place in the whole tensor."""
        return ChunkStorageMetadata(torch.Size(self.offset), self.tensor.size())

    def write_item(self) -> WriteItem:
        """What a plan for saving says of it."""
        return WriteItem(
            index=self.index,
            type=WriteItemType.SHARD,
            tensor_data=TensorWriteData(
                chunk=self.chunk,
                properties=TensorProperties.create_from_tensor(self.tensor),
                size=torch.Size(self.global_shape),
            ),
        )


def boxes(shape: Sequence[int], start: int, stop: int) -> Iterator[Box]:
    """The elements `start` to `stop` of a flattened array of `shape`, in order."""
    if start >= stop:
        return
    row = prod(shape[1:])
    first, head = divmod(start, row)
    last, tail = divmod(stop, row)
    if first == last:
        yield from _in_row(shape, first, head, tail)
        return
    if head:
        yield from _in_row(shape, first, head, row)
        first += 1
    if last > first:
        yield (first, *[0] * (len(shape) - 1)), (last - first, *shape[1:])
    if tail:
        yield from _in_row(shape, last, 0, tail)


def _in_row(shape: Sequence[int], number: int, start: int, stop: int) -> Iterator[Box]:
    for offset, sizes in boxes(shape[1:], start, stop):
        yield (number, *offset), (1, *sizes)


def optimizer_pieces(
    optimizer: DistributedOptimizer, weights: ShardedStateDict, *, saving: bool
) -> list[Piece]:
    """This rank's part of moments and main weights; `weights` describes the model.

    Where tensor or pipeline ranks hold the same weight, one of them saves it and all load it. The
    main weights of an fp32 run are the model's own and left out.
    """
    make_state(optimizer)
    names = {"exp_avg": "exp_avg", "exp_avg_sq": "exp_avg_sq"}
    if optimizer.config.bf16:
        names["param"] = "fp32_param"
    tensors, _ = extract_sharded_tensors_and_factories(weights)
    described = {id(part.data): part for part in nested_values(tensors)}
    found: list[Piece] = []
    for weight, start, stop in _owned(optimizer):
        part = described[id(weight)]
        if saving and any(part.replica_id[:-1]):
            continue
        state = optimizer._get_main_param_and_optimizer_states(weight)
        for name, saved_name in names.items():
            prefix = f"optimizer.state.{saved_name}."
            found += _pieces(part, state[name].detach().flatten(), start, stop, prefix)
    return found


def make_state(optimizer: MegatronOptimizer) -> None:
    """Moments of zero where there are none, as before the first update."""
    if optimizer.is_stub_optimizer:  # this rank trains nothing
        return
    optimizer.init_state_fn(optimizer.optimizer, optimizer.config)
    if isinstance(optimizer.optimizer, torch.optim.AdamW):
        for weight, state in optimizer.optimizer.state.items():
            state.setdefault("step", torch.zeros((), device=weight.device))


def _owned(optimizer: DistributedOptimizer) -> Iterator[tuple[Tensor, int, int]]:
    """Every weight of which this rank updates a stretch, and the stretch."""
    for buffer in optimizer.gbuf_ranges:
        for buckets in buffer.values():
            for bucket in buckets:
                for weight, ranges in bucket["param_map"].items():
                    yield weight, ranges["param"].start, ranges["param"].end


def _pieces(
    part: ShardedTensor | ShardedTensorFactory, state: Tensor, start: int, stop: int, prefix: str
) -> Iterator[Piece]:
    """The boxes of `state`, the elements `start` to `stop` of what `part` describes."""
    for begin, shard in _shards(part):
        size = prod(shard.local_shape)
        low, high = max(start, begin), min(stop, begin + size)
        position = low - start
        layers = (1,) * shard.prepend_axis_num  # before the weight's own axes: its place in a stack
        for offset, sizes in boxes(shard.local_shape, low - begin, high - begin):
            inner = (*[0] * len(layers), *offset)
            numel = prod(sizes)
            yield Piece(
                key=prefix + shard.key,
                global_shape=tuple(shard.global_shape),
                offset=tuple(a + b for a, b in zip(shard.global_offset, inner, strict=True)),
                tensor=state[position : position + numel].view(*layers, *sizes),
            )
            position += numel


def _shards(part: ShardedTensor | ShardedTensorFactory) -> Iterator[tuple[int, ShardedTensor]]:
    """The tensors of the checkpoint that a weight is part of, and where in the weight they begin.

    It is one, but for gate and up: fused in the weight, they are apart in the checkpoint.
    """
    if isinstance(part, ShardedTensor):
        yield 0, part
        return
    like = torch.empty(part.data.shape, device="meta")
    for shard in nested_values(part.build_fn(part.key, like, part.replica_id, None)):
        yield shard.data.storage_offset(), shard


def read_pieces(pieces: Sequence[Piece], folder: Path) -> None:
    """Fill the pieces from a checkpoint, in place; no other rank takes part.

    The index must have been checked before; PyTorch unpickles it.
    """
    planner = _PieceLoader(pieces)
    reader = torch_checkpoint.FileSystemReader(folder)
    torch_checkpoint.load({}, storage_reader=reader, planner=planner, no_dist=True)


class _PieceLoader(DefaultLoadPlanner):
    """Asks for the stored boxes that cross the pieces."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        super().__init__()
        self._pieces = {piece.index: piece for piece in pieces}

    def create_local_plan(self) -> LoadPlan:
        by_key: dict[str, list[Piece]] = defaultdict(list)
        for piece in self._pieces.values():
            by_key[piece.key].append(piece)
        return LoadPlan([item for pieces in by_key.values() for item in self._items(pieces)])

    def _items(self, pieces: Sequence[Piece]) -> list[ReadItem]:
        """The reads for pieces of one tensor."""
        key, shape = pieces[0].key, pieces[0].global_shape
        assert self.metadata is not None, "the reader hands over the index first"
        stored = self.metadata.state_dict_metadata.get(key)
        if not isinstance(stored, TensorStorageMetadata) or tuple(stored.size) != shape:
            found = tuple(stored.size) if isinstance(stored, TensorStorageMetadata) else "none"
            raise CheckpointError(
                f"{key} must be a tensor of shape {shape}, got {found}. The checkpoint is of "
                "another model: choose one of this."
            )
        items = create_read_items_for_chunk_list(key, stored, [piece.chunk for piece in pieces])
        if sum(prod(item.lengths) for item in items) != sum(p.tensor.numel() for p in pieces):
            raise CheckpointError(
                f"{key} must be whole, got parts that leave gaps. Choose another checkpoint."
            )
        return items

    def resolve_tensor(self, read_item: ReadItem) -> Tensor:
        """Where in a piece a stored box goes."""
        tensor = self._pieces[read_item.dest_index].tensor
        for axis, (first, length) in enumerate(
            zip(read_item.dest_offsets, read_item.lengths, strict=True)
        ):
            tensor = tensor.narrow(axis, first, length)
        return tensor
