"""Saves and loads the state of a training run through megatron-core, at any layout.

Every rank writes its own shards into a partial folder; when all have written, rank 0 adds what
describes them, gives the folder its name and moves `latest`. A run killed anywhere in between
leaves the previous checkpoint untouched.
"""

import os
import pickle
import random
import shutil
from collections.abc import Iterator
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
from megatron.core.distributed import DistributedDataParallel
from megatron.core.models.gpt import GPTModel
from megatron.core.optimizer import MegatronOptimizer
from megatron.core.tensor_parallel import get_cuda_rng_tracker
from torch.distributed.checkpoint import CheckpointException

from megatron_crossic.checkpoint.folder import (
    HF_FOLDER,
    CheckpointInfo,
    complete,
    partial_folder,
    remove_old,
    start,
    write_info,
)
from megatron_crossic.checkpoint.moments import restore_moments, sharded_moments
from megatron_crossic.checkpoint.sound import check_content
from megatron_crossic.checkpoint.writer import RankWriter
from megatron_crossic.errors import CheckpointError, DamagedCheckpointError, DataError

WEIGHTS_PREFIX = "model."
CONFIG_FILE = "config.yaml"
_FAILURES = (
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

    model: DistributedDataParallel
    optimizer: MegatronOptimizer


def save_checkpoint(
    root: Path,
    state: TrainingState,
    info: CheckpointInfo,
    *,
    config_yaml: str,
    hf_source: Path,
    keep_last: int,
    keep_every: int | None = None,
) -> Path:
    """Save a complete checkpoint and make it the latest; every rank calls this together.

    `hf_source` is the checkpoint whose `hf/` folder is handed on.
    """
    folder = partial_folder(root, info.step)
    is_main = dist.get_rank() == 0
    with _failing_to("save", folder):
        if is_main:
            start(root, info.step)
        dist.barrier()
        weights = _sharded_weights(state.model.module)
        moments = sharded_moments(state.optimizer, weights, loading=False)
        everything = {**weights, "optimizer": moments, "rng": _sharded_rng()}
        dist_checkpointing.save(everything, str(folder), sharded_strategy=RankWriter())
        if is_main:
            if (hf_source / HF_FOLDER).is_dir():
                shutil.copytree(hf_source / HF_FOLDER, folder / HF_FOLDER)
            (folder / CONFIG_FILE).write_text(config_yaml, encoding="utf-8")
            write_info(folder, info)
            newest = complete(root, info.step)
            remove_old(newest, keep_last=keep_last, keep_every=keep_every)
        dist.barrier()
    return root / folder.stem


def load_weights(folder: Path, model: GPTModel) -> None:
    """Fill the model from any checkpoint of its architecture; nothing else of it is read.

    Extra states are not: a checkpoint trained on the CPU lacks some that Transformer Engine asks
    for, the FP8 recipe used here keeps nothing in them, and Transformer Engine unpickles them.
    """
    request = _sharded_weights(model)
    tensors = {k: part for k, part in request.items() if not isinstance(part, ShardedObject)}
    loaded = dict.fromkeys(request) | _load(tensors, folder, kinds=(WEIGHTS_PREFIX,))
    weights = {name: loaded[name] for name in loaded if name.startswith(WEIGHTS_PREFIX)}
    model.load_state_dict({k.removeprefix(WEIGHTS_PREFIX): v for k, v in weights.items()})


def _load(request: ShardedStateDict, folder: Path, *, kinds: tuple[str, ...]) -> dict[str, Any]:
    """Read what `request` describes, after every rank has checked a share of the bytes.

    All ranks learn of damage, so that none waits for another. PyTorch would read the objects among
    the tensors with an unrestricted pickle; the environment variable forbids that.
    """
    problems: list[str | None] = [None] * dist.get_world_size()
    dist.all_gather_object(problems, _damage(folder, kinds))
    if damaged := next(filter(None, problems), None):
        raise DamagedCheckpointError(damaged)
    with (
        _failing_to("load", folder),
        patch.dict(os.environ, TORCH_FORCE_WEIGHTS_ONLY_LOAD="1"),
    ):
        loaded: dict[str, Any] = dist_checkpointing.load(request, str(folder))
    return loaded


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
    load_weights(folder, state.model.module)
    weights = _sharded_weights(state.model.module)
    request = {"optimizer": sharded_moments(state.optimizer, weights, loading=True)}
    if with_rng:
        request["rng"] = _sharded_rng()
    loaded = _load(request, folder, kinds=tuple(request))
    restore_moments(state.optimizer, loaded["optimizer"], step=step)
    if with_rng:
        _restore_rng(loaded["rng"])


def _sharded_weights(model: GPTModel) -> ShardedStateDict:
    """This rank's part of every weight, by the names they have in checkpoints.

    megatron-core lets the vocabulary differ in size and fills up with zeros. Here its padding does
    not depend on the layout, so another size is another model.
    """
    weights = model.sharded_state_dict(prefix=WEIGHTS_PREFIX)
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
def _failing_to(verb: str, folder: Path) -> Iterator[None]:
    """Turn what megatron-core and PyTorch raise for bad disks and bad files into one line."""
    try:
        yield
    except _FAILURES as error:
        advice = (
            "The previous checkpoint is intact: free some space and start the same command again."
            if verb == "save"
            else "Choose a checkpoint of the same model that is complete."
        )
        if verb == "save":
            shutil.rmtree(folder, ignore_errors=True)
        raise CheckpointError(
            f"checkpoint must be possible to {verb}, got {_cause(error)} at {folder}. {advice}"
        ) from error


def _cause(error: BaseException) -> str:
    if isinstance(error, CheckpointException):
        error = next(iter(error.failures.values()))[0]
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason'}"
