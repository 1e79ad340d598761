"""Export of a LoRA run: merged, and as an adapter that peft loads with the same logits."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_lora import lora_config, lora_inputs
from tiny_runs import run_training
from transformers import AutoModelForCausalLM

from megatron_crossic.checkpoint.folder import find_checkpoint, read_info, write_info
from megatron_crossic.convert.adapters import ADAPTER_CONFIG, ADAPTER_WEIGHTS, trained_adapters
from megatron_crossic.convert.parity import compare, run_transformers
from megatron_crossic.convert.to_hf import export_adapter, export_checkpoint
from megatron_crossic.errors import CheckpointError, ConfigError

KINDS = ("qwen2_tied_odd", "llama_gqa_scaled")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Kind -> folder with `hf`, `initial` and a trained LoRA `run`."""
    folders = {}
    for kind in KINDS:
        folders[kind] = folder = lora_inputs(tmp_path_factory.mktemp(kind), kind)
        run_training(lora_config(folder, folder / "run", dropout=0.05))
    return folders


@pytest.mark.parametrize("kind", KINDS)
def test_merged_weights_are_the_trained_model(runs: dict[str, Path], kind: str) -> None:
    folder = runs[kind]
    checkpoint = folder / "run" / "checkpoints"
    merged = export_checkpoint(checkpoint=checkpoint, output=folder / "merged").folder
    report = compare(hf=merged, checkpoint=checkpoint)
    report.check()
    base, new = (load_file(folder / side / "model.safetensors") for side in ("hf", "merged"))
    assert base.keys() == new.keys()
    changed = {name.split(".")[-2] for name in base if not torch.equal(base[name], new[name])}
    assert changed == {
        *("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    }


@pytest.mark.parametrize("kind", KINDS)
def test_peft_computes_the_logits_of_the_merged_model(
    runs: dict[str, Path], kind: str, tmp_path: Path
) -> None:
    peft = pytest.importorskip("peft", reason="peft is not installed (extra: lora)")
    folder = runs[kind]
    checkpoint = folder / "run" / "checkpoints"
    merged = export_checkpoint(checkpoint=checkpoint, output=tmp_path / "merged").folder
    assert export_adapter(checkpoint=checkpoint, output=tmp_path / "adapter") == 2 * 7 * 2
    tokens = torch.randint(3, 100, (2, 32), generator=torch.Generator().manual_seed(1))
    expected, _ = run_transformers(merged, tokens)
    original = AutoModelForCausalLM.from_pretrained(folder / "hf", dtype=torch.float32).eval()
    with torch.no_grad():
        before = original(tokens).logits
        adapted = peft.PeftModel.from_pretrained(original, tmp_path / "adapter").eval()
        logits = adapted(tokens).logits
    largest = expected.abs().max()
    assert (logits - expected).abs().max() / largest < 1e-5
    assert (logits - before).abs().max() / largest > 1e-2  # the adapter does something


def test_adapter_folder_is_replaced_only_with_overwrite(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    checkpoint = runs[KINDS[0]] / "run" / "checkpoints"
    output = tmp_path / "adapter"
    export_adapter(checkpoint=checkpoint, output=output)
    assert {path.name for path in output.iterdir()} == {ADAPTER_CONFIG, ADAPTER_WEIGHTS}
    config = json.loads((output / ADAPTER_CONFIG).read_text())
    assert (config["r"], config["lora_alpha"], config["lora_dropout"]) == (4, 8, 0.05)
    with pytest.raises(ConfigError, match="adapter"):
        export_adapter(checkpoint=checkpoint, output=output)
    export_adapter(checkpoint=checkpoint, output=output, overwrite=True)


def test_a_whole_model_has_no_adapter(runs: dict[str, Path], tmp_path: Path) -> None:
    initial = runs[KINDS[0]] / "initial"
    with pytest.raises(ConfigError, match="--adapter must go with the checkpoint of a LoRA run"):
        export_adapter(checkpoint=initial, output=tmp_path / "adapter")
    with pytest.raises(ConfigError, match="--base must go with the checkpoint of a LoRA run"):
        export_checkpoint(checkpoint=initial, output=tmp_path / "hf", base=initial)


def test_moved_base_weights_are_named_and_others_refused(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    folder, other = runs[KINDS[0]], runs[KINDS[1]]
    step = shutil.copytree(find_checkpoint(folder / "run" / "checkpoints"), tmp_path / "step")
    moved = shutil.copytree(folder / "initial", tmp_path / "moved")
    found = trained_adapters(step, base=moved)
    assert found is not None
    assert found.base.is_relative_to(moved)
    with pytest.raises(CheckpointError, match="base weights must be those the adapters"):
        trained_adapters(step, base=other / "initial")


@pytest.mark.parametrize("wrong", [{"rank": 0}, {"targets": ["linear_out"]}, {"surprise": 1}])
def test_damaged_description_of_adapters_is_refused(
    runs: dict[str, Path], tmp_path: Path, wrong: dict[str, object]
) -> None:
    source = find_checkpoint(runs[KINDS[0]] / "run" / "checkpoints")
    step = shutil.copytree(source, tmp_path / "step")
    info = read_info(step)
    details = {**info.details, "lora": {**info.details["lora"], **wrong}}
    (step / "checkpoint.json").unlink()
    write_info(
        step,
        type(info)(
            step=info.step,
            num_tokens=info.num_tokens,
            architecture=info.architecture,
            details=details,
        ),
    )
    with pytest.raises(CheckpointError, match="checkpoint.json must describe the adapters"):
        trained_adapters(step)
