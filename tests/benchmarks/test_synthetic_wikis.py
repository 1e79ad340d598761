"""Made-up wikis: in the form of real dumps, the same every time, and with the truth about them."""

import bz2
import gzip
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from real_pages import ENGLISH, THAI, write_real_pages
from synthetic_sql import INSERT_BYTES, TableWriter, quoted
from synthetic_wikis import pages_by_language, parse

from megatron_crossic.data.wikipedia.build import build_wikipedia_pairs
from megatron_crossic.data.wikipedia.dump import Page, read_pages
from megatron_crossic.data.wikipedia.options import WikipediaPairsOptions
from megatron_crossic.data.wikipedia.tables.sql import Table, parse_rows, read_rows
from megatron_crossic.errors import ConfigError

PROJECT = Path(__file__).parents[2]
SCRIPT = PROJECT / "benchmarks" / "synthetic_wikis.py"


def make_wikis(folder: Path, *options: str) -> Path:
    """Run the script on small real-looking pages."""
    pages = [
        f"en={write_real_pages(folder / 'en.xml', ENGLISH)}",
        f"th={write_real_pages(folder / 'th.xml', THAI)}",
    ]
    output = folder / "wikis"
    command = [sys.executable, str(SCRIPT), "--pages", *pages, "--output", str(output)]
    sizes = ["--source-articles", "150", "--target-articles", "70", "--median-bytes", "900"]
    done = subprocess.run([*command, *sizes, *options], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return output


@pytest.fixture(scope="module")
def wikis(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wikis")
    return make_wikis(folder, "--layouts", "multistream", "single", "plain")


@pytest.fixture(scope="module")
def told(wikis: Path) -> Any:
    return json.loads((wikis / "truth.json").read_text())


@pytest.mark.parametrize("side", ["target", "source"])
def test_our_tool_finds_what_the_truth_says(
    wikis: Path, told: Any, tmp_path: Path, side: Any
) -> None:
    code = {"source": "en", "target": "th"}[side]
    report = build_wikipedia_pairs(
        WikipediaPairsOptions(
            source_dumps=(wikis / "enwiki-pages-articles-multistream.xml.bz2",),
            target_dumps=(wikis / "thwiki-pages-articles-multistream.xml.bz2",),
            langlinks=wikis / f"{code}wiki-langlinks.sql.gz",
            langlinks_of=side,
            target_language="th",
        ),
        output=tmp_path / "pairs.jsonl",
    )
    manifest = report.manifest
    assert manifest is not None
    # What the target reaches by a redirect to a section the source links to directly.
    direct = told["scenarios"]["by_redirect_with_fragment"] if side == "source" else 0
    assert manifest.counts["pairs"] == told["pairs"] + direct > 10
    assert manifest.counts["langlinks"]["rows"] == told["files"][side]["rows"]["langlinks"]
    if side == "target":
        assert manifest.drops == told["drops"]
        for wiki, kinds in told["counts"].items():
            assert manifest.counts[wiki].items() >= kinds.items()


def pages_of(path: Path) -> list[Page]:
    return list(read_pages(path, with_text=True))


def test_the_layouts_hold_the_same_xml(wikis: Path) -> None:
    start = wikis / "thwiki-pages-articles"
    plain = Path(f"{start}.xml").read_bytes()
    assert bz2.decompress(Path(f"{start}.xml.bz2").read_bytes()) == plain
    assert bz2.decompress(Path(f"{start}-multistream.xml.bz2").read_bytes()) == plain


def test_the_index_leads_to_streams_of_pages_without_a_wrapper(wikis: Path) -> None:
    data = (wikis / "enwiki-pages-articles-multistream.xml.bz2").read_bytes()
    index = (wikis / "enwiki-pages-articles-multistream-index.txt.bz2").read_bytes()
    entries = [line.split(":", 2) for line in bz2.decompress(index).decode().splitlines()]
    offsets = sorted({int(offset) for offset, _, _ in entries})
    assert b"</siteinfo>" in bz2.decompress(data[: offsets[0]])
    seen = []
    for i, offset in enumerate(offsets):
        stream = bz2.BZ2Decompressor()
        xml = stream.decompress(data[offset:])
        assert xml.startswith(b"  <page>")
        assert xml.endswith(b"</page>\n")
        assert xml.count(b"<page>") == (100 if i + 1 < len(offsets) else len(entries) % 100 or 100)
        seen += [str(offset)] * xml.count(b"<page>")
    assert bz2.decompress(stream.unused_data) == b"</mediawiki>\n"
    assert [offset for offset, _, _ in entries] == seen
    pages = pages_of(wikis / "enwiki-pages-articles.xml")
    assert [(int(i), title) for _, i, title in entries] == [(p.id, p.title) for p in pages]


def test_pages_are_of_all_kinds_with_ids_that_grow(wikis: Path, told: Any) -> None:
    pages = pages_of(wikis / "enwiki-pages-articles.xml")
    assert len(pages) == told["counts"]["source"]["pages"] == 500
    assert [p.id for p in pages] == sorted({p.id for p in pages})
    assert len({p.title for p in pages}) == len({p.revision_id for p in pages}) == len(pages)
    assert {p.namespace for p in pages} == {0, 4, 10, 14, 118, 828}
    assert sum(p.redirect is not None for p in pages) == 275
    assert {p.model for p in pages} >= {"wikitext", "Scribunto"}
    assert {letter for p in pages for letter in p.title} >= set("\"'&–/")
    assert [p.text for p in pages].count("") == 1  # a text that was deleted


def test_tables_say_what_the_xml_says(wikis: Path) -> None:
    pages = pages_of(wikis / "enwiki-pages-articles.xml")
    columns = ("page_id", "page_namespace", "page_title", "page_is_redirect", "page_len")
    path = wikis / "enwiki-page.sql.gz"
    rows = list(read_rows(path, Table(name="page", columns=columns, default_columns=())))
    texts = {p.id: p for p in pages}
    assert [int(row[0] or 0) for row in rows] == list(texts)
    for page_id, namespace, title, is_redirect, length in rows:
        page = texts[int(page_id or 0)]
        name = page.title.partition(":")[2] if page.namespace else page.title
        assert (int(namespace or 0), (title or b"").decode()) == (
            page.namespace,
            name.replace(" ", "_"),
        )
        assert is_redirect == b"%d" % (page.redirect is not None)
        assert abs(int(length or 0) - len(page.text.encode())) <= 12
    found = read_rows(
        wikis / "enwiki-redirect.sql.gz",
        Table(name="redirect", columns=("rd_from", "rd_title", "rd_fragment"), default_columns=()),
    )
    for page_id, title, fragment in found:
        link = f"{(title or b'').decode()}#{(fragment or b'').decode()}".rstrip("#")
        page = texts[int(page_id or 0)]
        assert page.text.startswith(f"#REDIRECT [[{link.replace('_', ' ')}]]")
        assert page.redirect == link.replace("_", " ")


def test_the_tables_alone_lead_to_the_same_links(wikis: Path, told: Any) -> None:
    """As a database would join them; which texts are empty no table says."""
    source, target = articles_of(wikis, "en"), articles_of(wikis, "th")
    redirects = {
        page_id: "" if section else text(title)
        for page_id, title, section in table_of(
            wikis, "en", "redirect", "rd_from", "rd_title", "rd_fragment"
        )
    }
    titles = {
        text(row[1]): row[0] for row in table_of(wikis, "en", "page", "page_id", "page_title")
    }
    reached: Counter[bytes | None] = Counter()
    for page_id, language, title in table_of(
        wikis, "th", "langlinks", "ll_from", "ll_lang", "ll_title"
    ):
        if language != b"en" or page_id not in target:
            continue
        name = text(title).replace(" ", "_")
        linked = titles.get(name[:1].upper() + name[1:])
        for _ in range(9):
            linked = titles.get(redirects[linked]) if linked in redirects else linked
        reached[linked if linked in source else None] += 1
    failed = ("no_partner", "empty_after_cleaning", "partner_unusable", "duplicate_partner")
    assert reached.pop(None) == sum(
        n
        for reason, n in told["drops"].items()
        if reason.startswith("target.") and reason.removeprefix("target.") not in failed
    )
    empty = sum(n for name, n in told["drops"].items() if "empty" in name)
    assert len(reached) == told["pairs"] + empty
    assert reached.total() - len(reached) == told["drops"]["target.duplicate_partner"]


def table_of(
    wikis: Path, code: str, table: str, *columns: str
) -> Iterator[tuple[bytes | None, ...]]:
    path = wikis / f"{code}wiki-{table}.sql.gz"
    return read_rows(path, Table(name=table, columns=columns, default_columns=()))


def articles_of(wikis: Path, code: str) -> set[bytes | None]:
    columns = ("page_id", "page_namespace", "page_is_redirect", "page_content_model")
    rows = table_of(wikis, code, "page", *columns)
    return {row[0] for row in rows if row[1:] == (b"0", b"0", b"wikitext")}


def text(value: bytes | None) -> str:
    return (value or b"").decode()


def test_parts_hold_the_same_pages_and_their_names_the_ids(wikis: Path, tmp_path: Path) -> None:
    output = make_wikis(tmp_path, "--layouts", "multistream", "single", "--parts", "2")
    parts = sorted(output.glob("enwiki-pages-articles[0-9].xml-p*.bz2"))
    assert len(parts) == len(list(output.glob("enwiki-*multistream-index[0-9].txt-p*.bz2"))) == 2
    pages: list[Page] = []
    for part in parts:
        held = pages_of(part)
        assert part.name.endswith(f".xml-p{held[0].id}p{held[-1].id}.bz2")
        pages += held
    assert pages == pages_of(wikis / "enwiki-pages-articles.xml")


def test_two_processes_write_the_same_files(wikis: Path, tmp_path: Path) -> None:
    output = make_wikis(tmp_path, "--processes", "2")
    names = {path.name for path in output.iterdir()}
    assert len(names) == 11
    assert [n for n in names if (output / n).read_bytes() != (wikis / n).read_bytes()] == []


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20))
def test_quotes_are_read_back(text: str) -> None:
    sql = f"INSERT INTO `t` VALUES ({quoted(text)},1);\n".encode()
    rows = parse_rows(
        iter([sql]),
        Table(name="t", columns=("a",), default_columns=("a", "b")),
        path=Path("t.sql"),
    )
    assert list(rows) == [(text.encode(),)]


