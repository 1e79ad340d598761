"""Work in parts: whoever does them, killed or not, the pairs are the same."""

import faulthandler
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from wikipedia_samples import (
    dump_xml,
    langlinks_sql,
    page_sql,
    page_xml,
    redirect_sql,
    write_multistream,
    write_packed,
)

from megatron_crossic.data.pairs import read_pairs
from megatron_crossic.data.wikipedia import articles, segments
from megatron_crossic.data.wikipedia.build import RunSettings, build_wikipedia_pairs
from megatron_crossic.data.wikipedia.cleaning.clean import clean_wikitext
from megatron_crossic.data.wikipedia.options import WikipediaPairsOptions
from megatron_crossic.data.wikipedia.processes import CRASHED, TOOK_TOO_LONG
from megatron_crossic.errors import ConfigError, DataError
from megatron_crossic.manifest import read_manifest

NUM = 40
SOURCE = [(i, f"Article {i}", f"Text of article {i}, number {i * i}.") for i in range(1, NUM + 1)]
TARGET = [(i, f"Artículo {i}", f"Texto del artículo {i}.") for i in range(101, NUM + 101)]
LINKS = [(i + 100, "en", f"Article {i}") for i in range(1, NUM + 1, 2)]


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WikipediaPairsOptions:
    """Small enough segments that each dump has several."""
    monkeypatch.setitem(vars(segments)["SEGMENT_BYTES"], "streams", 1500)
    monkeypatch.setitem(vars(segments)["SEGMENT_BYTES"], "xml", 9000)
    pages = [page_xml(*page) for page in SOURCE]
    return WikipediaPairsOptions(
        source_dumps=(write_multistream(tmp_path / "enwiki-20250801-pages.xml.bz2", pages),),
        target_dumps=(
            write_packed(tmp_path / "es.xml", dump_xml([page_xml(*page) for page in TARGET])),
        ),
        langlinks=write_packed(tmp_path / "links.sql.gz", langlinks_sql(LINKS)),
        source_tables=tables(tmp_path / "en", SOURCE),
        target_tables=tables(tmp_path / "es", TARGET),
        target_language="es",
    )


def tables(prefix: Path, pages: Sequence[tuple[int, str, str]]) -> tuple[Path, Path]:
    """With a redirect that no link leads to: a whole wiki has some."""
    rows = [(page_id, 0, title.replace(" ", "_"), 0, "wikitext") for page_id, title, _ in pages]
    redirects = [(900, 0, rows[0][2], None, None)]
    return (
        write_packed(Path(f"{prefix}-page.sql.gz"), page_sql([*rows, (900, 0, "Other", 1, None)])),
        write_packed(Path(f"{prefix}-redirect.sql.gz"), redirect_sql(redirects)),
    )


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*") if path.is_file()}


def test_pairs_do_not_depend_on_tables_workers_or_shards(
    options: WikipediaPairsOptions, tmp_path: Path
) -> None:
    build_wikipedia_pairs(options, output=tmp_path / "one" / "pairs.jsonl")
    expected = files_of(tmp_path / "one")
    assert len(list(read_pairs(tmp_path / "one" / "pairs.jsonl"))) == NUM // 2
    workers = RunSettings(workers=3)
    build_wikipedia_pairs(options, output=tmp_path / "two" / "pairs.jsonl", settings=workers)
    assert files_of(tmp_path / "two") == expected
    output = tmp_path / "three" / "pairs.jsonl"
    for index in (2, 0, 1):
        report = build_wikipedia_pairs(
            options, output=output, settings=RunSettings(shard=(index, 3))
        )
        assert report.manifest is None
        assert not output.exists()
    assert report.segments_done == report.segments > 5
    build_wikipedia_pairs(options, output=output)
    assert files_of(tmp_path / "three") == expected
    assert not list(tmp_path.glob("*/*.work"))
    scanned = replace(options, source_tables=None, target_tables=None)
    build_wikipedia_pairs(scanned, output=tmp_path / "four" / "pairs.jsonl")
    assert files_of(tmp_path / "four")["pairs.jsonl"] == expected["pairs.jsonl"]


