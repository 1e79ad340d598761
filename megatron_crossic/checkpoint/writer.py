"""Writes the shards of a rank from the rank's own process.

megatron-core's own writer hands the tensors to helper processes, made for saving in the background,
and starts a server process for their answers. A save that the run waits for needs none of them:
without them the first save is several seconds faster and nothing outlives a killed rank.
The files are the same torch_dist format.
"""

from pathlib import Path

import torch.distributed.checkpoint as torch_checkpoint
from megatron.core.dist_checkpointing.mapping import ShardedStateDict
from megatron.core.dist_checkpointing.strategies.base import SaveShardedStrategy
from megatron.core.dist_checkpointing.strategies.torch import (
    MCoreSavePlanner,
    _replace_state_dict_keys_with_sharded_keys,
    mcore_to_pyt_state_dict,
)


class RankWriter(SaveShardedStrategy):
    """A strategy for `megatron.core.dist_checkpointing.save`: one file a rank."""

    def __init__(self) -> None:
        super().__init__("torch_dist", 1)

    @property
    def can_handle_sharded_objects(self) -> bool:
        """Objects go into the same files."""
        return True

    def save(self, sharded_state_dict: ShardedStateDict, checkpoint_dir: str | Path) -> None:
        """Write the main replica of everything this rank holds."""
        by_key, _, _ = _replace_state_dict_keys_with_sharded_keys(
            sharded_state_dict, keep_only_main_replica=True
        )
        torch_checkpoint.save(
            mcore_to_pyt_state_dict(by_key),
            storage_writer=torch_checkpoint.FileSystemWriter(checkpoint_dir, thread_count=1),
            planner=MCoreSavePlanner(flatten_state_dict=False),
        )
