"""What the benchmark of the wikipedia route measures, on wikis of a few hundred pages."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import wikipedia
from cleaning_speed import CLEANERS, compare_cleaners, read_sample
from real_pages import ENGLISH, THAI, write_real_pages
from synthetic_wikis import main as make_wikis
from watched_command import Watched, memory_of, watch_command
from wikipedia_files import WikiSize, find_wiki, paired_pages, wiki_size
from wikipedia_report import figures, table

from megatron_crossic.errors import ConfigError, DataError

MIB = 1 << 20
# Stands for wikiextractor: writes as many bytes as the dump has, in a folder as it does.
EXTRACTOR = """
import pathlib, sys
dump, o, folder, processes, number, *others = sys.argv[1:]
assert (o, processes, number) == ("-o", "--processes", "1")
assert "--no-templates" in others
(pathlib.Path(folder) / "AA").mkdir()
(pathlib.Path(folder) / "AA" / "wiki_00").write_bytes(bytes(pathlib.Path(dump).stat().st_size))
"""


@pytest.fixture(scope="module")
def wikis(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wikis")
    pages = [
        f"en={write_real_pages(folder / 'en.xml', ENGLISH)}",
        f"th={write_real_pages(folder / 'th.xml', THAI)}",
    ]
    command = ["synthetic_wikis.py", "--pages", *pages, "--output", str(folder / "made")]
    sizes = ["--source-articles", "150", "--target-articles", "70", "--median-bytes", "500"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [*command, *sizes, "--date", "20250601"])
        make_wikis()
    return folder / "made"


def run_benchmark(patch: pytest.MonkeyPatch, *arguments: object) -> None:
    patch.setattr(sys, "argv", ["wikipedia.py", *map(str, arguments)])
    wikipedia.main()


def watched(wall: float, cpu: float = 1.0) -> Watched:
    return Watched(
        wall_seconds=wall,
        cpu_seconds=cpu,
        largest_process_bytes=3 * MIB,
        all_processes_bytes=5 * MIB,
        samples=2,
    )


def test_a_whole_run_reports_every_part(
    wikis: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tree" / "wikiextractor").mkdir(parents=True)
    (tmp_path / "tree" / "wikiextractor" / "WikiExtractor.py").write_text(EXTRACTOR)
    pages = write_real_pages(tmp_path / "en.xml", ENGLISH)
    result = tmp_path / "result.json"
    run_benchmark(
        monkeypatch,
        *("--wikis", wikis, "--workers", 1, "--folder", tmp_path),
        *("--wikiextractor", tmp_path / "tree", "--cleaning", f"en={pages}", "--json", result),
    )
    told = json.loads((wikis / "truth.json").read_text())
    report = json.loads(result.read_text())
    found = report["wikis"]["made"]
    assert found["pairs"] == told["pairs"] > 10
    # Heads and ends of the two dumps stand in no page.
    sizes = [told["files"][side]["xml_bytes"] for side in ("source", "target")]
    assert 0 < found["xml_bytes"] - sum(sizes) < 4_000
    assert 0 < found["wikitext_bytes_in_pairs"] < found["xml_bytes"]
    assert list(found["runs"]) == ["ours, 1 workers", "wikiextractor, 1 processes"]
    assert all(run["wall_seconds"] > 0 for run in found["runs"].values())
    assert report["cleaning"]["en"]["pages"] == 2
    assert "wikiextractor, 1 processes" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["tree"]


def test_our_command_names_every_file_and_only_options_there_are(wikis: Path) -> None:
    source, target = find_wiki(wikis, "en"), find_wiki(wikis, "th")
    command = wikipedia.our_command(source, target, Path("out.jsonl"), workers=3)
    assert command[2] == "wikipedia"
    assert [path.name for path in source.dumps] == [
        "enwiki-20250601-pages-articles-multistream.xml.bz2"
    ]
    assert {str(source.dumps[0]), str(target.dumps[0]), str(target.langlinks)} <= set(command)
    options = [word for word in command if word.startswith("--")]
    assert len(options) == len(set(options)) >= 6
    assert all(map(wikipedia.has_option, options))
    without = wikipedia.our_command(source, target, Path("o"), workers=1, with_tables=False)
    assert "--source-page" not in without
    assert not wikipedia.has_option("--no-such-option")


def test_sizes_are_the_same_from_tables_and_from_dumps(wikis: Path) -> None:
    wiki = find_wiki(wikis, "th")
    assert set(wiki.tables) == {"page", "redirect"}
    told = json.loads((wikis / "truth.json").read_text())
    by_table = wiki_size(wiki)
    by_dump = wiki_size(find_wiki(_only_dumps(wikis), "th"))
    assert by_table.xml_bytes == by_dump.xml_bytes
    # The table also has the articles of other content models.
    assert by_table.article_bytes.keys() >= by_dump.article_bytes.keys()
    assert len(by_dump.article_bytes) >= told["counts"]["target"]["articles"] == 70
    differences = (by_table.article_bytes[i] - n for i, n in by_dump.article_bytes.items())
    assert all(0 <= difference <= 12 for difference in differences)


def _only_dumps(folder: Path) -> Path:
    links = folder / "only"
    links.mkdir(exist_ok=True)
    for path in folder.glob("*.xml.bz2"):
        if not (links / path.name).exists():
            (links / path.name).symlink_to(path)
    return links


def test_speeds_are_of_what_each_tool_cleans() -> None:
    sizes = {
        "en": WikiSize(xml_bytes=60_000_000, article_bytes={1: 8_000_000, 2: 12_000_000}),
        "th": WikiSize(xml_bytes=40_000_000, article_bytes={1: 2_000_000}),
    }
    runs = {
        "ours, 1 workers": [watched(9.0), watched(4.0, cpu=2.0), watched(1.0)],
        "wikiextractor, 1 processes": [watched(10.0, cpu=4.0)],
        "ours, 2 workers": [watched(2.0)],
    }
    found = figures(runs, sizes, {("en", 1), ("th", 1)}, source="en")
    ours, other = found["runs"]["ours, 1 workers"], found["runs"]["wikiextractor, 1 processes"]
    assert (ours["wall_seconds"], ours["repeats"]) == (4.0, 3)
    assert ours["mb_wikitext_per_cpu_second"] == 5.0  # 8 + 2 MB in 2 s
    assert ours["mb_xml_per_second"] == 25.0  # 100 MB in 4 s
    assert other["mb_wikitext_per_cpu_second"] == 5.0  # 20 MB in 4 s
    assert other["mb_xml_per_second"] == 6.0  # 60 MB in 10 s
    assert found["speedups"] == {"ours, 2 workers": 2.0}
    report: dict[str, Any] = {
        "machine": {"cores": 2, "cpu": "X"},
        "wikis": {"w": found},
        "cleaning": {},
    }
    lines = table(report)
    assert lines[4].split() == ["ours,", "1", "workers", "4.0", "2.0", "5.00", "25.00", "3", "5"]
    assert lines[-1] == "ours, 2 workers: 2.00 x as fast"


def test_memory_of_children_counts() -> None:
    code = "import subprocess, sys; x = bytearray(b'1') * (40 << 20); subprocess.run(sys.argv[1:])"
    child = "x = bytearray(b'1') * (60 << 20); print('ready', flush=True); input()"
    command = [sys.executable, "-c", code, sys.executable, "-c", child]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert 100 * MIB < memory_of(process.pid) < 200 * MIB
        process.communicate(b"\n")
    assert memory_of(process.pid) == 0


def test_what_a_command_used_is_what_all_its_processes_used() -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
    child = "x = bytearray(b'1') * (300 << 20); sum(range(10**6))"
    command = [sys.executable, "-c", code, child]
    found = watch_command(command, environment={}, interval=0.01)
    assert found.largest_process_bytes > 300 * MIB
    assert found.all_processes_bytes > 0
    assert found.wall_seconds > 0
    assert found.cpu_seconds > 0


def test_a_command_that_fails_is_told() -> None:
    with pytest.raises(DataError, match="must end well, got exit code 3: out of luck. Run it by"):
        watch_command([sys.executable, "-c", "print('out of luck'); exit(3)"], environment={})


def test_an_interrupted_watch_ends_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    others = set(psutil.Process().children())
    monkeypatch.setattr(time, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        watch_command([sys.executable, "-c", "input()"], environment={})
    assert set(psutil.Process().children()) <= others


def test_an_extractor_that_writes_nothing_is_told(tmp_path: Path, wikis: Path) -> None:
    (tmp_path / "wikiextractor").mkdir()
    (tmp_path / "wikiextractor" / "WikiExtractor.py").write_text("")
    options = wikipedia.parse(["--wikis", str(wikis), "--wikiextractor", str(tmp_path)])
    with pytest.raises(DataError, match="wikiextractor must write articles, got none of"):
        wikipedia.run_wikiextractor(options, find_wiki(wikis, "en"), processes=1)


def test_cleaners_get_the_same_pages(tmp_path: Path) -> None:
    paths = [write_real_pages(tmp_path / "en.xml", ENGLISH)]
    sample = read_sample(paths, language="en", max_bytes=10**9)
    assert [title for title, _ in sample.pages] == ["Page 1", "Page 2"]
    found = compare_cleaners(sample)
    assert found["wikitext_bytes"] == sample.num_bytes
    for name in CLEANERS:
        assert found[name]["failed"] == 0
        assert 0 < found[name]["characters_out"] < sample.num_bytes
        assert found[name]["slowest_page"]["title"] in ("Page 1", "Page 2")
    first = read_sample(paths, language="en", max_bytes=5)
    assert len(first.pages) == 1
    empty = tmp_path / "empty.xml"
    empty.write_text("<mediawiki></mediawiki>")
    with pytest.raises(DataError, match="dumps to clean must hold articles, got none in"):
        read_sample([empty], language="en", max_bytes=5)


def test_folders_without_dumps_are_refused(tmp_path: Path, wikis: Path) -> None:
    with pytest.raises(ConfigError, match="folders with dumps of kowiki, got none in"):
        find_wiki(wikis, "ko")
    options = wikipedia.parse(["--wikis", str(tmp_path), "--workers", "1"])
    for name in ("enwiki-pages-articles.xml", "thwiki-pages-articles.xml"):
        (tmp_path / name).touch()
    with pytest.raises(ConfigError, match="must hold thwiki-langlinks.sql.gz, got none"):
        wikipedia.measure_wikis(options, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--wikis or --cleaning must be given, got neither"),
        (["--wikis", "x", "--workers", "0"], "--workers and --repeats must be at least 1, got"),
        (["--wikis", "x", "--wikiextractor", "nowhere"], "must be its tree, got nowhere without"),
    ],
)
def test_wrong_options_are_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        wikipedia.parse(arguments)


def test_paired_pages_come_from_the_pair_file(tmp_path: Path) -> None:
    record = {
        "id": "enwiki:5-thwiki:7",
        "source": {"id": "enwiki:5", "lang": "en", "title": "A", "text": "a"},
        "target": {"id": "thwiki:7", "lang": "th", "title": "B", "text": "b"},
    }
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps(record) + "\n")
    assert set(paired_pages(path)) == {("en", 5), ("th", 7)}
