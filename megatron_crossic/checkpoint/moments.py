"""The optimizer's tensors in one format, whichever of megatron-core's optimizers holds them.

    optimizer.state.exp_avg.<weight>      first moment
    optimizer.state.exp_avg_sq.<weight>   second moment
    optimizer.state.fp32_param.<weight>   main weights, in bf16 runs only

The plain optimizer's are sharded like the weights. Those of the distributed optimizer are written
and read piece by piece, see `pieces`. Only tensors are exchanged: hyper-parameters come from the
configuration, and the number of updates is the number of the step. So a run may switch
`parallel.distributed_optimizer` when it resumes.
"""

from typing import Any

import torch
from megatron.core.dist_checkpointing.mapping import ShardedStateDict
from megatron.core.dist_checkpointing.utils import extract_sharded_base
from megatron.core.optimizer import MegatronOptimizer
from megatron.core.optimizer.distrib_optimizer import DistributedOptimizer
from megatron.core.optimizer.optimizer import Float16OptimizerWithFloat16Params

from megatron_crossic.checkpoint.pieces import Piece, make_state, optimizer_pieces


def sharded_moments(
    optimizer: MegatronOptimizer, weights: ShardedStateDict, *, loading: bool
) -> ShardedStateDict:
    """This rank's part of a plain optimizer's tensors; `weights` describes the model."""
    (inner,) = optimizer.chained_optimizers
    if isinstance(inner, DistributedOptimizer):
        return {}
    make_state(inner)
    described = inner.sharded_state_dict(weights, is_loading=loading)
    tensors, _ = extract_sharded_base(described)
    return tensors


def moment_pieces(
    optimizer: MegatronOptimizer, weights: ShardedStateDict, *, saving: bool
) -> list[Piece]:
    """This rank's part of a distributed optimizer's tensors; `weights` describes the model."""
    (inner,) = optimizer.chained_optimizers
    if not isinstance(inner, DistributedOptimizer):
        return []
    return optimizer_pieces(inner, weights, saving=saving)


def restore_moments(optimizer: MegatronOptimizer, loaded: dict[Any, Any], *, step: int) -> None:
    """Put loaded tensors into the optimizer, as after `step` updates.

    Those of a distributed optimizer are there already: `read_pieces` reads in place.
    """
    (inner,) = optimizer.chained_optimizers
    if isinstance(inner, DistributedOptimizer):
        _set_step(inner.optimizer, step)
        return
    nested = isinstance(inner, Float16OptimizerWithFloat16Params)
    moments = loaded["optimizer"]["state"] if nested else loaded["state"]
    # PyTorch's wants the number of updates with each tensor; Transformer Engine's refuses it there.
    counted = {"step": _count(step)} if isinstance(inner.optimizer, torch.optim.AdamW) else {}
    torch_state = {
        "state": {name: {**pair, **counted} for name, pair in moments.items()},
        "param_groups": inner.optimizer.state_dict()["param_groups"],
    }
    inner.load_state_dict({**loaded, "optimizer": torch_state} if nested else torch_state)
    _set_step(inner.optimizer, step)


def _set_step(optimizer: torch.optim.Optimizer, step: int) -> None:
    """PyTorch's AdamW counts updates with each tensor, fused ones of others in each group."""
    for group in optimizer.param_groups:
        if isinstance(optimizer, torch.optim.AdamW):
            for parameter in group["params"]:
                # Fused kernels read it where the weight is.
                optimizer.state[parameter]["step"] = _count(step).to(parameter.device)
        else:
            group["step"] = step


def _count(step: int) -> torch.Tensor:
    return torch.tensor(float(step))