def test_a_killed_run_goes_on_with_what_is_done(
    options: WikipediaPairsOptions, tmp_path: Path
) -> None:
    build_wikipedia_pairs(options, output=tmp_path / "whole" / "pairs.jsonl")
    output = tmp_path / "killed" / "pairs.jsonl"
    pid = os.fork()
    if pid == 0:

        def die(stage: str, done: int, total: int) -> None:
            if stage == "clean" and done > total / 2:
                os.kill(os.getpid(), signal.SIGKILL)

        build_wikipedia_pairs(options, output=output, progress=die)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL
    done = len(list((output.parent / "pairs.jsonl.work").glob("*-*.json")))
    assert not output.exists()
    assert done > 3
    calls: list[tuple[str, int, int]] = []
    build_wikipedia_pairs(options, output=output, progress=lambda *call: calls.append(call))
    cleaned = [call for call in calls if call[0] == "clean"]
    whole = sum(path.stat().st_size for path in (*options.source_dumps, *options.target_dumps))
    assert 0 < cleaned[0][2] < whole / 2
    assert files_of(output.parent) == files_of(tmp_path / "whole")


@pytest.mark.parametrize("reason", [TOOK_TOO_LONG, CRASHED])
def test_a_page_that_hangs_or_crashes_is_the_only_one_left_out(
    options: WikipediaPairsOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    def clean(wikitext: str, **settings: object) -> str:
        while reason == TOOK_TOO_LONG and "article 5," in wikitext:
            pass
        if "article 5," in wikitext:
            faulthandler.disable()
            os.kill(os.getpid(), signal.SIGSEGV)
        return clean_wikitext(wikitext, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(articles, "clean_wikitext", clean)
    output = tmp_path / "out" / "pairs.jsonl"
    # A machine may well be that slow with a good page now and then: it is then left out as well.
    limited = replace(options, page_seconds=0.5)
    report = build_wikipedia_pairs(limited, output=output, settings=RunSettings(workers=2))
    assert report.manifest is not None
    assert report.manifest.drops[f"source.{reason}"] == 1
    assert report.manifest.drops["target.partner_unusable"] == 1
    ids = [pair.source.id for pair in read_pairs(output)]
    assert ids == [f"enwiki:{i}" for i in range(1, NUM + 1, 2) if i != 5]


def test_a_page_beyond_the_cleaner_is_left_out(
    options: WikipediaPairsOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def clean(wikitext: str, **settings: object) -> str:
        if "article 5," in wikitext:
            raise DataError("wikitext must be parseable, got none. Leave the page out.")
        return clean_wikitext(wikitext, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(articles, "clean_wikitext", clean)
    manifest = build_wikipedia_pairs(options, output=tmp_path / "pairs.jsonl").manifest
    assert manifest is not None
    assert manifest.drops["source.cleaning_failed"] == 1


def test_an_error_in_a_process_is_raised_here(
    options: WikipediaPairsOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def clean_segment(*_: object) -> None:
        raise DataError("text must be nice, got none. Mend it.")

    monkeypatch.setattr(articles.ArticleCleaner, "clean_segment", clean_segment)
    with pytest.raises(DataError, match=r"^text must be nice, got none\. Mend it\.$"):
        build_wikipedia_pairs(options, output=tmp_path / "out" / "pairs.jsonl")


def test_a_process_out_of_memory_ends_the_run(
    options: WikipediaPairsOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def clean(wikitext: str, **_: object) -> str:
        os.kill(os.getpid(), signal.SIGKILL)
        return wikitext

    monkeypatch.setattr(articles, "clean_wikitext", clean)
    with pytest.raises(DataError, match=r"must live until .* got SIGKILL at page 1\. Most often"):
        build_wikipedia_pairs(options, output=tmp_path / "out" / "pairs.jsonl")


def test_damage_is_left_out_and_told(options: WikipediaPairsOptions, tmp_path: Path) -> None:
    (dump,) = options.source_dumps
    content = bytearray(dump.read_bytes())
    starts = [i for i in range(len(content)) if content[i : i + 10] == b"BZh91AY&SY"]
    content[starts[2] + 60] ^= 0xFF
    dump.write_bytes(content)
    output = tmp_path / "out" / "pairs.jsonl"
    manifest = build_wikipedia_pairs(options, output=output).manifest
    assert manifest is not None
    assert manifest.details["damage"] == [
        {"file": dump.name, "streams_at": [starts[2]], "pages_at": []}
    ]
    # Stream 2 had the pages 5 to 8, of which 5 and 7 have partners.
    assert manifest.drops["source.not_in_dump"] == manifest.drops["target.partner_unusable"] == 2
    assert manifest == read_manifest(Path(f"{output}.manifest.json"), kind="pairs")


def test_the_work_of_another_run_is_not_gone_on_with(
    options: WikipediaPairsOptions, tmp_path: Path
) -> None:
    output = tmp_path / "out" / "pairs.jsonl"
    build_wikipedia_pairs(options, output=output, settings=RunSettings(shard=(0, 2)))
    other = replace(options, min_characters=5)
    with pytest.raises(ConfigError, match=r"got .*\.work of another run \(other options\)"):
        build_wikipedia_pairs(other, output=output)
    os.utime(options.langlinks, (1, 1))
    with pytest.raises(ConfigError, match=r"of another run \(other files\)"):
        build_wikipedia_pairs(options, output=output)
    build_wikipedia_pairs(other, output=output, settings=RunSettings(overwrite=True))
    assert output.exists()


@pytest.mark.parametrize(
    ("settings", "changes", "message"),
    [
        (RunSettings(shard=(2, 2)), {}, r"shard must be i/n with 0 <= i < n, got 2/2"),
        (
            RunSettings(shard=(0, 2)),
            {"source_tables": None},
            r"shards must have the page and redirect tables of both wikis, got none for one",
        ),
    ],
)
def test_shards_that_cannot_work_are_refused(
    options: WikipediaPairsOptions,
    tmp_path: Path,
    settings: RunSettings,
    changes: Mapping[str, None],
    message: str,
) -> None:
    with pytest.raises(ConfigError, match=message):
        build_wikipedia_pairs(
            replace(options, **changes), output=tmp_path / "pairs.jsonl", settings=settings
        )


def test_a_pair_can_be_traced_to_its_revisions(
    options: WikipediaPairsOptions, tmp_path: Path
) -> None:
    output = tmp_path / "pairs.jsonl"
    build_wikipedia_pairs(options, output=output)
    pair = next(read_pairs(output))
    assert pair.provenance["source"] == {
        "wiki": "enwiki",
        "page_id": 1,
        "revision_id": 1001,
        "timestamp": "2024-05-01T12:00:00Z",
        "url": "https://en.wikipedia.org/w/index.php?oldid=1001",
        "dump_date": "2025-08-01",
    }
    assert pair.provenance["licence"] == "CC BY-SA 4.0"


def test_a_page_that_is_too_large_is_left_out(
    options: WikipediaPairsOptions, tmp_path: Path
) -> None:
    pages = [page_xml(*page) for page in SOURCE]
    pages[4] = page_xml(5, "Article 5", "Word. " * 5000)
    write_multistream(options.source_dumps[0], pages)
    limited = replace(options, max_page_characters=29_999)
    manifest = build_wikipedia_pairs(limited, output=tmp_path / "pairs.jsonl").manifest
    assert manifest is not None
    assert manifest.drops["source.too_large"] == 1
    assert manifest.counts["pairs"] == NUM // 2 - 1


def test_malformed_rows_are_told(options: WikipediaPairsOptions, tmp_path: Path) -> None:
    content = langlinks_sql(LINKS).replace("(103,'en','Article 3')", "(103,'en,'Article 3')")
    write_packed(options.langlinks, content)
    manifest = build_wikipedia_pairs(options, output=tmp_path / "pairs.jsonl").manifest
    assert manifest is not None
    assert manifest.details["malformed_rows"]["langlinks"]["rows"] == 1
    assert manifest.drops["target.no_partner"] == NUM // 2 + 1


def test_the_cleaned_articles_can_be_kept_and_used_again(
    options: WikipediaPairsOptions, tmp_path: Path
) -> None:
    output = tmp_path / "out" / "pairs.jsonl"
    kept = RunSettings(keep_work=True)
    build_wikipedia_pairs(options, output=output, settings=kept)
    expected = files_of(output.parent)
    calls: list[str] = []
    assert len(list(output.parent.glob("pairs.jsonl.work/*-*.json"))) > 5
    again = replace(kept, overwrite=True)
    build_wikipedia_pairs(
        options, output=output, settings=again, progress=lambda stage, *_: calls.append(stage)
    )
    assert "clean" not in calls
    assert files_of(output.parent) == expected


def test_redirects_to_sections_are_links_where_asked_for(
    options: WikipediaPairsOptions, tmp_path: Path
) -> None:
    assert options.source_tables is not None
    _, redirect = options.source_tables
    write_packed(redirect, redirect_sql([(900, 0, "Article_2", "", "History")]))
    write_packed(options.langlinks, langlinks_sql([*LINKS, (102, "en", "Other")]))
    output = tmp_path / "pairs.jsonl"
    without = build_wikipedia_pairs(options, output=output).manifest
    following = replace(options, follow_sections=True)
    with_them = build_wikipedia_pairs(
        following, output=output, settings=RunSettings(overwrite=True)
    ).manifest
    assert without is not None
    assert with_them is not None
    assert without.drops["target.redirect_to_section"] == 1
    assert with_them.counts["pairs"] == without.counts["pairs"] + 1
