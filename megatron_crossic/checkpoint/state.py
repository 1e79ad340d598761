"""The state of a training run as megatron-core shards it, at any layout; loads it.

`saving` writes it.
"""

import os
import pickle
import random
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
import torch.distributed as dist
from megatron.core import dist_checkpointing, parallel_state
from megatron.core.dist_checkpointing import ShardedObject
from megatron.core.dist_checkpointing.core import CheckpointingException
from megatron.core.dist_checkpointing.dict_utils import nested_values
from megatron.core.dist_checkpointing.mapping import ShardedStateDict, ShardedTensor
from megatron.core.dist_checkpointing.utils import force_all_tensors_to_non_fp8
from megatron.core.distributed import DistributedDataParallel
from megatron.core.models.gpt import GPTModel
from megatron.core.optimizer import MegatronOptimizer
from megatron.core.tensor_parallel import get_cuda_rng_tracker
from torch.distributed.checkpoint import CheckpointException

from megatron_crossic.checkpoint.moments import moment_pieces, restore_moments, sharded_moments
from megatron_crossic.checkpoint.pieces import Piece, read_pieces
from megatron_crossic.checkpoint.sound import check_content
from megatron_crossic.errors import (
    CheckpointError,
    DamagedCheckpointError,
    DataError,
    SaveError,
)
from megatron_crossic.model.adapter_layout import MODULE as ADAPTERS

