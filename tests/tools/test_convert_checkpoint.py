"""The command line: there and back with the parity report, and errors as exit codes."""

import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_hf import make_hf

from megatron_crossic.commandline import run

TOOL = Path(__file__).parents[2] / "tools" / "convert_checkpoint.py"
Convert = Callable[..., int]


@pytest.fixture
def convert(monkeypatch: pytest.MonkeyPatch) -> Convert:
    """Runs the tool with arguments and returns its exit code."""
    main = runpy.run_path(str(TOOL))["main"]

    def call(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", [str(TOOL), *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            run(main)
        code = ended.value.code
        assert isinstance(code, int), f"exit code must be a number, got {code!r}"
        return code

    return call


def test_there_and_back_with_a_report_beside_each_output(
    convert: Convert, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hf = make_hf(tmp_path / "hf", "qwen2_tied_odd", dtype=torch.bfloat16)
    checkpoint, back = tmp_path / "checkpoint", tmp_path / "back"
    assert convert("from-hf", "--hf", hf, "--output", checkpoint, "--check") == 0
    assert convert("to-hf", "--checkpoint", checkpoint, "--output", back, "--check") == 0
    captured = capsys.readouterr()
    assert captured.out.count("26 of 26") == 2
    assert "import 100%" in captured.err
    for output in (checkpoint, back):
        report = json.loads((tmp_path / f"{output.name}.parity.json").read_text())
        assert report["different_tensors"] == []
        assert report["max_relative"] <= 1e-4


def test_a_small_model_is_checked_unasked(convert: Convert, tmp_path: Path) -> None:
    hf = make_hf(tmp_path / "hf", "llama_tied")
    size = (hf / "model.safetensors").stat().st_size
    for name, bound in (("at", size / 1e9), ("below", (size + 1) / 1e9)):
        output = tmp_path / name
        assert convert("from-hf", "--hf", hf, "--output", output, "--check-below", bound) == 0
        assert (tmp_path / f"{name}.parity.json").exists() == (name == "below")


def test_difference_found_by_the_check_is_a_checkpoint_error(
    convert: Convert,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A faulty conversion: keys and values exchanged on the way."""
    monkeypatch.setattr(
        "megatron_crossic.model.weights.merge_qkv",
        lambda query, key, value, *, num_groups: torch.cat([query, value, key]),  # noqa: ARG005
    )
    hf = make_hf(tmp_path / "hf", "llama_tied")
    assert convert("from-hf", "--hf", hf, "--output", tmp_path / "out", "--check") == 4
    assert "error: tensors must be equal bit for bit" in capsys.readouterr().err
    assert json.loads((tmp_path / "out.parity.json").read_text())["different_tensors"]


def test_errors_have_their_exit_codes(
    convert: Convert, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hf = make_hf(tmp_path / "hf", "llama_tied")
    assert convert("from-hf", "--hf", hf, "--output", hf) == 2
    assert "output path must not exist" in capsys.readouterr().err
    tensors = load_file(hf / "model.safetensors")
    del tensors["model.norm.weight"]
    save_file(tensors, hf / "model.safetensors")
    assert convert("from-hf", "--hf", hf, "--output", tmp_path / "out") == 4
    assert "model.norm.weight must be in the checkpoint" in capsys.readouterr().err
