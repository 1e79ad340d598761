"""What a run in progress does beside its steps."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from tiny_runs import losses, run_training, tiny_config
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook

from megatron_crossic.backend import select_backend
from megatron_crossic.config import PrecisionConfig
from megatron_crossic.model.attention import SdpaAttention
from megatron_crossic.train.loop import joined
from megatron_crossic.train.metrics import SilentLog
from megatron_crossic.train.plan import make_plan
from megatron_crossic.train.setup import set_up


def test_delayed_scaling_sees_the_first_step_twice_and_nothing_else_changes(
    inputs: Path, tmp_path: Path
) -> None:
    """The option alone is set, after the model was built: the CPU has no FP8."""
    config = tiny_config(inputs, run_dir=tmp_path, stop_after_step=3)
    backend = select_backend("cpu")
    plan = make_plan(config, backend, world_size=1)
    seen: list[nn.Module] = []

    def count(module: nn.Module, _: Any) -> None:
        if isinstance(module, SdpaAttention):
            seen.append(module)

    delayed = replace(config, precision=PrecisionConfig(compute="fp8", recipe="delayed"))
    with joined(plan, backend) as crew, register_module_forward_pre_hook(count):
        run = set_up(plan, crew.rank, backend, crew.watch)
        run.plan = replace(plan, config=delayed)
        found, calls = [], []
        for step in (1, 2, 3):
            found.append(run.step(step, SilentLog()).loss)
            calls.append(len(seen))
            seen.clear()
    assert calls[0] == 2 * calls[1] == 2 * calls[2]
    run_training(config)
    assert found == losses(tmp_path)
