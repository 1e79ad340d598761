"""Interlanguage links, read from the langlinks table of one wiki.

A row `(ll_from, ll_lang, ll_title)` says: my page `ll_from` is about the same as the page
`ll_title` of wiki `ll_lang`. The wiki that published the table is the *linking* wiki here, the
other one the *linked* wiki. Rows to all other languages are counted and forgotten.
"""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from megatron_crossic.data.unpack import OnBytes, ignore_bytes
from megatron_crossic.data.wikipedia.namespaces import is_article
from megatron_crossic.data.wikipedia.tables.index import Codes, Ints
from megatron_crossic.data.wikipedia.tables.reasons import (
    CODE,
    LINK_TO_OTHER_NAMESPACE,
    LINK_TO_SECTION,
)
from megatron_crossic.data.wikipedia.tables.sources import table_number
from megatron_crossic.data.wikipedia.tables.sql import Damage, Table, read_rows
from megatron_crossic.data.wikipedia.titles import split_fragment, title_key
from megatron_crossic.errors import DataError

COLUMNS = ("ll_from", "ll_lang", "ll_title")
TABLE = Table(name="langlinks", columns=COLUMNS, default_columns=COLUMNS)


@dataclass(frozen=True, kw_only=True, slots=True)
class LangLinks:
    """The links of one wiki to one other, a row each; 17 bytes a link."""

    from_ids: Ints
    """Page in the linking wiki: an article, a redirect or neither."""
    keys: Ints
    """`title_key` of the title in the linked wiki."""
    reasons: Codes
    """Why the title is no article whatever the linked wiki has, by its code; else 0. That it lies
    in another namespace is told by its prefix, and counts only if there is no such article."""
    counts: Mapping[str, int]
    """`rows` read, of them `other_languages` and `without_title`."""
    malformed: Mapping[str, Any]
    """Rows that were skipped, and where."""


def read_langlinks(
    path: Path, *, linking_language: str, linked_language: str, on_bytes: OnBytes = ignore_bytes
) -> LangLinks:
    """Read the rows that lead to the wiki `linked_language`.

    Raises `DataError` where no row at all leads there: then it is the table of the wrong wiki.
    """
    from_ids, keys, reasons = array("q"), array("q"), array("B")
    damage = Damage()
    num_rows = num_wanted = 0
    wanted = linked_language.encode("ascii")
    for from_id, language, title in read_rows(path, TABLE, on_bytes=on_bytes, damage=damage):
        num_rows += 1
        if language != wanted:
            continue
        num_wanted += 1
        if title:
            name, reason = _name(title, linked_language)
            from_ids.append(table_number(from_id, "ll_from", path))
            keys.append(title_key(name))
            reasons.append(CODE[reason] if reason else 0)
    if not num_wanted:
        raise DataError(
            f"langlinks must have rows with ll_lang {linked_language!r}, got none among "
            f"{num_rows} in {path}. Give the langlinks dump of {linking_language}wiki, or "
            "say with --langlinks-of whose dump it is."
        )
    return LangLinks(
        from_ids=np.frombuffer(from_ids, np.int64),
        keys=np.frombuffer(keys, np.int64),
        reasons=np.frombuffer(reasons, np.uint8),
        counts={
            "rows": num_rows,
            "other_languages": num_rows - num_wanted,
            "without_title": num_wanted - len(keys),
        },
        malformed={"langlinks": damage.for_account()},
    )


def _name(title: bytes, language: str) -> tuple[str, str]:
    name, section = split_fragment(title.decode("utf-8", "replace"), language=language)
    if section:
        return name, LINK_TO_SECTION
    return name, "" if is_article(name, language=language) else LINK_TO_OTHER_NAMESPACE
