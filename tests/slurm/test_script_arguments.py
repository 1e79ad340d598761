"""What the batch scripts say before they start anything; no Slurm is needed for that."""

import os
import subprocess
from pathlib import Path

import pytest
from slurm_jobs import PROJECT, SITE


def run_script(script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(PROJECT / "slurm" / script), *arguments],
        env={**os.environ, **SITE, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("build_pairs.sbatch --target-lang th", "--output must be given, got none."),
        ("preprocess.sbatch --seq-length 8", "--output-prefix must be given, got none."),
        ("merge.sbatch --shards 8", "--output-prefix must be given, got none."),
        ("convert.sbatch --hf x", "the first argument must be from-hf or to-hf, got '--hf'."),
        ("convert.sbatch from-hf --hf x", "--output must be given, got none."),
        ("convert.sbatch to-hf --output", "--output must be given, got none."),
    ],
)
def test_a_missing_argument_is_one_line_and_exit_code_2(command: str, message: str) -> None:
    done = run_script(*command.split())
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith(f"error: {message}")


@pytest.mark.parametrize(
    "script", sorted((PROJECT / "slurm").glob("*.sbatch")), ids=lambda p: p.stem
)
def test_a_job_of_another_folder_is_refused(script: Path, tmp_path: Path) -> None:
    done = run_script(script.name, CROSSIC_ROOT=str(tmp_path))
    assert done.returncode == 2
    assert "jobs must be submitted from the project's folder" in done.stderr


def test_what_is_complete_is_passed_over(tmp_path: Path) -> None:
    output = tmp_path / "pairs.jsonl"
    Path(f"{output}.manifest.json").touch()
    done = run_script("build_pairs.sbatch", "--output", str(output))
    assert done.returncode == 0
    assert done.stdout.endswith("is complete; nothing to do (--overwrite makes it anew)\n")


def test_a_folder_that_was_not_compared_to_the_end_is_made_anew(tmp_path: Path) -> None:
    output, asked = tmp_path / "qwen", tmp_path / "asked"
    srun = tmp_path / "bin" / "srun"
    srun.parent.mkdir()
    srun.write_text(
        f'#!/bin/sh\necho "$@" >{asked}\nmkdir -p {output}\ntouch {output}/latest\nexit $CODE\n',
        encoding="utf-8",
    )
    srun.chmod(0o755)

    def convert(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        asked.unlink(missing_ok=True)
        path = f"{srun.parent}:{os.environ['PATH']}"
        words = ("from-hf", "--hf", "x", "--output", str(output), *arguments)
        return run_script(
            "convert.sbatch", *words, CODE=str(code), PATH=path, SLURM_CPUS_ON_NODE="1"
        )

    assert convert(code=4).returncode == 4
    assert "--overwrite" not in asked.read_text()
    assert Path(f"{output}.unchecked").exists()
    assert convert().returncode == 0
    assert "--overwrite" in asked.read_text(), "it is the script's own"
    assert not Path(f"{output}.unchecked").exists()
    assert "is there already; nothing to do" in convert(code=1).stdout
    assert not asked.exists()
    assert convert("--overwrite", code=143).returncode == 143, "killed"
    assert convert().returncode == 0
    assert asked.exists()


def test_the_folder_of_somebody_else_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "qwen").mkdir()
    (tmp_path / "qwen" / "mine").touch()
    words = ("from-hf", "--hf", "x", "--output", str(tmp_path / "qwen"))
    done = run_script("convert.sbatch", *words, PATH="/bin:/usr/bin", SLURM_CPUS_ON_NODE="1")
    assert done.returncode != 0
    assert not (tmp_path / "qwen.unchecked").exists()
