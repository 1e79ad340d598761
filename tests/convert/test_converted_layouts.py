"""Imported checkpoints on two ranks: the same logits, and the same tensors after saving there."""

import shutil
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from megatron.core import dist_checkpointing, parallel_state
from safetensors.torch import load_file
from tiny_hf import CONFIGS, make_hf
from tiny_runs import RankWriter, run_ranks
from torch import Tensor

from megatron_crossic.backend import select_backend
from megatron_crossic.checkpoint.folder import (
    HF_FOLDER,
    complete,
    find_checkpoint,
    read_info,
    start,
    write_info,
)
from megatron_crossic.checkpoint.state import WEIGHTS_PREFIX, load_weights
from megatron_crossic.config import ParallelConfig, PrecisionConfig
from megatron_crossic.convert.from_hf import import_checkpoint
from megatron_crossic.convert.parity import random_tokens, run_transformers, same_bits
from megatron_crossic.convert.to_hf import export_checkpoint
from megatron_crossic.model.build import CrossicGPTModel, build_model
from megatron_crossic.parallel import Rank, parallel_groups

LAYOUTS = {"tensor": ParallelConfig(tensor=2), "pipeline": ParallelConfig(pipeline=2)}
HIDDEN = 32


def load_run_and_save(folder: Path, layout: str) -> None:
    """On every rank: load each model at the layout, keep its logits and save it again."""
    backend, parallel = select_backend("cpu"), LAYOUTS[layout]
    torch.set_num_threads(1)
    with parallel_groups(parallel, backend, seed=1) as rank:
        for kind in CONFIGS:
            step = find_checkpoint(folder / kind / "checkpoint")
            architecture = read_info(step).architecture
            tokens = random_tokens(architecture)
            model = build_model(
                architecture,
                parallel=parallel,
                precision=PrecisionConfig(compute="fp32"),
                backend=backend,
                max_sequence_length=tokens.shape[1],
            )
            load_weights(step, model)
            logits = forward(model, tokens)[..., : architecture.vocab_size]
            tensor_rank = parallel_state.get_tensor_model_parallel_rank()
            if parallel_state.is_pipeline_last_stage() and tensor_rank == 0:
                torch.save(logits, folder / kind / f"{layout}.pt")
            save(model, step, folder / kind / layout, rank)


@torch.no_grad()
def forward(model: CrossicGPTModel, tokens: Tensor) -> Tensor:
    """Logits [batch, seq, vocab] on the last stage, hidden states elsewhere."""
    positions = torch.arange(tokens.shape[1]).expand_as(tokens)
    if not parallel_state.is_pipeline_first_stage():
        hidden = torch.empty(tokens.shape[1], tokens.shape[0], HIDDEN)
        dist.recv(hidden, src=0)
        model.set_input_tensor(hidden)
    output: Tensor = model(tokens, positions, None)
    if not parallel_state.is_pipeline_last_stage():
        dist.send(output, dst=1)
        return output
    group = parallel_state.get_tensor_model_parallel_group()
    parts = [torch.empty_like(output) for _ in range(group.size())]
    dist.all_gather(parts, output.contiguous(), group=group)
    return torch.cat(parts, dim=-1)


def save(model: CrossicGPTModel, source: Path, root: Path, rank: Rank) -> None:
    if rank.is_main:
        start(root, 1)
    dist.barrier()
    partial = root / "step_0000001.partial"
    weights = model.sharded_state_dict(prefix=WEIGHTS_PREFIX)
    dist_checkpointing.save(weights, str(partial), sharded_strategy=RankWriter())
    if rank.is_main:
        shutil.copytree(source / HF_FOLDER, partial / HF_FOLDER)
        write_info(partial, read_info(source))
        complete(root, 1)
    dist.barrier()


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a subfolder per kind: hf, checkpoint, and what two ranks made of it."""
    folder = tmp_path_factory.mktemp("layouts")
    for kind in CONFIGS:
        hf = make_hf(folder / kind / "hf", kind)
        import_checkpoint(hf=hf, output=folder / kind / "checkpoint")
    # A launch each: groups joined twice at one port can meet the store of the first time.
    for layout in LAYOUTS:
        run_ranks(2, folder / f"{layout}.log", load_run_and_save, folder, layout)
    return folder


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", CONFIGS)
def test_logits_agree_with_transformers(results: Path, kind: str, layout: str) -> None:
    logits = torch.load(results / kind / f"{layout}.pt")
    architecture = read_info(find_checkpoint(results / kind / "checkpoint")).architecture
    tokens = random_tokens(architecture)
    expected, _ = run_transformers(results / kind / "hf", tokens)
    assert expected.shape == logits.shape
    assert expected.std() > 0.5
    assert (expected - logits).abs().max() <= 1e-4


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", CONFIGS)
def test_checkpoint_saved_by_two_ranks_exports_the_original(
    results: Path, kind: str, layout: str, tmp_path: Path
) -> None:
    checkpoint = results / kind / layout
    assert len(list(find_checkpoint(checkpoint).glob("*.distcp"))) == 2
    back = export_checkpoint(checkpoint=checkpoint, output=tmp_path / "back").folder
    original = load_file(results / kind / "hf" / "model.safetensors")
    exported = load_file(back / "model.safetensors")
    assert original.keys() == exported.keys()
    assert [n for n in original if not same_bits(original[n], exported[n])] == []