WEIGHTS_PREFIX = "model."
FAILURES = (
    OSError,
    RuntimeError,
    KeyError,
    ValueError,
    pickle.UnpicklingError,
    DataError,
    CheckpointException,
    CheckpointingException,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingState:
    """What a checkpoint saves and restores, beside its `CheckpointInfo`."""

    chunks: Sequence[DistributedDataParallel]
    """This rank's chunks of layers: its whole stage, unless stages interleave."""
    optimizer: MegatronOptimizer

    @property
    def models(self) -> list[GPTModel]:
        """The chunks without their gradient buffers."""
        return [chunk.module for chunk in self.chunks]


def sharded_state(state: TrainingState) -> ShardedStateDict:
    """This rank's part of what a checkpoint saves; every rank calls this together."""
    weights = _trained_weights(state.models)
    moments = sharded_moments(state.optimizer, weights, loading=False)
    everything = {**weights, "optimizer": moments, "rng": _sharded_rng()}
    force_all_tensors_to_non_fp8(everything)  # after the moments, which look for the tensors
    return everything


def state_pieces(state: TrainingState, *, saving: bool) -> list[Piece]:
    """What `sharded_state` leaves out: this rank's part of the distributed optimizer."""
    return moment_pieces(state.optimizer, _trained_weights(state.models), saving=saving)


def load_weights(folder: Path, *chunks: GPTModel) -> list[dict[str, Any]]:
    """Fill this rank's chunks from any checkpoint of the architecture; only weights are read.

    Returns what was read, by chunk: weights kept in FP8 have lost digits that it still has.

    Adapters stay as they are: a checkpoint of a whole model has none.
    """
    return _load_into(chunks, folder, adapters=False)


def load_adapters(folder: Path, *chunks: GPTModel) -> None:
    """Fill the adapters of this rank's chunks from the checkpoint of a LoRA run."""
    _load_into(chunks, folder, adapters=True)


def _load_into(chunks: Sequence[GPTModel], folder: Path, *, adapters: bool) -> list[dict[str, Any]]:
    """Fill either the adapters or all the other weights.

    Extra states are not read: a checkpoint trained on the CPU lacks some that Transformer Engine
    asks for, the FP8 recipe used here keeps nothing in them, and Transformer Engine unpickles them.
    """
    request = _sharded_weights(chunks, adapters=adapters)
    tensors = {k: part for k, part in request.items() if not isinstance(part, ShardedObject)}
    loaded = dict.fromkeys(request) | _load(tensors, folder, kinds=(WEIGHTS_PREFIX,))
    weights = []
    for number, chunk in enumerate(chunks):
        prefix = _chunk_prefix(number) + WEIGHTS_PREFIX
        names = [name for name in request if name.startswith(prefix)]
        weights.append({name.removeprefix(prefix): loaded[name] for name in names})
        rest = {k: v for k, v in chunk.state_dict().items() if _is_adapter(k) != adapters}
        chunk.load_state_dict({**rest, **weights[-1]})
    return weights


def _chunk_prefix(number: int) -> str:
    """Keeps chunks apart in a request: each counts its layers from 0, the checkpoint does not."""
    return f"{number}:"


def _load(request: ShardedStateDict, folder: Path, *, kinds: tuple[str, ...]) -> dict[str, Any]:
    """Read what `request` describes, after every rank has checked a share of the bytes.

    All ranks learn of damage, so that none waits for another.
    """
    problems: list[str | None] = [None] * dist.get_world_size()
    dist.all_gather_object(problems, _damage(folder, kinds))
    if damaged := next(filter(None, problems), None):
        raise DamagedCheckpointError(damaged)
    with _reading(folder):
        loaded: dict[str, Any] = dist_checkpointing.load(request, str(folder))
    return loaded


@contextmanager
def _reading(folder: Path) -> Iterator[None]:
    """PyTorch would read the objects among the tensors with an unrestricted pickle: forbid that."""
    with (
        failing_to("load", folder),
        patch.dict(os.environ, TORCH_FORCE_WEIGHTS_ONLY_LOAD="1"),
    ):
        yield


def _damage(folder: Path, kinds: tuple[str, ...]) -> str | None:
    """What is wrong with this rank's share of the bytes."""
    rank, world_size = dist.get_rank(), dist.get_world_size()
    try:
        check_content(folder, kinds=kinds, rank=rank, world_size=world_size)
    except CheckpointError as error:
        return str(error)
    return None


def load_state(folder: Path, state: TrainingState, *, step: int, with_rng: bool) -> None:
    """Restore model and optimizer as after `step` updates; random states fit one layout only.

    `DamagedCheckpointError`, on all ranks, where the bytes are not those written.
    """
    models = state.models
    (load_adapters if has_adapters(models[0]) else load_weights)(folder, *models)
    weights = _trained_weights(models)
    request = {"optimizer": sharded_moments(state.optimizer, weights, loading=True)}
    if with_rng:
        request["rng"] = _sharded_rng()
    loaded = _load(request, folder, kinds=tuple(request))
    with _reading(folder):
        read_pieces(state_pieces(state, saving=False), folder)
    restore_moments(state.optimizer, loaded.get("optimizer", {}), step=step)
    if with_rng:
        _restore_rng(loaded["rng"])


def has_adapters(model: GPTModel) -> bool:
    """Whether a LoRA run trains the model."""
    return hasattr(model, ADAPTERS)


def _is_adapter(name: str) -> bool:
    return name.startswith(f"{ADAPTERS}.")


def _trained_weights(chunks: Sequence[GPTModel]) -> ShardedStateDict:
    """What a checkpoint of the model holds: the adapters where there are some, else all weights."""
    return _sharded_weights(chunks, adapters=has_adapters(chunks[0]))


def _sharded_weights(chunks: Sequence[GPTModel], *, adapters: bool) -> ShardedStateDict:
    """This rank's part of every weight, or of every adapter, by its name in checkpoints.

    megatron-core lets the vocabulary differ in size and fills up with zeros. Here its padding does
    not depend on the layout, so another size is another model.
    """
    weights = {
        _chunk_prefix(number) + name: part
        for number, chunk in enumerate(chunks)
        for name, part in chunk.sharded_state_dict(prefix=WEIGHTS_PREFIX).items()
        if _is_adapter(name.removeprefix(WEIGHTS_PREFIX)) == adapters
    }
    for part in nested_values(weights):
        if isinstance(part, ShardedTensor):
            part.allow_shape_mismatch = False
    return weights


def _sharded_rng() -> ShardedObject:
    """Random state of this rank; data ranks share one, the others each have their own."""
    tensor, pipeline = (
        parallel_state.get_tensor_model_parallel_world_size(),
        parallel_state.get_pipeline_model_parallel_world_size(),
    )
    return ShardedObject(
        "rng",
        _rng_state(),
        (pipeline, tensor),
        (
            parallel_state.get_pipeline_model_parallel_rank(),
            parallel_state.get_tensor_model_parallel_rank(),
        ),
        replica_id=parallel_state.get_data_parallel_rank(with_context_parallel=True),
    )


def _rng_state() -> dict[str, Any]:
    return {
        "python": random.getstate(),
        "numpy": np.random.get_state(),
        "torch": torch.get_rng_state(),
        "device": torch.cuda.get_rng_state(),
        "tracker": get_cuda_rng_tracker().get_states(),
    }


def _restore_rng(state: dict[str, Any]) -> None:
    random.setstate(state["python"])
    np.random.set_state(state["numpy"])
    torch.set_rng_state(state["torch"])
    torch.cuda.set_rng_state(state["device"])
    get_cuda_rng_tracker().set_states(state["tracker"])


@contextmanager
def failing_to(verb: str, folder: Path) -> Iterator[None]:
    """Turn what megatron-core and PyTorch raise for bad disks and bad files into one line."""
    try:
        yield
    except FAILURES as error:
        if verb == "save":
            shutil.rmtree(folder, ignore_errors=True)
        if _is_lost_rank(error):
            raise
        told = f"checkpoint must be possible to {verb}, got {_cause(error)} at {folder}."
        if verb == "save":
            raise SaveError(
                f"{told} The previous checkpoint is intact: free some space and start the same "
                "command again."
            ) from error
        raise CheckpointError(
            f"{told} Choose a checkpoint of the same model that is complete."
        ) from error


def _is_lost_rank(error: BaseException) -> bool:
    """Whether another rank went away while this one waited for it: nothing about files."""
    told = ("gloo", "NCCL", "onnection closed", "onnection reset")
    return isinstance(error, dist.DistError) or (
        type(error) is RuntimeError and any(word in str(error) for word in told)
    )


def _cause(error: BaseException) -> str:
    if isinstance(error, CheckpointException):
        error = next(iter(error.failures.values()))[0]
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason'}"
