"""The quality benchmark on tiny inputs: what it measures, and its table."""

import json
import sys
from pathlib import Path

import pytest
import retrieval_quality
from mined_corpus import TOPICS, fit_pairs, topic_pair
from small_pairs import make_pair, write_pairs

pytest.importorskip("sklearn", reason="the embedded encoder needs the extra `retrieval`")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Pairs to fit on in one language, to ask about in two."""
    fit, test = tmp_path_factory.mktemp("fit"), tmp_path_factory.mktemp("test")
    write_pairs(fit / "en-es.jsonl", fit_pairs())
    write_pairs(test / "en-es.jsonl", [topic_pair(topic, 20) for topic in range(TOPICS)])
    french = [
        make_pair(f"{n}", pair.source.text, pair.targets[0].text, languages="en fr")
        for n, pair in enumerate(fit_pairs())
    ]
    write_pairs(test / "en-fr.jsonl", french)
    return fit, test


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, folders: tuple[Path, Path], tmp_path: Path) -> Path:
    """Run on them; the report."""
    fit, test = folders
    output = tmp_path / "quality.json"
    arguments = ["retrieval_quality.py", "--fit", fit, "--test", test, "--output", output]
    monkeypatch.setitem(vars(retrieval_quality), "LEAST_BYTES", 10_000)
    monkeypatch.setitem(vars(sys), "argv", list(map(str, arguments)))
    retrieval_quality.main()
    return output


def test_a_row_a_view(
    small: Path, folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = json.loads(small.read_text())["rows"]
    assert [(row["language"], row["view"]) for row in rows] == [
        (language, view) for language in ("es", "fr") for view in ("title", "keywords", "document")
    ]
    assert {row["fitted"] for row in rows} == {folders[0].name, "by folds"}
    assert rows[2]["precision"] == 1
    assert rows[2]["source_mb_per_second"] > 0
    assert "source_mb_per_second" not in rows[5]
    table = capsys.readouterr().out.splitlines()
    assert len(table) == 2 + len(rows)
    assert table[4].startswith(f"| es | embedded, {folders[0].name} | document | 8 | 1.000 (1.000")


def test_a_folder_without_pairs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["retrieval_quality.py", "--fit", str(tmp_path), "--test", str(tmp_path)]
    monkeypatch.setitem(vars(sys), "argv", arguments)
    with pytest.raises(SystemExit):
        retrieval_quality.main()
    assert "--test must hold pair files en-LANG.jsonl, got none" in capsys.readouterr().err