def test_statements_have_at_most_a_megabyte(tmp_path: Path) -> None:
    path = tmp_path / "xwiki-langlinks.sql.gz"
    writer = TableWriter(path, "langlinks", database="xwiki")
    rows = [f"({i},'en','{'x' * 100}')" for i in range(20_000)]
    writer.add(rows)
    writer.close()
    lines = gzip.decompress(path.read_bytes()).splitlines()
    statements = [line for line in lines if line.startswith(b"INSERT")]
    assert max(map(len, statements)) <= INSERT_BYTES + 100
    assert len(statements) == 3
    columns = ("ll_from",)
    found = read_rows(path, Table(name="langlinks", columns=columns, default_columns=()))
    assert [int(row[0] or 0) for row in found] == list(range(20_000))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--parts", "0"], "--parts must be at least 1, got 0"),
        (["--linked-share", "1.5"], "--linked-share must be above 0 and at most 1, got 1.5"),
        (["--target-lang", "ko"], "--pages must name a dump of each language, got none of ko"),
    ],
)
def test_wrong_options_are_refused(options: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(["--pages", "en=a.xml", "th=b.xml", "--output", "x", *options])


def test_pages_are_given_by_language() -> None:
    found = pages_by_language(["en=a=1.xml", "th=b", "en=c"])
    assert found == {"en": [Path("a=1.xml"), Path("c")], "th": [Path("b")]}
    with pytest.raises(ConfigError, match="--pages must be LANG=FILE, got 'english=x'"):
        pages_by_language(["english=x"])
