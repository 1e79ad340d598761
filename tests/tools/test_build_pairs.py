"""The command line, run as a user runs it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "build_pairs.py"

DUMP = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/">
<page><title>{title}</title><ns>0</ns><id>{id}</id>
<revision><id>5</id><timestamp>2024-01-01T00:00:00Z</timestamp><text>{text}</text></revision></page>
</mediawiki>"""


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    (tmp_path / "en.xml").write_text(DUMP.format(title="Bee", id=1, text="A '''bee'''."))
    (tmp_path / "es.xml").write_text(DUMP.format(title="Abeja", id=2, text="Una [[abeja]]."))
    (tmp_path / "links.sql").write_text("INSERT INTO `langlinks` VALUES (2,'en','Bee');\n")
    return [
        *("wikipedia", "--source-dump", str(tmp_path / "en.xml")),
        *("--target-dump", str(tmp_path / "es.xml"), "--langlinks", str(tmp_path / "links.sql")),
        *("--source-lang", "en", "--target-lang", "es", "--output", str(tmp_path / "pairs.jsonl")),
    ]


def run(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(TOOL), *arguments], capture_output=True, text=True, check=False
    )


def test_pairs_and_report(command: list[str], tmp_path: Path) -> None:
    result = run(command)
    assert result.returncode == 0, result.stderr
    shown = result.stdout.splitlines()
    assert shown[0] == str(tmp_path / "pairs.jsonl")
    assert shown[1].split() == ["pairs", "1"]
    assert "  articles                                         1             1" in shown
    assert "dropped" not in result.stdout
    assert result.stderr == ""
    (line,) = (tmp_path / "pairs.jsonl").read_text().splitlines()
    record = json.loads(line)
    assert record["id"] == "enwiki:1-eswiki:2"
    assert record["source"]["text"] == "A bee."
    assert record["target"]["text"] == "Una abeja."
    assert (tmp_path / "pairs.jsonl.manifest.json").exists()

    again = run(command)
    assert again.returncode == 2
    assert again.stderr.startswith("error: output path must not exist, got ")
    assert run([*command, "--overwrite"]).returncode == 0


def test_a_full_disk_ends_with_a_message_and_no_file(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "en.xml").write_text(DUMP.format(title="Bee", id=1, text="A bee. " * 1000))
    # A limit of 1 KiB a file stands for the disk: both end in an OSError while writing.
    limited = ["bash", "-c", 'ulimit -f 1; exec "$@"', "bash", sys.executable, str(TOOL), *command]
    result = subprocess.run(limited, capture_output=True, text=True, check=False)
    assert result.returncode == 3, result.stderr
    assert result.stderr.splitlines()[-1].startswith("error: output must be writable, got ")
    assert {path.name for path in tmp_path.glob("pairs*")} <= {"pairs.jsonl.work"}
    assert run(command).returncode == 0  # with room again
    assert {path.name for path in tmp_path.glob("pairs*")} == {
        "pairs.jsonl",
        "pairs.jsonl.manifest.json",
    }


def test_bad_input_ends_with_one_line_and_its_own_exit_code(
    command: list[str], tmp_path: Path
) -> None:
    (tmp_path / "es.xml").write_text("<mediawiki><page>")
    result = run(command)
    assert result.returncode == 3
    last = result.stderr.splitlines()[-1]
    assert last.startswith(
        "error: dump must be well-formed XML, got 1 damaged places and no article in "
    )
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.glob("pairs*"))


def test_a_run_killed_before_its_manifest_is_simply_run_again(
    command: list[str], tmp_path: Path
) -> None:
    assert run(command).returncode == 0
    manifest = tmp_path / "pairs.jsonl.manifest.json"
    manifest.rename(f"{manifest}.partial")
    assert run(command).returncode == 0
    assert manifest.exists()
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("en.xml", "error: output must not replace an input, got "),
        (".", "error: path must end in a file name, got .. "),
    ],
)
def test_outputs_that_are_refused_even_with_overwrite(
    command: list[str], tmp_path: Path, output: str, message: str
) -> None:
    target = str(tmp_path / output) if output != "." else output
    result = run([*command[:-1], target, "--overwrite"])
    assert result.returncode == 2
    assert result.stderr.startswith(message)
    assert "<mediawiki" in (tmp_path / "en.xml").read_text()


def test_parquet_files_make_the_same_records(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is an extra")
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is an extra")
    for language, page_id, title in (("en", "1", "Bee"), ("es", "2", "Abeja")):
        row = {"id": [page_id], "url": ["u"], "title": [title], "text": [f"{title}."]}
        parquet.write_table(pyarrow.table(row), tmp_path / f"{language}.parquet")
    (tmp_path / "links.sql").write_text("INSERT INTO `langlinks` VALUES (2,'en','Bee');\n")
    result = run(
        [
            *("wikipedia-parquet", "--source", str(tmp_path / "en*.parquet")),
            *("--target", str(tmp_path / "es.parquet"), "--target-lang", "es"),
            *("--langlinks", str(tmp_path / "links.sql")),
            *("--output", str(tmp_path / "pairs.jsonl")),
        ]
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[1].split() == ["pairs", "1"]
    record = json.loads((tmp_path / "pairs.jsonl").read_text())
    assert record["id"] == "enwiki:1-eswiki:2"
    assert record["target"]["text"] == "Abeja."
