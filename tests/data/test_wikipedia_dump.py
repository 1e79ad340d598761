from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wikipedia_samples import dump_xml, page_xml, write_packed

from megatron_crossic.data import unpack
from megatron_crossic.data.wikipedia.dump import Page, read_pages
from megatron_crossic.errors import DataError

XML_TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters="\r", exclude_categories=["Cc", "Cs"])
)


def pages_of(path: Path, *, with_text: bool = True) -> list[Page]:
    return list(read_pages(path, with_text=with_text))


@pytest.mark.parametrize(
    "attributes",
    [
        ' xmlns="http://www.mediawiki.org/xml/export-0.10/" version="0.10"',
        ' xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11"',
        "",
    ],
)
@pytest.mark.parametrize("name", ["dump.xml", "dump.xml.gz", "dump.xml.bz2"])
def test_pages_of_every_format_and_packing(tmp_path: Path, attributes: str, name: str) -> None:
    content = dump_xml([page_xml(12, "Tom & Jerry", "a < b\n\n''c''")], attributes=attributes)
    assert pages_of(write_packed(tmp_path / name, content)) == [
        Page(
            id=12,
            title="Tom & Jerry",
            namespace=0,
            redirect=None,
            revision_id=1012,
            timestamp="2024-05-01T12:00:00Z",
            model="wikitext",
            format="text/x-wiki",
            text="a < b\n\n''c''",
        )
    ]


def test_utf_16_is_read_by_its_byte_order_mark(tmp_path: Path) -> None:
    xml = '<?xml version="1.0" encoding="UTF-16"?>\n' + dump_xml([page_xml(1, "برلين", "مدينة")])
    path = write_packed(tmp_path / "dump.xml", xml.encode("utf-16"))
    assert [(page.title, page.text) for page in pages_of(path)] == [("برلين", "مدينة")]


@given(st.lists(st.tuples(XML_TEXT.filter(str.strip), XML_TEXT), max_size=4))
def test_titles_and_texts_come_back(
    tmp_path_factory: pytest.TempPathFactory, pages: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("dump") / "dump.xml"
    write_packed(path, dump_xml([page_xml(i, *page) for i, page in enumerate(pages)]))
    assert [(p.title, p.text) for p in pages_of(path)] == [(t.strip(), x) for t, x in pages]


def test_without_texts_only_the_beginning_is_kept(tmp_path: Path) -> None:
    path = write_packed(tmp_path / "dump.xml", dump_xml([page_xml(1, "Long", "word " * 100_000)]))
    (page,) = pages_of(path, with_text=False)
    assert 0 < len(page.text) < 100_000
    assert len(pages_of(path)[0].text) == 500_000


@pytest.mark.parametrize("with_text", [True, False])
@pytest.mark.parametrize(
    ("redirect", "text", "expected"),
    [
        (None, "Text.", None),
        ("Berlin", "#REDIRECT [[Berlin]]", "Berlin"),
        ("Berlin", "anything", "Berlin"),
        ("Berlin", "#REDIRECT [[berlin#History]]", "Berlin#History"),
        ("Berlin#Name", "#REDIRECT [[Berlin#History]]", "Berlin#Name"),
        ("", "#REDIRECT [[Berlin#History]] {{R}}", "Berlin#History"),
        ("", "nothing", ""),
        (None, "#REDIRECCIÓN [[Berlín]]", "Berlín"),
        (None, "#転送 [[ベルリン]]", "ベルリン"),
        (None, "#تحويل [[برلين]]", "برلين"),
    ],
)
def test_redirects_are_known_by_element_or_text(
    tmp_path: Path, with_text: bool, redirect: str | None, text: str, expected: str | None
) -> None:
    xml = dump_xml([page_xml(1, "B", text, redirect=redirect), page_xml(2, "After")])
    path = write_packed(tmp_path / "dump.xml", xml)
    assert [p.redirect for p in pages_of(path, with_text=with_text)] == [expected, None]


def test_the_last_revision_counts_and_other_slots_do_not(tmp_path: Path) -> None:
    slot = "<content><role>mediainfo</role><text>{}</text></content>"
    revisions = "".join(
        f"<revision><id>{n}</id><text>text {n}</text>{slot}</revision>" for n in (5, 6)
    )
    xml = f"<mediawiki><page><title>T</title><id>1</id>{revisions}</page></mediawiki>"
    (page,) = pages_of(write_packed(tmp_path / "dump.xml", xml))
    assert (page.revision_id, page.text, page.namespace, page.id) == (6, "text 6", None, 1)


def test_deleted_text_is_empty(tmp_path: Path) -> None:
    xml = (
        "<mediawiki><page><title>T</title><id>1</id>"
        '<revision><text deleted="deleted" /></revision></page></mediawiki>'
    )
    assert pages_of(write_packed(tmp_path / "dump.xml", xml))[0].text == ""


def test_broken_xml_in_the_middle_names_the_line(tmp_path: Path) -> None:
    lines = dump_xml([page_xml(n, f"Page {n}") for n in range(3)]).splitlines(keepends=True)
    broken = next(i for i, line in enumerate(lines) if "Page 1" in line)
    lines[broken] = "    <title>Page 1</tilte>\n"
    path = write_packed(tmp_path / "dump.xml", "".join(lines))
    with pytest.raises(
        DataError, match=rf"well-formed XML, got mismatched tag in .*dump\.xml, line {broken + 1},"
    ):
        pages_of(path)


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.6, 0.95])
def test_a_dump_cut_off_anywhere_is_refused(tmp_path: Path, keep: float) -> None:
    xml = dump_xml([page_xml(n, f"Page {n}") for n in range(3)])
    path = write_packed(tmp_path / "dump.xml", xml[: int(len(xml) * keep)])
    with pytest.raises(DataError, match=r"well-formed XML, got .* in .*dump\.xml, line \d+"):
        pages_of(path)


