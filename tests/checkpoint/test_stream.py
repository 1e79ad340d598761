"""Single tensors through the distributed checkpoint format."""

import pickle
import weakref
from pathlib import Path

import pytest
import torch
from megatron.core.dist_checkpointing.serialization import load_tensors_metadata

from megatron_crossic.checkpoint.stream import Chunk, TensorReader, TensorWriter, write_checkpoint
from megatron_crossic.errors import CheckpointError

LAYERS = torch.arange(24.0).reshape(3, 4, 2)  # [layers, rows, columns]


def chunk(tensor: torch.Tensor, *offsets: int, key: str = "w") -> Chunk:
    return Chunk(
        key=key,
        global_shape=tuple(LAYERS.shape),
        offsets=offsets,
        dtype=tensor.dtype,
        load=lambda: tensor,
    )


def write_layers(folder: Path) -> None:
    write_checkpoint(folder, [chunk(LAYERS[i : i + 1], i, 0, 0) for i in range(3)], ["x/shard_0_1"])


def test_layers_come_back_one_by_one(tmp_path: Path) -> None:
    write_layers(tmp_path)
    reader = TensorReader(tmp_path)
    for layer in (2, 0, 1):
        assert torch.equal(reader.read("w", shape=(4, 2), layer=layer), LAYERS[layer])
    assert reader.dtype("w") == torch.float32


def test_chunks_of_ranks_are_joined_and_padding_stays_behind(tmp_path: Path) -> None:
    """As two tensor-parallel ranks write it: each the halves of every layer."""
    halves = [chunk(LAYERS[:, :, :1], 0, 0, 0), chunk(LAYERS[:, :, 1:], 0, 0, 1)]
    write_checkpoint(tmp_path, halves, [])
    read = TensorReader(tmp_path).read("w", shape=(3, 2), layer=1)
    assert torch.equal(read, LAYERS[1, :3])


def test_megatron_core_reads_the_index(tmp_path: Path) -> None:
    write_layers(tmp_path)
    found = load_tensors_metadata(str(tmp_path))
    assert {key: tensor.global_shape for key, tensor in found.items()} == {"w": (3, 4, 2)}


def test_files_are_ended_at_their_size_and_hold_only_the_chunk(tmp_path: Path) -> None:
    base = torch.zeros(3, 100_000)
    writer = TensorWriter(tmp_path, max_file_bytes=1)
    for i in range(3):
        view = Chunk(
            key="v",
            global_shape=(3, 2),
            offsets=(i, 0),
            dtype=base.dtype,
            load=lambda i=i: base[i : i + 1, :2],
        )
        writer.write(view)
    writer.close()
    sizes = [path.stat().st_size for path in sorted(tmp_path.glob("*.distcp"))]
    assert len(sizes) == 3
    assert max(sizes) < 3000
    assert TensorReader(tmp_path).read("v", shape=(3, 2)).tolist() == [[0, 0]] * 3


def test_one_chunk_is_alive_at_a_time(tmp_path: Path) -> None:
    made: list[weakref.ref[torch.Tensor]] = []
    alive = []

    def load() -> torch.Tensor:
        alive.append(sum(reference() is not None for reference in made))
        tensor = torch.ones(1, 4, 2)
        made.append(weakref.ref(tensor))
        return tensor

    chunks = [
        Chunk(key="w", global_shape=(9, 4, 2), offsets=(i, 0, 0), dtype=torch.float32, load=load)
        for i in range(9)
    ]
    write_checkpoint(tmp_path, chunks, [])
    assert alive == [0] * 9


def test_other_model_is_refused(tmp_path: Path) -> None:
    write_layers(tmp_path)
    reader = TensorReader(tmp_path)
    with pytest.raises(CheckpointError, match=r"tensor v must be in the checkpoint, got none"):
        reader.read("v", shape=(4, 2))
    with pytest.raises(CheckpointError, match=r"hold \[5, 2\] at layer 0, got \[3, 4, 2\]"):
        reader.read("w", shape=(5, 2), layer=0)
    with pytest.raises(CheckpointError, match=r"hold \[4, 2\] at layer 3, got \[3, 4, 2\]"):
        reader.read("w", shape=(4, 2), layer=3)


def test_gap_between_chunks_is_refused(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, [chunk(LAYERS[:1], 0, 0, 0)], [])
    with pytest.raises(CheckpointError, match="tensor w must be whole, got chunks that leave gaps"):
        TensorReader(tmp_path).read("w", shape=(4, 2), layer=2)


@pytest.mark.parametrize("keep_bytes", [None, 0, 2000])
def test_missing_or_truncated_file_is_refused(tmp_path: Path, keep_bytes: int | None) -> None:
    write_layers(tmp_path)
    file = tmp_path / "__0_0.distcp"
    assert file.stat().st_size > 4000
    if keep_bytes is None:
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:keep_bytes])
    with pytest.raises(CheckpointError, match="must hold the bytes that were written"):
        TensorReader(tmp_path).read("w", shape=(4, 2), layer=2)


class Dangerous:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("executed",)


def test_index_with_code_is_not_executed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_layers(tmp_path)
    (tmp_path / ".metadata").write_bytes(pickle.dumps(Dangerous()))
    with pytest.raises(CheckpointError, match="index of tensors and nothing else"):
        TensorReader(tmp_path)
    assert "executed" not in capsys.readouterr().out
