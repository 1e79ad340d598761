"""Tables in mysqldump's form, as Wikimedia publishes them: gzip, INSERTs of up to 1 MB."""

import gzip
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Literal

INSERT_BYTES = 1 << 20

COLUMNS = {
    "page": """  `page_id` int(8) unsigned NOT NULL AUTO_INCREMENT,
  `page_namespace` int(11) NOT NULL DEFAULT 0,
  `page_title` varbinary(255) NOT NULL DEFAULT '',
  `page_is_redirect` tinyint(1) unsigned NOT NULL DEFAULT 0,
  `page_is_new` tinyint(1) unsigned NOT NULL DEFAULT 0,
  `page_random` double unsigned NOT NULL DEFAULT 0,
  `page_touched` binary(14) NOT NULL,
  `page_links_updated` varbinary(14) DEFAULT NULL,
  `page_latest` int(8) unsigned NOT NULL DEFAULT 0,
  `page_len` int(8) unsigned NOT NULL DEFAULT 0,
  `page_content_model` varbinary(32) DEFAULT NULL,
  `page_lang` varbinary(35) DEFAULT NULL,
  PRIMARY KEY (`page_id`),
  UNIQUE KEY `page_name_title` (`page_namespace`,`page_title`)""",
    "redirect": """  `rd_from` int(8) unsigned NOT NULL DEFAULT 0,
  `rd_namespace` int(11) NOT NULL DEFAULT 0,
  `rd_title` varbinary(255) NOT NULL DEFAULT '',
  `rd_interwiki` varbinary(32) DEFAULT NULL,
  `rd_fragment` varbinary(255) DEFAULT NULL,
  PRIMARY KEY (`rd_from`),
  KEY `rd_ns_title` (`rd_namespace`,`rd_title`,`rd_from`)""",
    "langlinks": """  `ll_from` int(8) unsigned NOT NULL DEFAULT 0,
  `ll_lang` varbinary(35) NOT NULL DEFAULT '',
  `ll_title` varbinary(255) NOT NULL DEFAULT '',
  PRIMARY KEY (`ll_from`,`ll_lang`),
  KEY `ll_lang` (`ll_lang`,`ll_title`)""",
}
TableName = Literal["page", "redirect", "langlinks"]


def quoted(text: str) -> str:
    """A text as mysqldump writes it."""
    for character, written in (("\\", "\\\\"), ("'", "\\'"), ('"', '\\"')):
        text = text.replace(character, written)
    return f"'{text}'"


def database_key(title: str) -> str:
    """A title as the tables have it."""
    return quoted(title.replace(" ", "_"))


class TableWriter:
    """One table's dump, row after row; rows are `(…)` without what separates them."""

    def __init__(self, path: Path, table: TableName, *, database: str) -> None:
        self._raw: BinaryIO = path.open("wb")
        # Without name and time, so that the same rows give the same file.
        self._file = gzip.GzipFile("", "wb", 6, self._raw, mtime=0)
        self._table = table
        self._waiting: list[bytes] = []
        self._num_waiting_bytes = 0
        self.num_rows = 0
        self._file.write(_head(table, database=database).encode())

    def add(self, rows: Iterable[str]) -> None:
        for row in rows:
            written = row.encode()
            if self._num_waiting_bytes + len(written) > INSERT_BYTES:
                self._flush()
            self._waiting.append(written)
            self._num_waiting_bytes += len(written) + 1
            self.num_rows += 1

    def _flush(self) -> None:
        if self._waiting:
            start = f"INSERT INTO `{self._table}` VALUES ".encode()
            self._file.write(start + b",".join(self._waiting) + b";\n")
        self._waiting, self._num_waiting_bytes = [], 0

    def close(self) -> None:
        self._flush()
        self._file.write(
            f"/*!40000 ALTER TABLE `{self._table}` ENABLE KEYS */;\n"
            "/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;\n\n-- Dump completed\n".encode()
        )
        self._file.close()
        self._raw.close()


def _head(table: TableName, *, database: str) -> str:
    return f"""/*M!999999\\- enable the sandbox mode */
-- MariaDB dump 10.19  Distrib 10.5.29-MariaDB, for debian-linux-gnu (x86_64)
--
-- Host: localhost    Database: {database}
-- ------------------------------------------------------
-- Server version\t10.11.13-MariaDB-log

/*!40101 SET NAMES utf8mb4 */;
/*!40103 SET TIME_ZONE='+00:00' */;

--
-- Table structure for table `{table}`
--

DROP TABLE IF EXISTS `{table}`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `{table}` (
{COLUMNS[table]}
) ENGINE=InnoDB DEFAULT CHARSET=binary;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `{table}`
--

/*!40000 ALTER TABLE `{table}` DISABLE KEYS */;
"""
