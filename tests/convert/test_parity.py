"""The parity report: agreement where it must be, and no mistake that it does not see."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_hf import CONFIGS, make_hf

from megatron_crossic.convert.from_hf import import_checkpoint
from megatron_crossic.convert.parity import (
    TOLERANCE,
    compare,
    random_tokens,
    run_megatron,
    run_transformers,
    same_bits,
    write_report,
)
from megatron_crossic.convert.safetensors_folder import open_folder
from megatron_crossic.convert.to_hf import checked_architecture, export_checkpoint
from megatron_crossic.errors import CheckpointError
from megatron_crossic.model.architecture import ModelArchitecture, RopeScaling

Model = tuple[Path, Path]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Model]:
    """Kind -> Hugging Face folder and imported step folder."""
    found = {}
    for kind in CONFIGS:
        folder = tmp_path_factory.mktemp(kind)
        hf = make_hf(folder / "hf", kind)
        found[kind] = (hf, import_checkpoint(hf=hf, output=folder / "checkpoint").checkpoint)
    return found


@pytest.mark.parametrize("kind", CONFIGS)
def test_logits_and_loss_agree(models: dict[str, Model], kind: str) -> None:
    hf, step = models[kind]
    report = compare(hf=hf, checkpoint=step)
    report.check()
    assert report.different_tensors == ()
    assert report.num_tokens == 512
    assert report.max_absolute <= TOLERANCE
    assert report.top1_agreement == 1.0
    assert report.megatron_loss == pytest.approx(report.hf_loss, abs=1e-5)


def wrong(architecture: ModelArchitecture, mistake: str) -> ModelArchitecture:
    match mistake:
        case "rotary base":
            return replace(architecture, rotary_base=10000.0)
        case "no rope scaling":
            return replace(architecture, rope_scaling=None)
        case "rope scaling factor":
            return replace(architecture, rope_scaling=RopeScaling(factor=32.0))
        case "norm epsilon":
            return replace(architecture, norm_epsilon=1e-5)
    raise AssertionError(mistake)


@pytest.mark.parametrize(
    "mistake", ["rotary base", "no rope scaling", "rope scaling factor", "norm epsilon"]
)
def test_models_used_here_show_a_wrong_architecture(models: dict[str, Model], mistake: str) -> None:
    """Guards the test above: it would prove nothing with weights that hide these mistakes."""
    hf, step = models["llama_gqa_scaled"]
    architecture = checked_architecture(step)
    tokens = random_tokens(architecture)
    expected, _ = run_transformers(hf, tokens)
    mistaken = wrong(architecture, mistake)
    logits, _ = run_megatron(step, mistaken, open_folder(hf), tokens)
    assert (expected - logits).abs().max() > 10 * TOLERANCE * expected.abs().max()


def test_a_changed_tensor_is_named(models: dict[str, Model], tmp_path: Path) -> None:
    _, step = models["qwen2_tied_odd"]
    other = export_checkpoint(checkpoint=step, output=tmp_path / "other").folder
    tensors = load_file(other / "model.safetensors")
    name = "model.layers.1.self_attn.k_proj.bias"
    tensors[name] = torch.zeros_like(tensors[name])  # as if the biases had been forgotten
    tensors["model.layers.0.self_attn.q_proj.bias"].zero_()
    save_file(tensors, other / "model.safetensors", metadata={"format": "pt"})
    report = compare(hf=other, checkpoint=step)
    assert name in report.different_tensors
    assert report.num_equal < report.num_tensors
    with pytest.raises(CheckpointError, match=r"equal bit for bit(.|\n)*logit difference must be"):
        report.check()


def test_not_a_number_is_a_problem(models: dict[str, Model]) -> None:
    hf, step = models["llama_tied"]
    report = replace(compare(hf=hf, checkpoint=step), max_relative=float("nan"))
    with pytest.raises(CheckpointError, match="logit difference must be at most 0.0001, got nan"):
        report.check()


def test_report_is_kept_as_json(models: dict[str, Model], tmp_path: Path) -> None:
    hf, step = models["llama_tied"]
    report = compare(hf=hf, checkpoint=step)
    write_report(tmp_path / "parity.json", report)
    kept = json.loads((tmp_path / "parity.json").read_text())
    assert kept["num_tensors"] == report.num_tensors
    assert kept["hf_loss"] == report.hf_loss


def test_bits_tell_zeros_apart_and_nan_equals_itself() -> None:
    nan = torch.tensor([float("nan")])
    assert same_bits(nan, nan.clone())
    assert not same_bits(torch.tensor([0.0]), torch.tensor([-0.0]))
    assert not same_bits(torch.zeros(2), torch.zeros(2, dtype=torch.int32))
