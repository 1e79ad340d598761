from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from wikipedia_samples import dump_xml, langlinks_sql, page_xml, write_packed

from megatron_crossic.data.pairs import read_pairs
from megatron_crossic.data.records import Document, pair_to_json
from megatron_crossic.data.wikipedia.build import RunSettings, build_wikipedia_pairs
from megatron_crossic.data.wikipedia.options import WikipediaPairsOptions
from megatron_crossic.errors import ConfigError, CrossicError, DataError
from megatron_crossic.jsonl import to_json_line
from megatron_crossic.manifest import Manifest, manifest_path, read_manifest


@dataclass(frozen=True)
class World:
    """A folder with two dumps, their links and a place for the output."""

    folder: Path
    options: WikipediaPairsOptions

    @property
    def output(self) -> Path:
        return self.folder / "out" / "pairs.jsonl"

    def build(self, *, overwrite: bool = False, **changes: object) -> Manifest:
        options = replace(self.options, **changes)  # type: ignore[arg-type]
        settings = RunSettings(overwrite=overwrite)
        report = build_wikipedia_pairs(options, output=self.output, settings=settings)
        assert report.manifest is not None
        return report.manifest


def make_world(
    folder: Path,
    *,
    source: Sequence[str],
    target: Sequence[str],
    links: Sequence[tuple[int, str, str]],
) -> World:
    return World(
        folder,
        WikipediaPairsOptions(
            source_dumps=(write_packed(folder / "en.xml.bz2", dump_xml(source)),),
            target_dumps=(write_packed(folder / "es.xml.gz", dump_xml(target)),),
            langlinks=write_packed(folder / "es-langlinks.sql.gz", langlinks_sql(links)),
            target_language="es",
        ),
    )


SOURCE = [
    page_xml(3, "Alone", "Nobody links here."),
    page_xml(2, "River", "A '''river''' is long.\n\n== References ==\n{{reflist}}"),
    page_xml(1, "Berlin", "'''Berlin''' is the [[capital]].\n\n== History ==\nIt is old."),
    page_xml(4, "Stub", "S."),
    page_xml(5, "Broken", "{" * 3000 + "}" * 3000),
    page_xml(6, "Box", "{{Infobox}}"),
    page_xml(7, "Spree-Athen", "#REDIRECT [[Berlin]]", redirect="Berlin"),
    page_xml(8, "Talk:Berlin", ns=1),
]
TARGET = [
    page_xml(11, "Berlín", "'''Berlín''' es la [[capital]]."),
    page_xml(12, "Río", "Un '''río''' es largo."),
    page_xml(13, "Nadie", "Sin enlace."),
    page_xml(14, "Esbozo", "Un esbozo bastante largo."),
    page_xml(15, "Roto", "Roto."),
    page_xml(16, "Caja", "Texto."),
    page_xml(17, "Lejos", "Enlaza fuera del volcado."),
]
LINKS = [
    (11, "en", "spree-Athen"),
    (11, "ja", "ベルリン"),
    (12, "en", "River"),
    (14, "en", "Stub"),
    (15, "en", "Broken"),
    (16, "en", "Box"),
    (17, "en", "Far away"),
]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path, source=SOURCE, target=TARGET, links=LINKS)


def assert_nothing_is_lost(manifest: Manifest) -> None:
    for side in ("source", "target"):
        counts = manifest.counts[side]
        kinds = ("articles", "redirects", "other_namespaces", "other_models", "repeated")
        assert counts["pages"] == sum(counts[kind] for kind in kinds)
        drops = [n for reason, n in manifest.drops.items() if reason.startswith(f"{side}.")]
        assert counts["articles"] == manifest.counts["pairs"] + sum(drops)


def test_pairs_come_out_clean_in_the_order_of_the_source(world: World) -> None:
    manifest = world.build()
    first, second, third = read_pairs(world.output)
    assert first.id == "enwiki:2-eswiki:12"
    assert third.id == "enwiki:4-eswiki:14"
    assert second.source == Document(
        id="enwiki:1",
        language="en",
        title="Berlin",
        text="Berlin is the capital.\n\nHistory\n\nIt is old.",
    )
    assert second.targets[0] == Document(
        id="eswiki:11", language="es", title="Berlín", text="Berlín es la capital."
    )
    assert (second.origin, second.score) == ("langlink", None)
    revision = {"revision_id": 1001, "timestamp": "2024-05-01T12:00:00Z"}
    assert second.provenance["source"] == {
        "wiki": "enwiki",
        "page_id": 1,
        **revision,
        "url": "https://en.wikipedia.org/w/index.php?oldid=1001",
        "dump_date": "",
    }
    assert second.provenance["licence"] == "CC BY-SA 4.0"
    assert manifest == read_manifest(manifest_path(world.output), kind="pairs")


