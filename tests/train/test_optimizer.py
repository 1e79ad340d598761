"""Where the optimizer's own weights come from."""

import pytest
import torch
from tiny_architecture import TINY
from tiny_runs import SEQ_LENGTH

from megatron_crossic.backend import select_backend
from megatron_crossic.config import OptimizerConfig, ParallelConfig, PrecisionConfig
from megatron_crossic.model.build import build_model
from megatron_crossic.parallel import parallel_groups
from megatron_crossic.train.optimizer import (
    build_optimizer,
    reload_main_weights,
    set_rate,
    wrap_for_training,
)


@pytest.mark.parametrize("with_digits", [True, False])
def test_main_weights_keep_digits_the_model_lost(with_digits: bool) -> None:
    """The model's weights are rounded to multiples of 1/16, as FP8 would, those given are not."""
    backend = select_backend("cpu")
    parallel = ParallelConfig(distributed_optimizer=True)
    precision = PrecisionConfig(compute="bf16")
    with parallel_groups(parallel, backend, seed=1):
        model = build_model(
            TINY,
            parallel=parallel,
            precision=precision,
            backend=backend,
            max_sequence_length=SEQ_LENGTH,
        )
        (chunk,) = chunks = wrap_for_training([model], parallel, precision)
        optimizer = build_optimizer(
            chunks, OptimizerConfig(weight_decay=0.0), parallel=parallel, precision=precision
        )
        read = {name: value.detach().clone() for name, value in model.named_parameters()}
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_((parameter * 16).round() / 16)
        rounded = {name: value.detach().clone() for name, value in model.named_parameters()}
        reload_main_weights(optimizer, [read] if with_digits else None)
        chunk.zero_grad_buffer()
        set_rate(optimizer, OptimizerConfig(weight_decay=0.0), rate=0.0)
        optimizer.step()  # moves nothing, and gives the model its weights back
        found = dict(model.named_parameters())
    expected = read if with_digits else rounded
    assert any(not torch.equal(read[name], rounded[name]) for name in read)
    assert all(torch.equal(found[name], value) for name, value in expected.items())