@pytest.mark.parametrize(
    "declaration",
    [
        '<!DOCTYPE mediawiki [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>',
        '<!DOCTYPE mediawiki SYSTEM "file:///etc/passwd">',
    ],
)
def test_declarations_are_refused(tmp_path: Path, declaration: str) -> None:
    path = write_packed(tmp_path / "dump.xml", declaration + dump_xml([page_xml(1, "T", "x")]))
    with pytest.raises(DataError, match=r"must not declare a document type .*line 1\."):
        pages_of(path)


def test_unknown_entities_are_refused(tmp_path: Path) -> None:
    xml = dump_xml([page_xml(1, "T", "x")]).replace("<sha1>0", "<sha1>&nbsp;")
    with pytest.raises(DataError, match="got undefined entity"):
        pages_of(write_packed(tmp_path / "dump.xml", xml))


def test_other_xml_is_refused(tmp_path: Path) -> None:
    path = write_packed(tmp_path / "dump.xml", "<html><page></page></html>")
    with pytest.raises(DataError, match="must be a MediaWiki export, got <html>"):
        pages_of(path)


def test_a_page_without_id_or_title_is_named(tmp_path: Path) -> None:
    path = write_packed(
        tmp_path / "a.xml", "<mediawiki>\n<page><title>T</title></page></mediawiki>"
    )
    with pytest.raises(DataError, match=r"page 'T' must have a number as id, got None .*line 2"):
        pages_of(path)
    path = write_packed(tmp_path / "b.xml", "<mediawiki>\n<page><id>1</id></page></mediawiki>")
    with pytest.raises(DataError, match=r"page must have a title, got none in .*b\.xml, line 2"):
        pages_of(path)


def test_a_redirect_across_two_blocks_is_found_in_both_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old exports say so in the text only, and a block may end inside `#REDIRECT`."""
    texts = ["#REDIRECT [[Bee]]", "\n" * 2000 + "#REDIRECT [[Bee]]"]
    pages = [page_xml(i, f"Page {i}", text) for i, text in enumerate(texts)]
    path = write_packed(tmp_path / "dump.xml", dump_xml(pages))
    monkeypatch.setattr(unpack, "BLOCK_BYTES", 7)
    for with_text in (False, True):
        assert [page.redirect for page in pages_of(path, with_text=with_text)] == ["Bee", None]
