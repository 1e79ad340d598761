"""Export: the same bits for every model and format, and every refusal."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_hf import CONFIGS, TOKENIZER_FILES, make_hf
from transformers import AutoModelForCausalLM

from megatron_crossic.checkpoint.folder import HF_FOLDER, new_checkpoint, read_info, write_info
from megatron_crossic.checkpoint.stream import Chunk, TensorReader, write_checkpoint
from megatron_crossic.convert.from_hf import import_checkpoint
from megatron_crossic.convert.parity import same_bits
from megatron_crossic.convert.to_hf import export_checkpoint
from megatron_crossic.errors import CheckpointError, ConfigError
from megatron_crossic.model.weights import weights

DTYPES = (torch.float32, torch.bfloat16, torch.float16)


def there_and_back(hf: Path, folder: Path) -> Path:
    import_checkpoint(hf=hf, output=folder / "checkpoint")
    return export_checkpoint(checkpoint=folder / "checkpoint", output=folder / "back").folder


def assert_same_tensors(left: Path, right: Path) -> None:
    a, b = load_file(left / "model.safetensors"), load_file(right / "model.safetensors")
    assert a.keys() == b.keys()
    assert len(a) > 15
    assert [name for name in a if not same_bits(a[name], b[name])] == []


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("kind", CONFIGS)
def test_export_of_import_is_the_original_bit_for_bit(
    kind: str, dtype: torch.dtype, tmp_path: Path
) -> None:
    hf = make_hf(tmp_path / "hf", kind, dtype=dtype)
    assert_same_tensors(hf, there_and_back(hf, tmp_path))


def test_every_tensor_keeps_its_own_format(tmp_path: Path) -> None:
    """Formats mixed between the tensors of one weight and between layers, and odd values."""
    hf = make_hf(tmp_path / "hf", "qwen2_tied_odd")
    tensors = load_file(hf / "model.safetensors")
    mixed = {name: t.to(DTYPES[i % 3]) for i, (name, t) in enumerate(tensors.items())}
    mixed["model.norm.weight"][:3] = torch.tensor([float("nan"), -0.0, float("inf")])
    save_file(mixed, hf / "model.safetensors")
    assert_same_tensors(hf, there_and_back(hf, tmp_path))


def test_folder_is_complete_and_loads(tmp_path: Path) -> None:
    hf = make_hf(tmp_path / "hf", "llama_gqa_scaled", dtype=torch.bfloat16)
    back = there_and_back(hf, tmp_path)
    names = {"config.json", "generation_config.json", "model.safetensors", *TOKENIZER_FILES}
    assert {path.name for path in back.iterdir()} == names
    for name in names - {"model.safetensors"}:
        assert (back / name).read_bytes() == (hf / name).read_bytes()
    loaded = AutoModelForCausalLM.from_pretrained(back)
    assert loaded.lm_head.weight.dtype == torch.bfloat16
    assert loaded.lm_head.weight.shape == (256, 32)


def save_as_trained(source: Path, root: Path, dtype: torch.dtype) -> Path:
    """The checkpoint as training in `dtype` saves it: other format, optimizer state beside."""
    info, reader = read_info(source), TensorReader(source)
    chunks = [
        Chunk(
            key=prefix + weight.key,
            global_shape=(*([info.architecture.num_layers] if layered else []), *shape),
            offsets=(*([weight.layer] if layered else []), *(0 for _ in shape)),
            dtype=dtype,
            load=lambda tensor=tensor, layered=layered: tensor[None] if layered else tensor,
        )
        for weight in weights(info.architecture)
        for shape in [weight.megatron_shape()]
        for layered in [weight.layer is not None]
        for tensor in [reader.read(weight.key, shape=shape, layer=weight.layer).to(dtype) + 1e-4]
        for prefix in ("", "optimizer.state.exp_avg.")
    ]
    with new_checkpoint(root, 5) as folder:
        write_checkpoint(folder, chunks, [])
        shutil.copytree(source / HF_FOLDER, folder / HF_FOLDER)
        write_info(folder, info)
    return root


def test_trained_weights_get_the_original_format_and_the_report_says_so(tmp_path: Path) -> None:
    hf = make_hf(tmp_path / "hf", "qwen2_tied_odd", dtype=torch.bfloat16)
    step = import_checkpoint(hf=hf, output=tmp_path / "checkpoint").checkpoint
    trained = save_as_trained(step, tmp_path / "run", torch.float32)
    report = export_checkpoint(checkpoint=trained, output=tmp_path / "back")
    assert set(report.cast.values()) == {"float32 -> bfloat16"}
    assert len(report.cast) == report.num_tensors
    before = load_file(hf / "model.safetensors")["model.norm.weight"]
    after = load_file(tmp_path / "back" / "model.safetensors")["model.norm.weight"]
    assert torch.equal(after, (before.float() + 1e-4).bfloat16())


def test_trained_bf16_weights_come_out_as_they_are(tmp_path: Path) -> None:
    hf = make_hf(tmp_path / "hf", "llama_tied", dtype=torch.bfloat16)
    step = import_checkpoint(hf=hf, output=tmp_path / "checkpoint").checkpoint
    trained = save_as_trained(step, tmp_path / "run", torch.bfloat16)
    assert not export_checkpoint(checkpoint=trained, output=tmp_path / "back").cast


def test_existing_output_is_refused_and_kept(tmp_path: Path) -> None:
    hf = make_hf(tmp_path / "hf", "llama_tied")
    back = there_and_back(hf, tmp_path)
    (back / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="output path must not exist"):
        export_checkpoint(checkpoint=tmp_path / "checkpoint", output=back)
    assert (back / "notes.txt").read_text() == "mine"
    export_checkpoint(checkpoint=tmp_path / "checkpoint", output=back, overwrite=True)
    assert not (back / "notes.txt").exists()


def test_damaged_checkpoint_leaves_no_output(tmp_path: Path) -> None:
    hf = make_hf(tmp_path / "hf", "llama_tied")
    step = import_checkpoint(hf=hf, output=tmp_path / "checkpoint").checkpoint
    file = step / "__0_0.distcp"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(CheckpointError, match="must hold the bytes that were written"):
        export_checkpoint(checkpoint=step, output=tmp_path / "back")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint", "hf"]


def test_config_of_another_model_is_refused(tmp_path: Path) -> None:
    hf = make_hf(tmp_path / "hf", "llama_tied")
    step = import_checkpoint(hf=hf, output=tmp_path / "checkpoint").checkpoint
    config = json.loads((hf / "config.json").read_text()) | {"rms_norm_eps": 1e-5}
    (step / "hf" / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="must describe the checkpoint's model"):
        export_checkpoint(checkpoint=step, output=tmp_path / "back")


@pytest.mark.parametrize("formats", ["{", "[]", '{"model.norm.weight": "load"}'])
def test_formats_that_are_none_are_refused(tmp_path: Path, formats: str) -> None:
    hf = make_hf(tmp_path / "hf", "llama_tied")
    step = import_checkpoint(hf=hf, output=tmp_path / "checkpoint").checkpoint
    (step / "hf" / "tensor_dtypes.json").write_text(formats)
    with pytest.raises(CheckpointError, match=r"tensor_dtypes\.json must name formats of tensors"):
        export_checkpoint(checkpoint=step, output=tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_missing_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="folder with a complete checkpoint"):
        export_checkpoint(checkpoint=tmp_path, output=tmp_path / "back")


def test_overwrite_replaces_a_model_and_nothing_else(tmp_path: Path) -> None:
    hf = make_hf(tmp_path / "hf", "llama_tied")
    root = tmp_path / "checkpoint"
    import_checkpoint(hf=hf, output=root)
    with pytest.raises(ConfigError, match="--overwrite must replace .* with the checkpoint in it"):
        export_checkpoint(checkpoint=root, output=root, overwrite=True)
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"--overwrite must replace .* without config\.json"):
        export_checkpoint(checkpoint=root, output=notes, overwrite=True)
    assert (notes / "mine.txt").read_text() == "mine"
    assert (root / "latest").is_file()
