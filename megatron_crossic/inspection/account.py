"""The manifest of a data set as short tables for a person."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from megatron_crossic.inspection.marks import visible_line
from megatron_crossic.manifest import Manifest

_APART = ("tokens_by_language", "tokens_by_role")
"""Details that get tables of their own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A titled table of two columns; every text has been made safe to show."""

    title: str
    rows: tuple[tuple[str, str], ...]
    is_numeric: bool


def account_sections(manifest: Manifest) -> list[Section]:
    """What was read, kept and left out, and how the data set was made; empty tables left out.

    The keys are taken as they come: a manifest of a newer version shows what it has.
    """
    details = dict(manifest.details)
    fill_rate = details.pop("fill_rate", None)
    languages, roles = (details.pop(key, {}) for key in _APART)
    dropped = {f"dropped: {reason}": n for reason, n in manifest.drops.items()}
    filled = {} if fill_rate is None else {"fill rate": f"{fill_rate:.2%}"}
    kept = {**manifest.counts, **dropped, **filled}
    sections = [
        table_section("Pairs and tokens", kept, is_numeric=True),
        table_section("Tokens by language", _shares(languages), is_numeric=True),
        table_section("Tokens by role", _shares(roles), is_numeric=True),
        table_section("Format", {**details, "code_version": manifest.code_version}),
        table_section("Options", manifest.options),
        inputs_section(manifest),
    ]
    return [section for section in sections if section.rows]


def inputs_section(manifest: Manifest) -> Section:
    """The files an artifact was made from."""
    inputs = {i.name: f"{i.num_bytes:,} bytes, sha256 {i.sha256}" for i in manifest.inputs}
    return table_section("Inputs", inputs)


def table_section(title: str, values: Mapping[str, Any], *, is_numeric: bool = False) -> Section:
    """Any mapping as a table; a mapping inside it becomes rows `outer: inner`."""
    return Section(title=title, rows=tuple(_rows(values)), is_numeric=is_numeric)


def _rows(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        name = f"{prefix}: {key}" if prefix else str(key)
        if isinstance(value, Mapping):
            yield from _rows(value, name)
        else:
            # An input's name is a file name and keeps its underscores.
            label = name if "." in name else name.replace("_", " ")
            yield visible_line(label), visible_line(_text(value))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value)) or "none"
    return "none" if value is None else str(value)


def _shares(tokens: Mapping[str, int]) -> dict[str, str]:
    total = math.fsum(tokens.values())
    return {name: f"{n:,} ({n / total:.1%})" if total else f"{n:,}" for name, n in tokens.items()}
