"""Writes the shards of a rank from the rank's own process, at once or in a thread beside training.

    plan    all ranks together    what lies in which file; rank 0 keeps the index
    copy    each rank alone       to host memory, after which training may change the tensors
    write   each rank alone       its file; calls no collective, so any thread may do it
    finish  all ranks together    the index, once every rank has written

megatron-core's own writer does the third part in helper processes and starts a server process for
their answers. A thread needs none of them: PyTorch writes and sums up tensors without Python's lock
(while 400 MB were written another thread never waited more than 13 ms for it), a thread shares the
copies where a process takes a fork beside CUDA or shared memory, and none outlives a killed rank to
write into the folder of the next one. The files are the same torch_dist format.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from megatron.core.dist_checkpointing.mapping import ShardedStateDict
from megatron.core.dist_checkpointing.strategies.base import SaveShardedStrategy
from megatron.core.dist_checkpointing.strategies.torch import (
    MCoreSavePlanner,
    _replace_state_dict_keys_with_sharded_keys,
    mcore_to_pyt_state_dict,
)
from torch import Tensor
from torch.distributed.checkpoint import DefaultSavePlanner, FileSystemWriter
from torch.distributed.checkpoint.metadata import Metadata, MetadataIndex
from torch.distributed.checkpoint.planner import SavePlan, SavePlanner, WriteItem
from torch.distributed.checkpoint.storage import WriteResult
from torch.distributed.checkpoint.utils import _DistWrapper

from megatron_crossic.checkpoint.pieces import Piece

Written = list[WriteResult]
"""Where each of a rank's tensors and objects lies in its file."""


class ShardPlanner(SaveShardedStrategy):
    """A strategy for `megatron.core.dist_checkpointing.save` that leaves the writing to others."""

    def __init__(self, pieces: Sequence[Piece] = ()) -> None:
        super().__init__("torch_dist", 1)
        self._pieces = pieces

    @property
    def can_handle_sharded_objects(self) -> bool:
        """Objects go into the same files."""
        return True

    def save(self, sharded_state_dict: ShardedStateDict, checkpoint_dir: str | Path) -> None:
        """Plan the main replica of everything this rank holds, as `shards`."""
        self.shards = PlannedShards(sharded_state_dict, Path(checkpoint_dir), self._pieces)


class PlannedShards:
    """One rank's file of a checkpoint, on its way to the disk; made by all ranks together."""

    def __init__(
        self, sharded_state_dict: ShardedStateDict, folder: Path, pieces: Sequence[Piece]
    ) -> None:
        by_key, _, _ = _replace_state_dict_keys_with_sharded_keys(
            sharded_state_dict, keep_only_main_replica=True
        )
        self._ranks = _DistWrapper(None, use_dist=True, coordinator_rank=0)
        self._file = FileSystemWriter(folder, thread_count=1)
        self._file.set_up_storage_writer(self._ranks.is_coordinator)
        self._source: SavePlanner = _WithPieces(pieces)
        self._source.set_up_planner(
            mcore_to_pyt_state_dict(by_key), is_coordinator=self._ranks.is_coordinator
        )
        self._index: Metadata | None = None
        shared_plan = self._ranks.reduce_scatter("plan", self._plan_own, self._plan_all)
        self._plan = self._source.finish_plan(shared_plan)

    def _plan_own(self) -> SavePlan:
        return self._file.prepare_local_plan(self._source.create_local_plan())

    def _plan_all(self, plans: list[SavePlan]) -> list[SavePlan]:
        plans, self._index = self._source.create_global_plan(plans)
        return self._file.prepare_global_plan(plans)

    def copy(self) -> None:
        """Copy what is to be written to host memory: from here on training may change it."""
        originals = {item.index: self._source.resolve_data(item) for item in self._plan.items}
        copies = {index: _to_host(data) for index, data in originals.items()}
        devices = {data.device for data in originals.values() if isinstance(data, Tensor)}
        for device in devices - {torch.device("cpu")}:
            torch.cuda.synchronize(device)
        self._source = _HostCopies(copies)
        # A thread would look ahead on the default stream of the first GPU, which may be another's.
        self._file.per_thread_copy_ahead = 0

    def write(self) -> Written:
        """Write this rank's file and have it on disk; no other rank takes part."""
        written: Written = self._file.write_data(self._plan, self._source).value()
        return written

    def finish(
        self, written: Callable[[], Written], seal: Callable[[], None] = lambda: None
    ) -> None:
        """Gather what `written` returns on each rank; rank 0 writes the index and calls `seal`.

        A failure of either on any rank is raised on all of them.
        """
        self._ranks.all_reduce("write", written, partial(self.write_index, seal=seal))

    def write_index(self, written: list[Written], *, seal: Callable[[], None]) -> None:
        """What rank 0 does when every rank has written."""
        assert self._index is not None, "only the rank that planned for all has the index"
        self._file.finish(self._index, written)
        seal()


class _WithPieces(MCoreSavePlanner):
    """Plans for what megatron-core describes, and for pieces of any size beside it."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        super().__init__(flatten_state_dict=False)
        self._pieces = {piece.index: piece for piece in pieces}

    def create_local_plan(self) -> SavePlan:
        plan = super().create_local_plan()
        items = [*plan.items, *(piece.write_item() for piece in self._pieces.values())]
        self.plan = replace(plan, items=items)
        return self.plan

    def resolve_data(self, write_item: WriteItem) -> Tensor | io.BytesIO:
        piece = self._pieces.get(write_item.index)
        if piece is not None:
            return piece.tensor
        found: Tensor | io.BytesIO = super().resolve_data(write_item)
        return found


class _HostCopies(DefaultSavePlanner):
    """Hands out each copy once, so that its memory is free as soon as it is written."""

    def __init__(self, copies: dict[MetadataIndex, Tensor | io.BytesIO]) -> None:
        super().__init__()
        self._copies = copies

    def resolve_data(self, write_item: WriteItem) -> Tensor | io.BytesIO:
        return self._copies.pop(write_item.index)


def _to_host(data: Tensor | io.BytesIO) -> Tensor | io.BytesIO:
    """A copy in host memory; from a GPU it is under way, into pinned memory that PyTorch reuses."""
    if isinstance(data, io.BytesIO):
        return data  # made for this checkpoint alone
    if data.device.type == "cpu":
        return data.detach().clone()
    return data.detach().to("cpu", non_blocking=True)
