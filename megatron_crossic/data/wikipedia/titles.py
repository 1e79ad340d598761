"""Page titles in the one spelling MediaWiki stores them under, and redirects in wikitext."""

import html
import re
import unicodedata
from urllib.parse import unquote

from megatron_crossic.data.wikipedia.namespaces import REDIRECT_WORDS

# What MediaWiki deletes from titles: marks that only steer the direction of writing.
DIRECTION_MARKS = re.compile("[\u200e\u200f\u202a-\u202e]")
BLANKS = re.compile(r"[_\s\u180e]+")
REDIRECT = re.compile(
    rf"\s*#(?:{'|'.join(REDIRECT_WORDS)})\s*:?\s*\[\[:?([^\[\]|]+)", re.IGNORECASE
)
DOTTED_I = frozenset({"az", "tr"})
"""Languages whose wikis write `İ` for a small i at the beginning; Kazakh is written in Cyrillic."""
LOWER_CASE = range(ord("a"), ord("z") + 1)


def normalise_title(title: str, *, language: str = "en") -> str:
    """One spelling for one page: blanks for underscores, NFC, first letter upper-case.

    `_new__York ` -> `New York`; a fragment (`Berlin#History`) is not touched.
    """
    title = unicodedata.normalize("NFC", DIRECTION_MARKS.sub("", title))
    title = BLANKS.sub(" ", title).strip().removeprefix(":").lstrip()
    # The larger letter may join an accent behind it: `i\u0307` -> `İ`.
    return unicodedata.normalize("NFC", _upper_first(title[:1], language) + title[1:])


def _upper_first(first: str, language: str) -> str:
    if first == "i" and language in DOTTED_I:
        return "İ"
    # Title case and not upper case: `ǆ` -> `ǅ`, and Georgian letters stay, as in the wikis. `ß`
    # stays for it would become two letters, `ⓐ` and `ⅰ` because they are none.
    upper = first.title()
    return upper if len(upper) == 1 and unicodedata.category(first)[0] == "L" else first


def title_key(title: str) -> int:
    """64 bits for a normalised title; good for one process only.

    Python hashes bytes by SipHash with a random key, so among the 18 million titles of the English
    Wikipedia two are alike once in 100,000 runs.
    """
    return hash(title.encode("utf-8", "surrogatepass"))


def table_title_key(title: bytes, *, language: str) -> int:
    """`title_key` of a title as the page and redirect tables spell it (`New_York`).

    They hold normalised titles. One that is plain ASCII is taken as it is, which is three times as
    fast; the others go the way of all titles, so that equal ones are equal under our rules.
    """
    if title.isascii() and title[:1] and title[0] not in LOWER_CASE and b"__" not in title:
        return hash(title.replace(b"_", b" "))
    return title_key(normalise_title(title.decode("utf-8", "replace"), language=language))


def split_fragment(title: str, *, language: str = "en") -> tuple[str, str]:
    """`Berlin#History` -> (`Berlin`, `History`); the fragment is empty where there is none."""
    page, _, fragment = title.partition("#")
    return normalise_title(page, language=language), fragment.strip()


def redirect_target(wikitext: str) -> str | None:
    """The title a `#REDIRECT [[title]]` text leads to; None where the text is no redirect."""
    found = REDIRECT.match(wikitext)
    # Links may be written for a browser (`A%26B`) or for HTML (`A&amp;B`).
    return html.unescape(unquote(found.group(1))).strip() if found else None
