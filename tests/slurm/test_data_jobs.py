"""Pairs and windows as jobs: arrays, what closes them, what was killed, what is repeated."""

from pathlib import Path

import pytest
from slurm_jobs import PROJECT, Slurm, text
from small_pairs import make_pair, write_byte_tokenizer, write_pairs
from small_windows import counted_windows
from wikipedia_samples import (
    dump_xml,
    langlinks_sql,
    page_sql,
    page_xml,
    redirect_sql,
    write_packed,
)

from megatron_crossic.data.store import open_windows

SIZE = ("--cpus-per-task=2", "--mem-per-cpu=500")
"""What a simulated node has, instead of what a real one has."""


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Three segments of pairs (a segment is at least 4 MiB, a file of 3 MiB its own)."""
    folder = tmp_path_factory.mktemp("data jobs")
    files = [
        write_pairs(
            folder / f"pairs {file}.jsonl",
            [
                make_pair(f"{file}-{i}", f"Sentence {i}. " * 800, "Una frase. " * 800)
                for i in range(130 + file)
            ],
        )
        for file in range(3)
    ]
    tokenizer = write_byte_tokenizer(folder / "tokenizer")
    fixed = "--segment-mib 4 --seq-length 2048 --validation-fraction 0.1".split()
    return ["--pairs", *map(str, files), "--tokenizer", str(tokenizer), *fixed]


def array(slurm: Slurm, folder: Path, script: str, *arguments: str, tasks: str) -> int:
    """Submit one; its logs are TASK.log."""
    where = (f"--array={tasks}", f"--output={folder}/%a.log", "--open-mode=truncate")
    return slurm.sbatch(folder, *SIZE, *where, PROJECT / "slurm" / script, *arguments)


def after(slurm: Slurm, job: int, folder: Path, script: str, *arguments: str) -> int:
    """Submit a job that waits for an array."""
    waits = (f"--dependency=afterok:{job}", "--kill-on-invalid-dep=yes")
    return slurm.sbatch(folder, *SIZE, *waits, PROJECT / "slurm" / script, *arguments)


def test_shards_of_which_one_was_killed_are_merged_to_what_one_job_makes(
    slurm: Slurm, options: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "with space"
    folder.mkdir()
    options = [*options, "--output-prefix", str(folder / "x")]
    merging = ("merge.sbatch", "--output-prefix", str(folder / "x"), "--shards", "3")

    shards = array(slurm, folder, "preprocess.sbatch", *options, tasks="0-2")
    merge = after(slurm, shards, folder, *merging)
    slurm.until(lambda: any(folder.glob("x-00001*.partial")), "shard 1 is being written")
    slurm.cluster.run("scancel", f"{shards}_1")
    assert [slurm.end_of(f"{shards}_{task}") for task in range(3)] == [
        "COMPLETED",
        "CANCELLED",
        "COMPLETED",
    ]
    # It does not wait for ever for what cannot come.
    assert slurm.end_of(merge) == "CANCELLED"
    assert not (folder / "x-00001-of-00003.manifest.json").exists()

    again = array(slurm, folder, "preprocess.sbatch", *options, tasks="0-2")
    merge = after(slurm, again, folder, *merging)
    whole = slurm.sbatch(
        folder, *SIZE, PROJECT / "slurm" / "preprocess.sbatch", *options[:-1], folder / "whole"
    )
    assert slurm.end_of(merge) == "COMPLETED", text(folder / f"{merge}.log")
    for task in (0, 2):
        assert "is complete; nothing to do" in text(folder / f"{task}.log")
    assert slurm.end_of(whole) == "COMPLETED", text(folder / f"{whole}.log")
    for job, suffix in ((merge, ""), (merge, "-validation"), (whole, ""), (whole, "-validation")):
        name = "x" if job == merge else "whole"
        assert f"{name}{suffix}: all laws hold" in text(folder / f"{job}.log")
    for suffix in ("", "-validation"):
        merged, single = (
            open_windows(folder / f"x{suffix}"),
            open_windows(folder / f"whole{suffix}"),
        )
        assert counted_windows(merged) == counted_windows(single)
        assert len(single) > 100
        assert merged.manifest.counts == single.manifest.counts
        assert merged.manifest.inputs == single.manifest.inputs


def test_a_job_that_is_put_back_into_the_queue_goes_on_and_what_waits_for_it_waits(
    slurm: Slurm, options: list[str], tmp_path: Path
) -> None:
    script = PROJECT / "slurm" / "preprocess.sbatch"
    job = slurm.sbatch(tmp_path, *SIZE, script, *options, "--output-prefix", tmp_path / "x")
    seen = f"test -e '{tmp_path}/x.manifest.json'"
    waiting = slurm.sbatch(tmp_path, f"--dependency=afterok:{job}", "--wrap", seen)
    slurm.until(lambda: any(tmp_path.glob("x*.partial")), "windows are being written")
    slurm.cluster.run("scontrol", "requeue", str(job))
    assert slurm.end_of(waiting) == "COMPLETED", text(tmp_path / f"{job}.log")
    assert slurm.field(job, "Restarts") == "1"
    assert "x: all laws hold" in text(tmp_path / f"{job}.log")


def test_part_of_an_array_does_not_pass_for_all_shards(slurm: Slurm, tmp_path: Path) -> None:
    job = array(slurm, tmp_path, "preprocess.sbatch", "--output-prefix", "x", tasks="3")
    assert slurm.end_of(job) == "FAILED"
    assert slurm.field(job, "ExitCode") == "2:0"
    assert "the array must be 0-N, got 1 tasks from 3 to 3." in text(tmp_path / "3.log")


@pytest.fixture
def dumps(tmp_path: Path) -> list[str]:
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


def test_an_array_cleans_and_a_job_after_it_makes_the_pairs(
    slurm: Slurm, dumps: list[str], tmp_path: Path
) -> None:
    cleaning = array(slurm, tmp_path, "build_pairs.sbatch", *dumps, tasks="0-1")
    pairing = after(slurm, cleaning, tmp_path, "build_pairs.sbatch", *dumps)
    assert slurm.end_of(pairing) == "COMPLETED", text(tmp_path / f"{pairing}.log")
    assert "of 2 parts are cleaned" in text(tmp_path / "0.log")
    assert text(tmp_path / f"{pairing}.log").splitlines()[1].split() == ["pairs", "1"]
    assert len(text(tmp_path / "out dir" / "pairs.jsonl").splitlines()) == 1
    again = slurm.sbatch(tmp_path, *SIZE, PROJECT / "slurm" / "build_pairs.sbatch", *dumps)
    assert slurm.end_of(again) == "COMPLETED"
    assert "is complete; nothing to do" in text(tmp_path / f"{again}.log")
