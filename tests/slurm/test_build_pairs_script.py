"""The batch script as Slurm runs it: once, or as an array and then once more."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from wikipedia_samples import (
    dump_xml,
    langlinks_sql,
    page_sql,
    page_xml,
    redirect_sql,
    write_packed,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    files = {
        "source-dump": dump_xml([page_xml(1, "Bee", "A '''bee'''.")]),
        "target-dump": dump_xml([page_xml(2, "Abeja", "Una [[abeja]].")]),
        "langlinks": langlinks_sql([(2, "en", "Bee")]),
        "source-page": page_sql([(1, 0, "Bee", 0, None), (3, 0, "Bees", 1, None)]),
        "source-redirect": redirect_sql([(3, 0, "Bee", None, None)]),
        "target-page": page_sql([(2, 0, "Abeja", 0, None), (4, 0, "Abejas", 1, None)]),
        "target-redirect": redirect_sql([(4, 0, "Abeja", None, None)]),
    }
    paths = {name: write_packed(tmp_path / name, content) for name, content in files.items()}
    flags = [word for name, path in paths.items() for word in (f"--{name}", str(path))]
    return [*flags, "--target-lang", "es", "--output", str(tmp_path / "out dir" / "pairs.jsonl")]


def submit(arguments: list[str], **slurm: str) -> str:
    script = ROOT / "slurm" / "build_pairs.sbatch"
    environment = {**os.environ, "PYTHON": sys.executable, "SLURM_SUBMIT_DIR": str(ROOT), **slurm}
    command = ["bash", str(script), *arguments]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_one_job_makes_the_pairs(arguments: list[str], tmp_path: Path) -> None:
    assert submit(arguments, SLURM_CPUS_PER_TASK="2").splitlines()[1].split() == ["pairs", "1"]
    assert (tmp_path / "out dir" / "pairs.jsonl").exists()


def test_an_array_cleans_and_a_job_after_it_makes_the_pairs(
    arguments: list[str], tmp_path: Path
) -> None:
    for task in (1, 2):
        array = {"SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_COUNT": "2"}
        shown = submit(arguments, SLURM_ARRAY_TASK_ID=str(task), **array)
        assert shown.startswith(f"{task} of 2 parts are cleaned")
    assert not (tmp_path / "out dir" / "pairs.jsonl").exists()
    assert submit(arguments).splitlines()[1].split() == ["pairs", "1"]
