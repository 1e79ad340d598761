"""The command line of mining as a user sees it, killed wherever it can be."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from killed_tools import TOOLS, killed_runs, run_tool
from mined_corpus import TOPICS, write_inputs

from megatron_crossic.data.pairs import read_pairs

pytest.importorskip("sklearn", reason="the embedded encoder needs the extra `retrieval`")
pytest.importorskip("faiss", reason="an index needs the extra `retrieval`")

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    write_inputs(folder)
    return folder


def arguments(inputs: Path) -> list[str]:
    files = {"--corpus": "corpus", "--targets": "targets", "--fit-pairs": "fit"}
    named = [word for option, name in files.items() for word in (option, f"{inputs}/{name}.jsonl")]
    return [*named, *"--index hnsw --workers 1 --near-duplicate 0 --dimension 16".split()]


def call(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "tools/mine_pairs.py", *words]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)


def test_wherever_it_is_killed_it_goes_on(inputs: Path) -> None:
    words = [
        "all",
        *arguments(inputs),
        "--output",
        "{}/out.jsonl",
        "--views",
        "title=1",
        "document=2",
    ]
    whole, *killed = killed_runs(
        "mine_pairs.py", words, output="out.jsonl", with_signal=signal.SIGKILL
    )
    assert whole[:3] == ("", 0, 0)
    assert [run[1:] for run in killed] == [(137, 0, whole[3])] * len(killed)
    at = "\n".join(place for place, *_ in killed)
    for name in (
        "encoder/encoder.safetensors.manifest.json",
        "vectors/passages-00000.places.npy",
        "vectors/queries-00000.title.npy",
        "vectors/encoded.json",
        "index/part-00000.faiss",
        "index/index.manifest.json",
        "candidates/candidates-00000.npy",
        "candidates/nearest/index.manifest.json",
        "candidates/candidates.json",
    ):
        assert f"out.jsonl.work/{name}\n" in at
    assert at.endswith("os.rename out.jsonl\nos.rename out.jsonl.manifest.json")


def test_wherever_it_is_interrupted(inputs: Path) -> None:
    words = ["all", *arguments(inputs), "--output", "{}/out.jsonl"]
    whole, *killed = killed_runs(
        "mine_pairs.py", words, output="out.jsonl", with_signal=signal.SIGINT, every=6
    )
    assert len(killed) >= 4
    assert [run[1:] for run in killed] == [(130, 0, whole[3])] * len(killed)


def test_what_is_printed_is_what_was_done(inputs: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    words = [*arguments(inputs), "--output", str(output)]
    done = call("all", *words)
    assert done.returncode == 0, done.stderr
    rows = [line.rsplit(maxsplit=1) for line in done.stdout.splitlines()]
    table = {row[0].strip(): row[1] for row in rows if len(row) == 2}
    assert (table["passages of the corpus"], table["pairs"]) == (str(TOPICS), str(TOPICS))
    assert len(list(read_pairs(output))) == TOPICS
    assert (tmp_path / "out.jsonl.html").read_text(encoding="utf-8").startswith("<!")
    again = call("select", *words)
    assert again.returncode == 2
    assert again.stderr.startswith("error: output path must not exist")
    nothing = call(
        "select",
        *words[:-1],
        str(tmp_path / "no.jsonl"),
        "--work",
        f"{output}.work",
        "--min-score",
        "99",
    )
    assert nothing.returncode == 3
    assert "error: selection must leave at least one pair, got none" in nothing.stderr
    assert "Traceback" not in nothing.stderr
    assert (tmp_path / "no.jsonl.html").exists(), "the scores to look at"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["select", "--shard", "0/2"], 2, "shard must be of one of the steps encode, index, sea"),
        (["encode", "--shard", "2/2"], 2, "shard must be I/N with I below N"),
        (["encode", "--shard", "0/2", "--overwrite"], 2, "overwrite must be done by one run"),
        (["all", "--workers", "0"], 2, "workers must be positive, got 0"),
        (["all", "--seed", "-1"], 2, "seed must be 0 to 2,147,483,647, got -1"),
        (["all", "--threads", "0"], 2, "threads must be positive"),
        (["all", "--views", "title=x"], 2, "views must be NAME=WEIGHT"),
        (["encode"], 3, "encoder must be fitted before texts are encoded"),
    ],
)
def test_one_line_errors(
    inputs: Path, tmp_path: Path, words: list[str], code: int, message: str
) -> None:
    """Said in a fork: what is wrong is found before anything is computed."""
    step, *others = words
    output = str(tmp_path / "out.jsonl")
    command = [str(TOOLS / "mine_pairs.py"), step, *arguments(inputs), "--output", output, *others]
    assert run_tool(command, tmp_path / "said") == code
    said = (tmp_path / "said").read_text(encoding="utf-8")
    assert said.startswith(f"error: {message}")
    assert said.count("\n") == 1
