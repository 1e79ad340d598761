"""The command line as a user sees it."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from forked_tools import run_tool
from mined_corpus import TOPICS, fit_pairs, topic_pair
from small_pairs import make_pair, write_pairs

pytest.importorskip("sklearn", reason="the embedded encoder needs the extra `retrieval`")

Call = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    write_pairs(folder / "fit.jsonl", fit_pairs())
    write_pairs(folder / "held.jsonl", [topic_pair(topic, 20) for topic in range(TOPICS)])
    write_pairs(folder / "few.jsonl", [make_pair("p", "a", "b")])
    return folder


@pytest.fixture
def call(tmp_path: Path) -> Call:
    def run(*arguments: str | Path) -> CompletedProcess[str]:
        return run_tool(tmp_path, "evaluate_encoder.py", *arguments)

    return run


def test_a_table_and_the_figures(files: Path, call: Call, tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    arguments = ("--pairs", files / "held.jsonl", "--fit-pairs", files / "fit.jsonl")
    done = call(*arguments, "--dimension", "16", "--json", figures)
    assert (done.returncode, done.stderr) == (0, "")
    head, *rows = done.stdout.splitlines()
    assert head.split() == ["query", "documents", "P@1", "MRR", "chance", "P@1"]
    assert [row.split()[:2] for row in rows] == [
        ["title", "8"],
        ["keywords", "8"],
        ["document", "8"],
    ]
    assert rows[2].split(maxsplit=2)[2].startswith("1.000 [1.000, 1.000]")
    found = json.loads(figures.read_text())
    assert found["document"]["precision"] == 1
    before = figures.read_bytes()
    again = call(*arguments, "--dimension", "16", "--json", figures)
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr.startswith("error: output path must not exist")
    assert call(*arguments, "--dimension", "16", "--json", figures, "--overwrite").returncode == 0
    assert figures.read_bytes() == before


def test_by_folds(files: Path, call: Call) -> None:
    done = call("--pairs", files / "fit.jsonl", "--dimension", "16")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[3].split()[:2] == ["document", "24"]


def test_an_input_is_never_replaced(files: Path, call: Call) -> None:
    before = (files / "fit.jsonl").read_bytes()
    for pairs, other in (("fit", "held"), ("held", "fit")):
        done = call(
            *("--pairs", files / f"{pairs}.jsonl", "--fit-pairs", files / f"{other}.jsonl"),
            *("--json", files / "fit.jsonl", "--overwrite"),
        )
        assert done.returncode == 2
        assert done.stderr.startswith("error: output must not replace an input")
    assert (files / "fit.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--pairs", "few.jsonl"], 3, "pairs to measure an encoder with must be at least 5, got 1"),
        (["--pairs", "nothing.jsonl"], 3, "input file must be readable"),
        (["--pairs", "fit.jsonl", "--num-keywords", "-1"], 2, "num-keywords must be positive"),
        (["--pairs", "fit.jsonl", "--dimension", "0"], 2, "dimension must be positive, got 0"),
        (["--pairs", "fit.jsonl", "--encoder", "e5"], 2, "encoder must be embedded, embedded:FOLD"),
        (
            ["--pairs", "held.jsonl", "--fit-pairs", "fit.jsonl", "--encoder", "embedded:x"],
            2,
            "fit-pairs must go with the encoder embedded, got embedded:x",
        ),
        ([], 2, "command line must be valid, got: the following arguments are required: --pairs"),
    ],
)
def test_mistakes_are_one_line(
    files: Path, call: Call, arguments: list[str], code: int, message: str
) -> None:
    done = call(*(files / word if word.endswith(".jsonl") else word for word in arguments))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1)
    assert done.stderr.startswith(f"error: {message}")
