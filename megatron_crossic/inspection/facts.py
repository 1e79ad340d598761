"""What is known about a pair besides its texts, as a flat list."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from megatron_crossic.inspection.marks import visible_line


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """One thing that is known about a pair."""

    name: str
    """Dotted path of the key: `provenance.source.page_id`."""
    value: str

    @property
    def link(self) -> str | None:
        """The value where it is a web address that may be followed."""
        return self.value if _is_web_address(self.value) else None


def facts(value: Any, name: str = "") -> Iterator[Fact]:
    """The leaves of a JSON value; empty ones say nothing and are left out."""
    if isinstance(value, Mapping):
        inner = value.items()
    elif isinstance(value, list):
        inner = ((str(i), item) for i, item in enumerate(value))  # type: ignore[assignment]
    else:
        if value is not None and value != "":
            yield Fact(name=visible_line(name), value=visible_line(str(value)))
        return
    for key, item in inner:
        yield from facts(item, f"{name}.{key}" if name else str(key))


def _is_web_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:  # "http://[" is no address
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and " " not in value
