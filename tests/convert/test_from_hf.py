"""Import: what is carried along, and every refusal."""

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_hf import TOKENIZER_FILES, make_hf

from megatron_crossic.checkpoint.folder import find_checkpoint, read_info
from megatron_crossic.checkpoint.stream import TensorReader
from megatron_crossic.convert.from_hf import import_checkpoint
from megatron_crossic.errors import CheckpointError, ConfigError, DataError


@pytest.fixture
def hf(tmp_path: Path) -> Path:
    return make_hf(tmp_path / "hf", "qwen2_tied_odd", dtype=torch.bfloat16)


def change_config(hf: Path, **values: Any) -> None:
    path = hf / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def change_tensors(hf: Path, changes: dict[str, torch.Tensor | None]) -> None:
    tensors = load_file(hf / "model.safetensors") | changes
    kept = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    save_file(kept, hf / "model.safetensors")


def test_checkpoint_is_complete_and_carries_what_export_needs(hf: Path, tmp_path: Path) -> None:
    report = import_checkpoint(hf=hf, output=tmp_path / "out")
    step = find_checkpoint(tmp_path / "out")
    assert step == report.checkpoint == tmp_path / "out" / "step_0000000"
    assert report.dtypes == {"bfloat16": report.num_tensors}
    assert read_info(step).step == 0
    names = {"config.json", "generation_config.json", "tensor_dtypes.json", *TOKENIZER_FILES}
    assert {path.name for path in (step / "hf").iterdir()} == names


def test_padded_rows_are_zero(hf: Path, tmp_path: Path) -> None:
    step = import_checkpoint(hf=hf, output=tmp_path / "out").checkpoint
    stored = TensorReader(step).read("model.embedding.word_embeddings.weight", shape=(256, 32))
    assert not stored[201:].any()
    assert torch.equal(
        stored[:201], load_file(hf / "model.safetensors")["model.embed_tokens.weight"]
    )


def test_rotary_frequencies_of_old_checkpoints_are_left_out(hf: Path, tmp_path: Path) -> None:
    name = "model.layers.0.self_attn.rotary_emb.inv_freq"
    change_tensors(hf, {name: torch.ones(4)})
    assert import_checkpoint(hf=hf, output=tmp_path / "out").left_out == (name,)


def test_progress_counts_all_bytes(hf: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    report = import_checkpoint(
        hf=hf, output=tmp_path / "out", progress=lambda done, total: seen.append((done, total))
    )
    assert seen[-1] == (2 * report.num_parameters, 2 * report.num_parameters)


def test_missing_config_is_refused(hf: Path, tmp_path: Path) -> None:
    (hf / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"must contain config\.json"):
        import_checkpoint(hf=hf, output=tmp_path / "out")


@pytest.mark.parametrize("text", ["{", "[]"])
def test_broken_config_is_refused(hf: Path, tmp_path: Path, text: str) -> None:
    (hf / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"config\.json must be"):
        import_checkpoint(hf=hf, output=tmp_path / "out")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model_type": "gpt2"}, "model_type must be one of llama, qwen2, got 'gpt2'"),
        ({"model_type": "llama", "attention_bias": True}, "attention_bias must be False for llama"),
        ({"use_sliding_window": True}, "use_sliding_window must be False for qwen2"),
        ({"rope_parameters": {"rope_type": "yarn"}}, "rope_type must be default or llama3"),
    ],
)
def test_unmapped_configuration_is_refused(
    hf: Path, tmp_path: Path, values: dict[str, Any], message: str
) -> None:
    change_config(hf, **values)
    with pytest.raises(ConfigError, match=message):
        import_checkpoint(hf=hf, output=tmp_path / "out")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model.norm.weight": None}, r"model\.norm\.weight must be in the checkpoint, got none"),
        ({"extra": torch.ones(1)}, r"tensor extra must belong to a qwen2 model"),
        ({"model.norm.weight": torch.ones(31)}, r"must have shape \[32\] .* got \[31\]"),
    ],
)
def test_tensors_that_do_not_fit_the_config_are_refused(
    hf: Path, tmp_path: Path, changes: dict[str, torch.Tensor | None], message: str
) -> None:
    change_tensors(hf, changes)
    with pytest.raises(CheckpointError, match=message):
        import_checkpoint(hf=hf, output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_existing_output_is_refused_unless_overwritten(hf: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    import_checkpoint(hf=hf, output=output)
    with pytest.raises(ConfigError, match="output path must not exist"):
        import_checkpoint(hf=hf, output=output)
    import_checkpoint(hf=hf, output=output, overwrite=True)
    assert find_checkpoint(output) == output / "step_0000000"


def test_trained_checkpoints_are_never_overwritten(hf: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "step_0000010").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"trained checkpoints, got .*step_0000010"):
        import_checkpoint(hf=hf, output=tmp_path / "out", overwrite=True)


def test_what_a_failed_import_left_does_not_stand_in_the_way(hf: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "step_0000000.partial").mkdir(parents=True)
    import_checkpoint(hf=hf, output=tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["latest", "step_0000000"]


@contextmanager
def file_size_limit(num_bytes: int) -> Iterator[None]:
    """Writing past the limit fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("num_bytes", [0, 500, 9_000, 14_000, 20_000, 40_000])
def test_full_disk_is_a_clear_error_and_leaves_nothing(
    hf: Path, tmp_path: Path, num_bytes: int
) -> None:
    """It can strike in an object, inside a tensor's record or between two."""
    output = tmp_path / "out"
    with (
        pytest.raises(DataError, match="output must be writable, got .*step_0000000"),
        file_size_limit(num_bytes),
    ):
        import_checkpoint(hf=hf, output=output)
    assert list(output.iterdir()) == []
    import_checkpoint(hf=hf, output=output)
