"""Double brackets and braces of one section: what they enclose goes, stays or is no markup.

One pass from left to right with a stack finds which belong together. Templates that show nothing,
pictures, categories and links to other wikis go at once, whatever is inside them. Brackets that
nothing closes are shielded: they are text. What is left is balanced, so that neither the parser nor
the fast path has to search for an end that never comes.
"""

import re
from dataclasses import dataclass, field

from megatron_crossic.data.wikipedia import namespaces
from megatron_crossic.data.wikipedia.cleaning.characters import shield
from megatron_crossic.data.wikipedia.cleaning.templates import find_rule

# The parser's time grows with depth times length, so both have a bound. Deeper brackets are text;
# of a longer construct the brackets go and the content stays. Real articles nested 7 deep at most,
# and the longest template or link that shows text had 1,969 characters in 143 articles.
MAX_DEPTH = 30
MAX_LENGTH = 100_000
# In one run: `{{{{{1|name}}}}}` has five.
MAX_BRACES = 6

TOKEN = re.compile(
    r"\[\[([^\[\]{}|\n]*)(?:\|[^\[\]{}|\n]*)?\]\]"  # a link with nothing inside it
    r"|\{\{+|\}\}+|\[\[+|\]\]"
)


# What is no table and no heading by now must be none for the parser either.
TABLE_OR_HEADING = re.compile(r"(?<!\{)\{(?=\|)|^=+", re.MULTILINE)


def visible_parts(wikitext: str, *, language: str) -> list[str]:
    """The section in parts: text, `[[…]]`, `{{…}}` (told by how they begin), without the hidden."""
    if "{|" in wikitext or "\n=" in wikitext or wikitext[:1] == "=":
        wikitext = TABLE_OR_HEADING.sub(lambda found: shield(found[0]), wikitext)
    if any(brackets in wikitext for brackets in ("[[", "{{", "]]", "}}")):
        return _Scan(language=language).run(wikitext)
    return [wikitext]


def is_hidden_link(title: str, *, language: str, has_label: bool) -> bool:
    """Whether a link shows nothing where it stands: pictures, categories, other languages."""
    if ":" not in title or title.lstrip().startswith(":"):
        return False
    title = title.strip()
    return (
        namespaces.is_file(title, language=language)
        or namespaces.is_category(title, language=language)
        or (not has_label and namespaces.is_interwiki(title))
    )


@dataclass(kw_only=True, slots=True)
class _Open:
    """Brackets that wait for their end."""

    character: str
    count: int
    """How many of them stand together: `{{{{` can be two templates."""
    index: int
    """Their place among the parts."""


@dataclass(kw_only=True, slots=True)
class _Scan:
    language: str
    parts: list[str] = field(default_factory=list)
    stack: list[_Open] = field(default_factory=list)
    num_open: dict[str, int] = field(default_factory=lambda: {"{": 0, "[": 0})

    def run(self, wikitext: str) -> list[str]:
        position = 0
        for found in TOKEN.finditer(wikitext):
            start, end = found.span()
            if start > position:
                self._text(wikitext[position:start])
            position = end
            if found[1] is not None:
                self._link(found[0], found[1])
            elif wikitext[start] in "{[":
                self._start(wikitext[start], end - start)
            else:
                self._end(wikitext[start], end - start)
        if position < len(wikitext):
            self._text(wikitext[position:])
        while self.stack:
            self._give_up()
        return self.parts

    def _text(self, text: str) -> None:
        # What is hidden leaves its neighbours side by side: `[{{x}}[[a]]` is no `[[[a]]`. An equals
        # sign could come to stand at the beginning of a line; in `{{=}}` it is a name.
        is_name = self.stack and self.stack[-1].index == len(self.parts) - 1
        if text[0] in "]}=" and not is_name:
            text = shield(text[0]) + text[1:]
        if text[-1] in "[{":
            text = text[:-1] + shield(text[-1])
        self.parts.append(text)

    def _link(self, token: str, title: str) -> None:
        has_label = len(token) > len(title) + 4
        if not is_hidden_link(title, language=self.language, has_label=has_label):
            self.parts.append(token)

    def _start(self, character: str, count: int) -> None:
        if len(self.stack) >= MAX_DEPTH:
            self.parts.append(shield(character * count))
            return
        most = 2 if character == "[" else MAX_BRACES  # `[[[a]]]` is a link in brackets
        if count > most:
            self.parts.append(shield(character * (count - most)))
            count = most
        self._push(character, count)

    def _push(self, character: str, count: int) -> None:
        self.stack.append(_Open(character=character, count=count, index=len(self.parts)))
        self.num_open[character] += 1
        self.parts.append(character * count)

    def _end(self, character: str, count: int) -> None:
        opening = "{" if character == "}" else "["
        while count >= 2 and self.num_open[opening]:
            while self.stack[-1].character != opening:
                self._give_up()
            count -= self._close(self.stack.pop(), count)
        if count:
            self.parts.append(shield(character * count))

    def _give_up(self) -> None:
        """The innermost open brackets are text."""
        unclosed = self.stack.pop()
        self.num_open[unclosed.character] -= 1
        self.parts[unclosed.index] = shield(self.parts[unclosed.index])

    def _close(self, opened: _Open, count: int) -> int:
        """Close what is open by as many brackets as belong together; their number."""
        self.num_open[opened.character] -= 1
        # Three braces are an argument, `{{{name|default}}}`, as the wiki reads them.
        num = 3 if min(count, opened.count) >= 3 else 2
        content = self.parts[opened.index + 1 :]
        del self.parts[opened.index :]
        rest = opened.count - num
        if rest >= 2:
            self._push(opened.character, rest)
        elif rest:
            self.parts.append(shield(opened.character))
        if num == 3 or not self._is_hidden(opened.character, content):
            self.parts += self._construct(opened.character * num, content)
        return num

    def _construct(self, opening: str, content: list[str]) -> list[str]:
        if sum(map(len, content)) > MAX_LENGTH:
            name, bar, rest = content[0].partition("|")
            return [rest if bar else name, *content[1:]]
        closing = opening.translate({ord("{"): "}", ord("["): "]"})
        return ["".join([opening, *content, closing])]

    def _is_hidden(self, character: str, content: list[str]) -> bool:
        name = content[0].partition("|")[0] if content else ""
        if character == "[":
            return is_hidden_link(
                name, language=self.language, has_label=any("|" in part for part in content)
            )
        return find_rule(name) is None
