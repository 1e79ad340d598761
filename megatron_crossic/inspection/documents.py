"""Documents as a person reads them: the beginning, safe to show, in its own direction."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from megatron_crossic.data.records import Document
from megatron_crossic.inspection.facts import Fact, facts
from megatron_crossic.inspection.languages import Direction, direction
from megatron_crossic.inspection.marks import visible, visible_line


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownDocument:
    """The beginning of a document; every text has been made safe to show."""

    language: str
    direction: Direction
    title: str
    link: str | None
    """An https address of the page or revision it was made from."""
    paragraphs: tuple[str, ...]
    num_paragraphs: int
    """Of the whole document."""
    num_characters: int


def show_document(
    document: Document,
    link: str | None,
    *,
    paragraphs: int,
    characters: int,
    whole: int | None = None,
) -> ShownDocument:
    """The first paragraphs of a document, at most so many characters of it.

    `whole` is the length of the text where the document holds its beginning only.
    """
    found = document.paragraphs()
    shown: list[str] = []
    left = characters
    for paragraph in found[:paragraphs]:
        if left <= 0:
            break
        cut = f"{paragraph[:left]}…" if len(paragraph) > left else paragraph
        shown.append(visible(cut))
        left -= len(paragraph)
    return ShownDocument(
        language=document.language,
        direction=direction(document.language),
        title=visible_line(document.title),
        link=link,
        paragraphs=tuple(shown),
        num_paragraphs=len(found),
        num_characters=len(document.text) if whole is None else whole,
    )


def link_of(side: Any) -> str | None:
    """The https address among what is known about a document, a revision's before a page's."""
    if not isinstance(side, Mapping):
        return None
    addresses = [fact for fact in facts(side) if is_https(fact)]
    addresses.sort(key=lambda fact: "revision" not in fact.name)
    return addresses[0].link if addresses else None


def is_https(fact: Fact) -> bool:
    """Whether a fact is an address that the report links to."""
    return (fact.link or "").startswith("https://")


def document_html(document: ShownDocument, *, series: int, label: str) -> str:
    """A column of a pair in the colour of its series; `label` is what it is, as text."""
    title = f"<bdi>{escape(document.title) or '(no title)'}</bdi>"
    if document.link is not None:
        title = link_html(document.link, title)
    paragraphs = "".join(f"<p>{escape(text)}</p>" for text in document.paragraphs)
    language = f'lang="{escape(document.language)}" dir={document.direction}'
    return (
        f'<div class="span l{series % 8}"><p class=label><b>{escape(document.language)}</b> '
        f"{escape(label)}</p><h4 {language}>{title}</h4><div class=text {language}>"
        f"{paragraphs or '<p class=facts>(empty)</p>'}</div></div>"
    )


def link_html(address: str, content: str) -> str:
    """A link that tells the site nothing; `content` is HTML."""
    return (
        f'<a href="{escape(address)}" rel="noopener noreferrer nofollow" target="_blank">'
        f"{content}</a>"
    )