def test_lines_are_those_of_their_pairs(world: World) -> None:
    """They are put together from bytes, tabs and quotes in the texts included."""
    odd = page_xml(1, 'Ber"lin\t\\', 'A\ttab, "quotes", a \\ and \u2028.')
    pages = [odd if page is SOURCE[2] else page for page in SOURCE]
    write_packed(world.options.source_dumps[0], dump_xml(pages))
    write_packed(world.options.langlinks, langlinks_sql([*LINKS, (13, "en", 'Ber"lin \\')]))
    world.build(licence='"free"')
    lines = world.output.read_bytes().splitlines(keepends=True)
    assert len(lines) > 2
    assert lines == [to_json_line(pair_to_json(pair)) for pair in read_pairs(world.output)]


def test_every_page_is_in_the_account(world: World) -> None:
    manifest = world.build(min_characters=10)
    assert_nothing_is_lost(manifest)
    assert manifest.drops == {
        "source.no_partner": 1,
        "source.empty_after_cleaning": 2,
        "source.too_short": 1,
        "target.no_partner": 1,
        "target.partner_not_in_dump": 1,
        "target.too_short": 2,
        "target.partner_unusable": 1,
    }
    assert manifest.counts["langlinks"]["rows"] == len(LINKS)
    assert [file.name for file in manifest.inputs] == [
        "en.xml.bz2",
        "es.xml.gz",
        "es-langlinks.sql.gz",
    ]


def test_what_cleaning_cannot_use_has_its_reason(world: World) -> None:
    manifest = world.build()
    assert_nothing_is_lost(manifest)
    assert manifest.drops == {
        "source.no_partner": 1,
        "source.empty_after_cleaning": 2,
        "target.no_partner": 1,
        "target.partner_not_in_dump": 1,
        "target.partner_unusable": 2,
    }


def test_links_of_either_wiki_give_the_same_pairs(world: World) -> None:
    world.build()
    expected = world.output.read_bytes()
    back = [(1, "es", "Berlín"), (2, "es", "Río"), (4, "es", "Esbozo")]
    langlinks = write_packed(world.folder / "en-links.sql", langlinks_sql(back))
    manifest = world.build(langlinks=langlinks, langlinks_of="source", overwrite=True)
    assert_nothing_is_lost(manifest)
    pairs = {line for line in world.output.read_bytes().splitlines() if b"Stub" not in line}
    assert pairs == {line for line in expected.splitlines() if b"Stub" not in line}


def test_dumps_in_parts_give_the_same_pairs(world: World) -> None:
    world.build()
    expected = world.output.read_bytes()
    parts = tuple(
        write_packed(world.folder / f"en-{n}.xml", dump_xml(pages))
        for n, pages in enumerate((SOURCE[:2], SOURCE[2:], SOURCE[:1]))
    )
    manifest = world.build(source_dumps=parts, overwrite=True)
    assert world.output.read_bytes() == expected
    assert manifest.counts["source"]["repeated"] == 1
    assert_nothing_is_lost(manifest)


def test_a_redirect_that_shares_an_id_with_an_article_is_not_taken_for_it(world: World) -> None:
    world.build()
    expected = world.output.read_bytes()
    pages = [page_xml(1, "Old", "#REDIRECT [[Berlin]]", redirect="Berlin"), *SOURCE]
    merged = write_packed(world.folder / "merged.xml", dump_xml(pages))
    world.build(source_dumps=(merged,), overwrite=True)
    assert world.output.read_bytes() == expected


def test_headings_and_licence_are_options(world: World) -> None:
    world.build(keep_headings=False, licence="CC0")
    pair = list(read_pairs(world.output))[1]
    assert pair.source.text == "Berlin is the capital.\n\nIt is old."
    assert pair.provenance["licence"] == "CC0"


def test_kinds_of_pages_can_be_left_out(world: World) -> None:
    several = page_xml(2, "River", "A river or a band. {{disambiguation}}")
    pages = [several if page is SOURCE[1] else page for page in SOURCE]
    write_packed(world.options.source_dumps[0], dump_xml(pages))
    manifest = world.build(drop_kinds=("stub", "disambiguation"))
    assert_nothing_is_lost(manifest)
    assert manifest.drops["source.disambiguation"] == 1
    assert "enwiki:2" not in {pair.source.id for pair in read_pairs(world.output)}


