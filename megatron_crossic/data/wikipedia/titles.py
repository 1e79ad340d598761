"""Page titles in the one spelling MediaWiki stores them under, and redirects in wikitext."""

import re
import unicodedata

from megatron_crossic.data.wikipedia.namespaces import REDIRECT_WORDS

# What MediaWiki deletes from titles: marks that only steer the direction of writing.
DIRECTION_MARKS = re.compile("[\u200e\u200f\u202a-\u202e]")
BLANKS = re.compile(r"[_\s]+")
REDIRECT = re.compile(
    rf"\s*#(?:{'|'.join(REDIRECT_WORDS)})\s*:?\s*\[\[:?([^\[\]|]+)", re.IGNORECASE
)


def normalise_title(title: str) -> str:
    """One spelling for one page: blanks for underscores, NFC, first letter upper-case.

    `_new__York ` -> `New York`; a fragment (`Berlin#History`) is not touched.
    """
    title = unicodedata.normalize("NFC", DIRECTION_MARKS.sub("", title))
    title = BLANKS.sub(" ", title).strip().removeprefix(":").lstrip()
    first = title[:1].upper()
    # `ß`.upper() is `SS`: MediaWiki leaves letters alone that become two.
    return first + title[1:] if len(first) == 1 else title


def split_fragment(title: str) -> tuple[str, str]:
    """`Berlin#History` -> (`Berlin`, `History`); the fragment is empty where there is none."""
    page, _, fragment = title.partition("#")
    return normalise_title(page), fragment.strip()


def redirect_target(wikitext: str) -> str | None:
    """The title a `#REDIRECT [[title]]` text leads to; None where the text is no redirect."""
    found = REDIRECT.match(wikitext)
    return found.group(1).strip() if found else None
