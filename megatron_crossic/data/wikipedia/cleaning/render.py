"""Parts of a section as text: links show their label, templates what they carry.

Plain links and templates with nothing nested inside are read here: the fast path. Everything else
goes to the parser. Both give the same text, byte for byte: `Renderer(use_parser=True)` parses
everything, whole sections at a time, and tests compare the two.

List markers stay at the beginnings of lines and `LINE_BREAK` stands for a break inside a
paragraph; `tidy` makes paragraphs of them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import mwparserfromhell
from mwparserfromhell.nodes import Argument, Tag, Template, Text, Wikilink
from mwparserfromhell.nodes._base import Node
from mwparserfromhell.parser import ParserError
from mwparserfromhell.wikicode import Wikicode

from megatron_crossic.data.wikipedia.cleaning.brackets import is_hidden_link
from megatron_crossic.data.wikipedia.cleaning.template_rules import Arguments
from megatron_crossic.data.wikipedia.cleaning.templates import find_rule
from megatron_crossic.errors import DataError

NOT_PLAIN = re.compile(r"[\[\]{}\n>]")
NESTED = re.compile(r"[\[\]{}]")
# `[[Moon (film)|]]` shows `Moon`, `[[Help:Link|]]` shows `Link`, `[[Paris, Texas|]]` shows `Paris`.
PIPE_TRICK = re.compile(r"^[^:]+:|\s*\([^()]*\)$|,.*$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Renderer:
    """Renders the parts of sections in one language."""

    language: str
    use_parser: bool = False
    """Parse everything instead of only what is not plain: the same text, several times slower."""

    def render(self, parts: Sequence[str]) -> str:
        """The text of a section whose brackets are balanced, in parts as `brackets` makes them."""
        if self.use_parser:
            return self._parse("".join(parts))
        return "".join(
            [
                part
                if not part.startswith(("[[", "{{"))
                else self._plain_link(part)
                if part[0] == "["
                else self._plain_template(part)
                for part in parts
            ]
        )

    def _plain_link(self, part: str) -> str:
        title, bar, label = part[2:-2].partition("|")
        if not title or NOT_PLAIN.search(part, 2, len(part) - 2):
            return self._parse(part)
        return self._link(title.strip(), label.strip() if bar else None)

    def _plain_template(self, part: str) -> str:
        name, *parameters = part[2:-2].split("|")
        if NESTED.search(part, 2, len(part) - 2) or NOT_PLAIN.search(name.strip()):
            return self._parse(part)
        halves = [parameter.partition("=") for parameter in parameters]
        return self._template(
            name, [(key.strip(), value) if equals else (None, key) for key, equals, value in halves]
        )

    def _link(self, title: str, label: str | None) -> str:
        if label:
            has_label = True
            shown = label
        else:
            has_label = label is not None
            shown = PIPE_TRICK.sub("", title) if has_label else title
        if ":" not in title:
            return shown
        if title[0] == ":":  # `[[:Category:X]]` shows a link where `[[Category:X]]` would not
            return label or title[1:]
        return "" if is_hidden_link(title, language=self.language, has_label=has_label) else shown

    def _template(self, name: str, parameters: Sequence[tuple[str | None, str]]) -> str:
        """What a template shows; the key of a parameter is None where none is written."""
        rule = find_rule(name)
        if rule is None:
            return ""
        positional: list[str] = []
        named: dict[str, str] = {}
        for key, value in parameters:
            if key is None or key == str(len(positional) + 1):
                positional.append(value.strip())
            else:
                named[key] = value.strip()
        return rule(Arguments(positional=positional, named=named, language=self.language))

    def _parse(self, wikitext: str) -> str:
        try:
            # Marks of style are taken out before: where an article forgets one, the parser would
            # give up on what is inside.
            return self._code(mwparserfromhell.parse(wikitext, skip_style_tags=True))
        except (ParserError, RecursionError) as error:
            raise DataError(
                f"wikitext must be parseable, got {type(error).__name__}: {error}. "
                "Leave the page out."
            ) from error

    def _code(self, code: Wikicode | None) -> str:
        return "".join(map(self._node, code.nodes)) if code is not None else ""

    def _node(self, node: Node) -> str:
        match node:
            case Text():
                return str(node.value)
            case Wikilink():
                label = self._code(node.text).strip() if node.text is not None else None
                return self._link(self._code(node.title).strip(), label)
            case Template():
                return self._template(
                    self._code(node.name),
                    [
                        (str(p.name).strip() if p.showkey else None, self._code(p.value))
                        for p in node.params
                    ],
                )
            case Argument():
                return self._code(node.default)
            case Tag():  # list markers; every other tag was taken out before
                return str(node.wiki_markup or node)
        return str(node)
