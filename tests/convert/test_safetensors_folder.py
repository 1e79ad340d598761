"""Weight files: what we write, the safetensors library reads; what is damaged, we refuse."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from megatron_crossic.convert.safetensors_folder import (
    OutputTensor,
    open_folder,
    read_tensor,
    write_folder,
)
from megatron_crossic.errors import CheckpointError

TENSORS = {
    "a": torch.arange(3, dtype=torch.bfloat16),  # 6 bytes: would misalign what follows
    "b": torch.arange(4.0).reshape(2, 2),
    "c": torch.tensor([0.5], dtype=torch.float16),
}


def outputs() -> list[OutputTensor]:
    return [
        OutputTensor(name=name, shape=tuple(t.shape), dtype=t.dtype, load=lambda t=t: t)
        for name, t in TENSORS.items()
    ]


def test_single_file_is_read_by_the_library(tmp_path: Path) -> None:
    assert write_folder(tmp_path, outputs()) == [tmp_path / "model.safetensors"]
    read = load_file(tmp_path / "model.safetensors")
    assert read.keys() == TENSORS.keys()
    assert all(torch.equal(read[name], tensor) for name, tensor in TENSORS.items())
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_shards_keep_the_limit_and_the_index_lists_what_is_written(tmp_path: Path) -> None:
    paths = write_folder(tmp_path, outputs(), max_shard_bytes=16)
    assert [path.name for path in paths] == [
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    ]
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == 6 + 16 + 2
    assert {path.name: sorted(load_file(path)) for path in paths} == {
        "model-00001-of-00002.safetensors": ["b"],
        "model-00002-of-00002.safetensors": ["a", "c"],
    }
    for name, file in index["weight_map"].items():
        assert torch.equal(load_file(tmp_path / file)[name], TENSORS[name])


def test_progress_ends_at_all_bytes(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    write_folder(tmp_path, outputs(), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(16, 24), (22, 24), (24, 24)]


def test_folder_is_listed_with_shapes_and_formats(tmp_path: Path) -> None:
    write_folder(tmp_path, outputs(), max_shard_bytes=16)
    files = open_folder(tmp_path)
    assert {name: (f.shape, f.dtype) for name, f in files.items()} == {
        name: (tuple(t.shape), t.dtype) for name, t in TENSORS.items()
    }
    assert torch.equal(read_tensor("b", files["b"]), TENSORS["b"])


def test_pickled_weights_are_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"anything")
    with pytest.raises(CheckpointError, match=r"must be safetensors, .* pickled .*save_pretrained"):
        open_folder(tmp_path)


def test_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"must contain model\.safetensors or"):
        open_folder(tmp_path)


@pytest.mark.parametrize("keep_bytes", [4, 60, -1])
def test_truncated_file_is_refused(tmp_path: Path, keep_bytes: int) -> None:
    (path,) = write_folder(tmp_path, outputs())
    path.write_bytes(path.read_bytes()[:keep_bytes])
    with pytest.raises(CheckpointError, match=r"complete safetensors file, got .*truncated"):
        open_folder(tmp_path)


def test_missing_shard_is_refused(tmp_path: Path) -> None:
    paths = write_folder(tmp_path, outputs(), max_shard_bytes=16)
    paths[1].unlink()
    with pytest.raises(CheckpointError, match=r"model-00002-of-00002\.safetensors.*missing"):
        open_folder(tmp_path)


def change_index(folder: Path, **entries: str) -> None:
    path = folder / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    index["weight_map"] |= entries
    path.write_text(json.dumps(index))


def test_index_naming_a_tensor_that_is_not_written_is_refused(tmp_path: Path) -> None:
    write_folder(tmp_path, outputs(), max_shard_bytes=16)
    change_index(tmp_path, ghost="model-00001-of-00002.safetensors")
    with pytest.raises(CheckpointError, match="tensor ghost must be in model-00001"):
        open_folder(tmp_path)


def test_index_pointing_outside_the_folder_is_refused(tmp_path: Path) -> None:
    write_folder(tmp_path, outputs(), max_shard_bytes=16)
    change_index(tmp_path, a="../model.safetensors")
    with pytest.raises(CheckpointError, match="must name files beside it"):
        open_folder(tmp_path)


def test_broken_index_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors.index.json").write_text('{"weight_map": ')
    with pytest.raises(CheckpointError, match="must be JSON with a weight_map"):
        open_folder(tmp_path)


def test_quantized_weights_are_refused(tmp_path: Path) -> None:
    save_file({"q": torch.ones(2, dtype=torch.int8)}, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match="tensor q must be one of F32, BF16, F16, got I8"):
        open_folder(tmp_path)
