"""A damaged checkpoint is passed over, with a warning, for the one before."""

from dataclasses import replace
from pathlib import Path

import pytest
from tiny_runs import losses, run_ranks, run_training, tiny_config

from megatron_crossic.checkpoint.untrusted import read_index
from megatron_crossic.errors import CheckpointError


def flip(path: Path, position: int) -> None:
    """Damage one bit."""
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def flip_tensor(folder: Path) -> None:
    """Damage the optimizer, which is read last."""
    place = next(
        place
        for position, place in read_index(folder).storage_data.items()
        if position.fqn.startswith("optimizer.")
    )
    flip(folder / place.relative_path, place.offset + place.length // 2)


@pytest.mark.parametrize("what", ["tensor", ".metadata", "common.pt", "checkpoint.json", "short"])
def test_the_run_goes_on_from_the_one_before(
    inputs: Path, tmp_path: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny_config(inputs, run_dir=tmp_path)
    run_training(config)
    expected = losses(tmp_path)
    newest = tmp_path / "checkpoints" / "step_0000006"
    if what == "tensor":
        flip_tensor(newest)
    elif what == "short":
        (file,) = newest.glob("*.distcp")
        file.write_bytes(file.read_bytes()[:-1000])
    else:
        flip(newest / what, (newest / what).stat().st_size // 2)
    capsys.readouterr()
    run_training(config)
    said = capsys.readouterr().err
    assert f"warning: passed over {newest}: " in said
    assert "resuming after step 3" in said
    assert losses(tmp_path) == expected


def test_all_ranks_pass_over_what_one_of_them_found(inputs: Path, tmp_path: Path) -> None:
    config = tiny_config(inputs, run_dir=tmp_path / "run")
    run_training(config)
    flip_tensor(config.run_dir / "checkpoints" / "step_0000006")
    said = run_ranks(2, tmp_path / "log", run_training, config)
    assert "warning: passed over" in said
    assert "resuming after step 3" in said
    assert len(losses(config.run_dir)) == 6


def test_damage_everywhere_is_an_error(inputs: Path, tmp_path: Path) -> None:
    config = replace(tiny_config(inputs, run_dir=tmp_path), stop_after_step=3)
    run_training(config)
    flip_tensor(tmp_path / "checkpoints" / "step_0000003")
    with pytest.raises(CheckpointError, match="checkpoints must include a complete one, got none"):
        run_training(config)
