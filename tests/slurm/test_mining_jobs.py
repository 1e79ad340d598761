"""Pairs mined as jobs: a chain of arrays, of which a task is killed, makes what one run makes."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from slurm_jobs import PROJECT, SITE, Slurm, text
from small_pairs import make_pair, write_pairs

SIMULATED = {"CROSSIC_CPUS_PER_JOB": "2", "CROSSIC_MEMORY_PER_CPU": "500M"}
NUM_TOPICS = 30
PADDING = 34_000_000
"""Bytes of blanks in each file of the corpus: two of them are more than a segment, 64 MiB."""


def about(topic: int, language: str) -> str:
    """Words of a topic, some of which the next two have as well."""
    groups = [(topic + near) % NUM_TOPICS for near in range(3) for _ in range(3 - near)]
    return " ".join(f"{language}{chr(97 + group % 26)}{group}" for group in groups * 5)


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A corpus of two segments and the documents that are looked for in it."""
    folder = tmp_path_factory.mktemp("mining jobs")
    pairs = [
        make_pair(f"p{topic}", about(topic, "en"), about(topic, "es"))
        for topic in range(NUM_TOPICS)
    ]
    targets = write_pairs(folder / "en-es.jsonl", pairs)
    for number in range(2):
        pages = [
            {"id": f"page{topic}", "text": f"Seen again. {about(topic, 'en')}"}
            for topic in range(number, NUM_TOPICS, 2)
        ]
        lines = "".join(f"{json.dumps(page)}\n" for page in pages)
        content = lines + (" " * 999_999 + "\n") * (PADDING // 1_000_000)
        (folder / f"web {number}.jsonl").write_text(content, encoding="utf-8")
    corpus = [str(folder / f"web {number}.jsonl") for number in range(2)]
    return ["--corpus", *corpus, "--targets", str(targets), "--index", "hnsw"]


def mine(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Call mine_pairs.sh where there is no Slurm."""
    return subprocess.run(
        ["bash", str(PROJECT / "slurm" / "mine_pairs.sh"), *arguments],
        env={"PATH": "/usr/bin:/bin", **SITE, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def submitted(slurm: Slurm, *arguments: str) -> dict[str, str]:
    """Call it on the cluster: the number of each stage's job."""
    script = str(PROJECT / "slurm" / "mine_pairs.sh")
    shown = slurm.cluster.run("bash", script, *arguments, variables={**SITE, **SIMULATED})
    return dict(re.findall(r"^(\w+) +(\d+) +[\d:-]+ +/", shown, re.M))


def logs(output: Path) -> str:
    paths = sorted(Path(f"{output}.work/logs").iterdir())
    return "\n".join(f"{path.name}\n{text(path)}" for path in paths)


def test_a_chain_of_which_a_task_was_killed_makes_the_pairs_of_one_run(
    slurm: Slurm, options: list[str], tmp_path: Path
) -> None:
    output = tmp_path / "the out put.jsonl"
    arguments = [*options, "--output", str(output), "--tasks", "2"]
    jobs = submitted(slurm, *arguments)
    stages = ["fit", "encode", "encoded", "index", "indexed", "search", "pairs"]
    assert list(jobs) == stages
    with pytest.raises(AssertionError, match="jobs of an earlier call must have ended, got"):
        submitted(slurm, *arguments)
    started = Path(f"{output}.work/logs/encode-{jobs['encode']}-1.log")
    slurm.until(started.exists, "a task encodes")
    slurm.cluster.run("scancel", f"{jobs['encode']}_1")
    assert slurm.end_of(f"{jobs['encode']}_1") == "CANCELLED"
    assert slurm.end_of(f"{jobs['encode']}_0") == "COMPLETED", logs(output)
    assert [slurm.end_of(jobs[stage]) for stage in stages[2:]] == ["CANCELLED"] * 5

    jobs = submitted(slurm, *arguments)
    whole = tmp_path / "whole.jsonl"
    tool = [sys.executable, str(PROJECT / "tools" / "mine_pairs.py"), "all", "--workers", "2"]
    subprocess.run([*tool, *options, "--output", str(whole)], check=True, capture_output=True)
    assert slurm.end_of(jobs["pairs"]) == "COMPLETED", logs(output)
    assert "encoded: 3 of 3 segments" in text(
        Path(f"{output}.work/logs/encoded-{jobs['encoded']}.log")
    )
    assert output.read_bytes() == whole.read_bytes()
    pairs = [json.loads(line) for line in output.read_text("utf-8").splitlines()]
    # A page was found for nearly every document, and each segment of the corpus has some of them.
    assert len(pairs) > 0.8 * NUM_TOPICS
    pages = [int(re.findall(r"page(\d+)#", pair["source"]["id"])[0]) for pair in pairs]
    assert {page % 2 for page in pages} == {0, 1}
    assert "is complete; nothing is submitted" in mine(*arguments).stdout


def test_all_steps_are_one_job(slurm: Slurm, options: list[str], tmp_path: Path) -> None:
    script, output = PROJECT / "slurm" / "mine_pairs.sbatch", tmp_path / "x.jsonl"
    size = ("--cpus-per-task=2", "--mem-per-cpu=500")
    job = slurm.sbatch(tmp_path, *size, script, *options, "--output", output)
    assert slurm.end_of(job) == "COMPLETED", text(tmp_path / f"{job}.log")
    assert f"account: {output}.manifest.json" in text(tmp_path / f"{job}.log")


def test_a_pre_trained_encoder_is_not_fitted_and_encodes_on_gpus(tmp_path: Path) -> None:
    output = tmp_path / "x.jsonl"
    site = {"CROSSIC_PARTITION": "gpu", "CROSSIC_CPU_PARTITION": "cpu", "CROSSIC_ACCOUNT": "me"}
    given = ["--corpus", "a b", "--targets", "c", "--output", str(output), "--time=20", "--tasks=3"]
    done = mine("--dry-run", *given, "--encoder", "sentence-transformers:model", **site)
    assert (done.returncode, done.stderr) == (0, "")
    assert not Path(f"{output}.work").exists()
    commands = [shlex.split(line) for line in done.stdout.splitlines()]
    by_stage = {command[0].split("=")[0]: command for command in commands[1:]}
    assert list(by_stage) == ["encode", "encoded", "index", "indexed", "search", "pairs"]
    for stage, command in by_stage.items():
        is_encoding = stage.startswith("encode")
        assert ("--gpus-per-node=1" in command) == is_encoding
        # The last counts.
        partitions = [word for word in command if word.startswith("--partition=")]
        assert partitions[-1] == f"--partition={'gpu' if is_encoding else 'cpu'}"
        assert ("--array=0-2" in command) == (stage in ("encode", "index", "search"))
        assert {"--account=me", "--time=20"} < set(command)
        assert command[command.index("--corpus") + 1] == "a b"
    assert "--gpus-per-node" not in mine("--dry-run", *given, **site).stdout
    assert mine("--dry-run", *given, **site).stdout.count("$fit") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--corpus a --targets b", "--output must be given, got none."),
        ("--corpus a --output b", "--targets must be given, got none."),
        ("--corpus a --tasks 0", "--tasks must be a whole number above 0, got 0."),
        ("--corpus a --overwrite", "options must not be --overwrite or --shard, got --overwrite."),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_code_2(arguments: str, message: str) -> None:
    done = mine(*arguments.split())
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith(f"error: {message}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("fit --output x", "an array must be of encode, index or search, got fit."),
        ("--output x", "an array must be of encode, index or search, got fit encode index"),
        ("encode --output x --overwrite", "--overwrite must not be given to an array, got it."),
        ("guess --output x", "steps must be of fit, encode, index, search and select, got guess."),
    ],
)
def test_what_an_array_cannot_do(arguments: str, message: str) -> None:
    task = {"SLURM_ARRAY_TASK_ID": "0", "SLURM_ARRAY_TASK_MIN": "0"}
    count = {"SLURM_ARRAY_TASK_MAX": "1", "SLURM_ARRAY_TASK_COUNT": "2"}
    done = subprocess.run(
        ["bash", str(PROJECT / "slurm" / "mine_pairs.sbatch"), *arguments.split()],
        env={"PATH": "/usr/bin:/bin", **SITE, **task, **count},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {message}")