ARTICLES = st.lists(
    st.sampled_from(["Text.", "{{box}}", "S", "Longer text."]), min_size=1, max_size=5
)


@settings(max_examples=30, deadline=None)
@given(
    sources=ARTICLES,
    targets=ARTICLES,
    links=st.dictionaries(st.integers(100, 105), st.integers(0, 6), min_size=1),
    redirects=st.dictionaries(st.integers(3, 6), st.integers(0, 6), max_size=2),
    min_characters=st.integers(1, 8),
)
def test_the_account_balances_for_any_wikis(
    tmp_path_factory: pytest.TempPathFactory,
    sources: list[str],
    targets: list[str],
    links: dict[int, int],
    redirects: dict[int, int],
    min_characters: int,
) -> None:
    articles = [page_xml(n, f"T{n}", text) for n, text in enumerate(sources)]
    moved = [page_xml(50 + n, f"T{n}", redirect=f"T{to}") for n, to in redirects.items()]
    world = make_world(
        tmp_path_factory.mktemp("world"),
        source=[*articles, *moved],
        target=[page_xml(100 + n, f"Z{n}", text) for n, text in enumerate(targets)],
        links=[(page, "en", f"T{n}") for page, n in links.items()],
    )
    try:
        manifest = world.build(min_characters=min_characters)
    except DataError as error:
        event(f"refused: {str(error)[:40]}")
        assert not list(world.output.parent.glob("*"))
    else:
        assert_nothing_is_lost(manifest)
        assert len(list(read_pairs(world.output))) == manifest.counts["pairs"] > 0


def break_xml(path: Path) -> None:
    write_packed(path, dump_xml(SOURCE).replace("</revision>", "</revison>", 1))


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (break_xml, r"well-formed XML, got mismatched tag in .*en\.xml\.bz2, line"),
        (cut_off, r"must be whole, got .*en\.xml\.bz2: .*download it again"),
        (Path.unlink, r"must be readable, got .*en\.xml\.bz2"),
        (lambda path: write_packed(path, dump_xml([])), r"source wiki must have articles, got 0"),
    ],
)
@pytest.mark.parametrize("exists", [False, True])
def test_bad_dumps_leave_nothing_behind(
    world: World, damage: object, message: str, exists: bool
) -> None:
    if exists:
        world.build()
    before = {path: path.read_bytes() for path in world.output.parent.glob("*")}
    assert callable(damage)
    damage(world.options.source_dumps[0])
    with pytest.raises(DataError, match=message):
        world.build(overwrite=True)
    assert {path: path.read_bytes() for path in world.output.parent.glob("*")} == before
    assert len(before) == (2 if exists else 0)


def test_no_pair_at_all_is_an_error_with_the_reasons(world: World) -> None:
    with pytest.raises(DataError, match=r"got no pair .*5 target\.too_short.*--min-characters"):
        world.build(min_characters=10**6)
    assert not list(world.output.parent.glob("*"))


def test_an_output_that_exists_is_kept(world: World) -> None:
    world.build()
    before = world.output.read_bytes()
    with pytest.raises(ConfigError, match=r"must not exist, got .*pairs\.jsonl.*--overwrite"):
        world.build()
    assert world.output.read_bytes() == before


def test_progress_tells_every_stage_to_its_end(world: World) -> None:
    calls: dict[str, tuple[int, int]] = {}
    build_wikipedia_pairs(
        world.options,
        output=world.output,
        progress=lambda stage, done, total: calls.update({stage: (done, total)}),
    )
    stages = ["scan source dump", "scan target dump", "read links", "clean", "pair"]
    assert list(calls) == stages
    assert all(done == total > 0 for done, total in calls.values())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target_language": "spa"}, r"target_language must be a two-letter .*'spa'"),
        ({"source_language": "xx"}, r"source_language must be a two-letter .*'xx'"),
        ({"target_language": "en"}, r"must differ from source_language, got en"),
        ({"min_characters": 0}, r"min_characters must be at least 1, got 0"),
        ({"langlinks_of": "both"}, r"langlinks_of must be source or target, got 'both'"),
        ({"drop_kinds": ("lists",)}, r"drop_kinds must be of disambiguation, .*got 'lists'"),
        ({"page_seconds": 0.0}, r"page_seconds must be positive, got 0"),
        ({"source_dumps": ()}, r"dumps must be given for both sides, got 0 source and 1 target"),
    ],
)
def test_options_that_cannot_work_are_refused(
    world: World, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(CrossicError, match=message):
        world.build(**changes)
