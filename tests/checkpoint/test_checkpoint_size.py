"""The bytes of a checkpoint, known before there is one."""

import math
from pathlib import Path

import pytest
from tiny_runs import run_training, tiny_config

from megatron_crossic.checkpoint.folder import find_checkpoint, read_info
from megatron_crossic.checkpoint.size import checkpoint_bytes
from megatron_crossic.checkpoint.untrusted import read_index
from megatron_crossic.config import CheckpointConfig, LoraConfig, PrecisionConfig
from megatron_crossic.optimization_config import ScheduleConfig


@pytest.mark.parametrize(
    ("compute", "lora"), [("fp32", None), ("bf16", None), ("fp32", LoraConfig(rank=4))]
)
def test_it_is_the_size_of_all_tensors_that_a_run_saves(
    compute: str, lora: LoraConfig | None, inputs: Path, tmp_path: Path
) -> None:
    config = tiny_config(
        inputs,
        run_dir=tmp_path,
        num_steps=1,
        schedule=ScheduleConfig(peak=1e-3),
        checkpoint=CheckpointConfig(initial=inputs / "initial"),
        precision=PrecisionConfig(compute=compute),  # type: ignore[arg-type]
        lora=lora,
    )
    run_training(config)
    saved = find_checkpoint(tmp_path / "checkpoints")
    tensors = [
        part for part in read_index(saved).state_dict_metadata.values() if hasattr(part, "size")
    ]
    assert len(tensors) > 20
    num_bytes = sum(math.prod(tensor.size) * tensor.properties.dtype.itemsize for tensor in tensors)
    assert checkpoint_bytes(read_info(saved).architecture, config) == num_bytes
