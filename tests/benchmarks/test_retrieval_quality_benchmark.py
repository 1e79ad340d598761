"""The quality benchmark on tiny inputs: what it measures, and its table."""

import json
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


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> None:
    monkeypatch.setattr("sys.argv", ["retrieval_quality.py", *map(str, arguments)])
    retrieval_quality.main()


def test_a_row_a_view(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    folders: tuple[Path, Path],
    tmp_path: Path,
) -> None:
    (fit, test), output = folders, tmp_path / "quality.json"
    run(monkeypatch, "--fit", fit, "--test", test, "--output", output)
    rows = json.loads(output.read_text())["rows"]
    assert [(row["language"], row["view"]) for row in rows] == [
        (language, view) for language in ("es", "fr") for view in ("title", "keywords", "document")
    ]
    assert {row["fitted"] for row in rows} == {fit.name, "by folds"}
    assert rows[2]["precision"] == 1
    assert rows[2]["source_mb_per_second"] > 0
    assert "source_mb_per_second" not in rows[5]
    table = capsys.readouterr().out.splitlines()
    assert len(table) == 2 + len(rows)
    assert table[4].startswith(f"| es | embedded, {fit.name} | document | 8 | 1.000 (1.000")


def test_a_folder_without_pairs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(monkeypatch, "--fit", tmp_path, "--test", tmp_path)
    assert "--test must hold pair files en-LANG.jsonl, got none" in capsys.readouterr().err
