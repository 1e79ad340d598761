"""What the pages share: their files, their Content-Security-Policy, and tables."""

import base64
import hashlib
from html import escape
from importlib import resources

from megatron_crossic.inspection.account import Section


def assets(*names: str) -> str:
    """The text of some files of the assets folder, one after the other."""
    folder = resources.files("megatron_crossic.inspection").joinpath("assets")
    return "\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in names)


def content_policy(*, style: str, script: str | None = None, pictures: bool = False) -> str:
    """Allows the page's own style and script, by their hashes, and nothing else.

    With `pictures` also those whose bytes stand in the page.
    """
    own = "" if script is None else f" script-src '{_hash(script)}';"
    own += " img-src data:;" if pictures else ""
    return (
        f"default-src 'none'; style-src '{_hash(style)}';{own} base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    """A source of Content-Security-Policy that allows exactly this inline text."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def section_html(section: Section) -> str:
    """A titled table of two columns."""
    kind = "numbers" if section.is_numeric else "words"
    rows = "".join(
        f"<tr><th scope=row>{escape(label)}</th><td><bdi>{escape(value)}</bdi></td></tr>"
        for label, value in section.rows
    )
    return f"<section><h3>{escape(section.title)}</h3><table class={kind}>{rows}</table></section>"
