"""Small dumps in MediaWiki's own formats for the tests beside this file."""

import bz2
import gzip
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

NAMESPACE_011 = ' xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="en"'

# What a slice cut out of another wiki's dump says about itself.
SITEINFO = """  <siteinfo>
    <sitename>Wikipedia</sitename>
    <dbname>xxwiki</dbname>
    <namespaces><namespace key="0" case="first-letter" /></namespaces>
  </siteinfo>
"""


def page_xml(
    page_id: int,
    title: str,
    text: str = "Some text.",
    *,
    ns: int | None = 0,
    redirect: str | None = None,
    model: str = "wikitext",
    text_format: str = "text/x-wiki",
) -> str:
    """One page; its revision is the page id + 1000."""
    ns_line = "" if ns is None else f"    <ns>{ns}</ns>\n"
    redirect_line = "" if redirect is None else f"    <redirect title={quoteattr(redirect)} />\n"
    return f"""  <page>
    <title>{escape(title)}</title>
{ns_line}    <id>{page_id}</id>
{redirect_line}    <revision>
      <id>{page_id + 1000}</id>
      <parentid>7</parentid>
      <timestamp>2024-05-01T12:00:00Z</timestamp>
      <contributor>
        <username>Someone</username>
        <id>42</id>
      </contributor>
      <model>{model}</model>
      <format>{text_format}</format>
      <text bytes="{len(text)}" xml:space="preserve">{escape(text)}</text>
      <sha1>0</sha1>
    </revision>
  </page>
"""


def dump_xml(pages: Sequence[str], *, attributes: str = NAMESPACE_011) -> str:
    """A whole export."""
    return f"<mediawiki{attributes}>\n{SITEINFO}{''.join(pages)}</mediawiki>\n"


def write_packed(path: Path, content: str | bytes) -> Path:
    """Write `content` packed as the name says: plain, .gz or .bz2."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    pack = {".gz": gzip.compress, ".bz2": bz2.compress}.get(path.suffix, bytes)
    path.write_bytes(pack(data))
    return path


def langlinks_sql(rows: Sequence[tuple[int, str, str]]) -> str:
    """A langlinks dump as `mysqldump` writes it for Wikimedia."""
    values = ",".join(f"({page},'{lang}','{quote_sql(title)}')" for page, lang, title in rows)
    return f"""/*M!999999\\- enable the sandbox mode */
-- MariaDB dump 10.19  Distrib 10.5.29-MariaDB, for debian-linux-gnu (x86_64)
--
/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;

DROP TABLE IF EXISTS `langlinks`;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `langlinks` (
  `ll_from` int(8) unsigned NOT NULL DEFAULT 0,
  `ll_lang` varbinary(35) NOT NULL DEFAULT '',
  `ll_title` varbinary(255) NOT NULL DEFAULT '',
  PRIMARY KEY (`ll_from`,`ll_lang`),
  KEY `ll_lang` (`ll_lang`,`ll_title`)
) ENGINE=InnoDB DEFAULT CHARSET=binary;

/*!40000 ALTER TABLE `langlinks` DISABLE KEYS */;
INSERT INTO `langlinks` VALUES {values};
/*!40000 ALTER TABLE `langlinks` ENABLE KEYS */;
-- Dump completed on 2024-05-02
"""


def quote_sql(text: str) -> str:
    """The escapes `mysqldump` uses inside quotes."""
    for character, escaped in (("\\", "\\\\"), ("'", "\\'"), ('"', '\\"'), ("\n", "\\n")):
        text = text.replace(character, escaped)
    return text.replace("\0", "\\0").replace("\x1a", "\\Z").replace("\r", "\\r")


def write_multistream(path: Path, pages: Sequence[str], *, stream_pages: int = 4) -> Path:
    """As Wikimedia publishes them: header, some pages at a time, end, a stream of bz2 each."""
    head, tail = dump_xml([]).split("</mediawiki>")
    starts = range(0, len(pages), stream_pages)
    streams = [head, *("".join(pages[i : i + stream_pages]) for i in starts), "</mediawiki>" + tail]
    path.write_bytes(b"".join(bz2.compress(stream.encode("utf-8")) for stream in streams))
    return path


def table_sql(table: str, columns: str, rows: Sequence[Sequence[int | str | None]]) -> str:
    """Any table as `mysqldump` writes it; `columns` are separated by blanks."""
    lines = ",\n".join(f"  `{column}` varbinary(255) DEFAULT NULL" for column in columns.split())
    values = ",".join(f"({','.join(map(_literal, row))})" for row in rows)
    return f"CREATE TABLE `{table}` (\n{lines}\n);\nINSERT INTO `{table}` VALUES {values};\n"


def _literal(value: int | str | None) -> str:
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int) else f"'{quote_sql(value)}'"


def page_sql(rows: Sequence[Sequence[int | str | None]]) -> str:
    """A page table, as far as it is read: id, namespace, title, is redirect, content model."""
    columns = "page_id page_namespace page_title page_is_redirect page_content_model"
    return table_sql("page", columns, rows)


def redirect_sql(rows: Sequence[Sequence[int | str | None]]) -> str:
    """A redirect table: from, namespace, title, interwiki, fragment."""
    return table_sql("redirect", "rd_from rd_namespace rd_title rd_interwiki rd_fragment", rows)
