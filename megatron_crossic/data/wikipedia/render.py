"""The tree of one piece of wikitext as text: links show their label, templates what they carry.

List markers stay at the beginnings of lines and `LINE_BREAK` stands for a break inside a
paragraph; `tidy` makes paragraphs of them. Formulas are kept as `$LaTeX$`, out of reach of later
clean-up: `Rendered.formulas` holds them and the text only their numbers.
"""

import html
import re
from dataclasses import dataclass, field

from mwparserfromhell.nodes import (
    Argument,
    Comment,
    ExternalLink,
    Heading,
    HTMLEntity,
    Tag,
    Template,
    Text,
    Wikilink,
)
from mwparserfromhell.nodes._base import Node
from mwparserfromhell.wikicode import Wikicode

from megatron_crossic.data.wikipedia import namespaces
from megatron_crossic.data.wikipedia.templates import Arguments, find_rule

LINE_BREAK = "\v"
# Around the number of a formula; private-use characters are taken out of the wikitext before.
FORMULA_START, FORMULA_END = "\ue000", "\ue001"

DROPPED_TAGS = frozenset(
    """
    ref references gallery table timeline imagemap score graph mapframe maplink templatestyles
    syntaxhighlight source hiero includeonly categorytree inputbox indicator rp style script
    """.split()
)
FORMULA_TAGS = frozenset({"math", "chem", "ce"})
BLOCK_TAGS = frozenset("div center dl dd dt ul ol h1 h2 h3 h4 h5 h6 section tr td th".split())
PARAGRAPH_TAGS = frozenset("p blockquote hr".split())
VERBATIM_TAGS = frozenset("poem pre".split())

LIST_MARKS = frozenset({"*", "#", ":", ";", "----"})

QUOTES = re.compile("'{2,}")
HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)
SUPERSCRIPTS = str.maketrans("0123456789+-−=()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿ")


@dataclass(kw_only=True, slots=True)
class Renderer:
    """Renders trees of one article; formulas are numbered through the article."""

    language: str
    formulas: list[str] = field(default_factory=list)

    def render(self, code: Wikicode | None) -> str:
        """The text of `code`."""
        return "".join(map(self._node, code.nodes)) if code is not None else ""

    def _node(self, node: Node) -> str:
        match node:
            case Text():
                return QUOTES.sub(_drop_quotes, node.value)
            case Wikilink():
                return self._link(node)
            case Template():
                return self._template(node)
            case Tag():
                return self._tag(node)
            case HTMLEntity():
                return str(node.normalize())
            case ExternalLink():
                # A bare address is no text; `[address label]` shows its label.
                return self.render(node.title) if node.brackets else ""
            case Argument():
                return self.render(node.default)
            case Heading():
                return f"\n\n{self.render(node.title)}\n\n"
            case Comment():
                return ""
        return str(node)

    def _link(self, link: Wikilink) -> str:
        title = self.render(link.title).strip()
        label = self.render(link.text).strip() if link.text is not None else None
        if title.startswith(":"):  # `[[:Category:X]]` shows a link where `[[Category:X]]` would not
            return label or title[1:]
        is_hidden = namespaces.is_file(title, language=self.language) or namespaces.is_category(
            title, language=self.language
        )
        if is_hidden or (label is None and namespaces.is_interwiki(title)):
            return ""
        if label == "":  # the pipe trick: `[[Moon (film)|]]` shows `Moon`
            return re.sub(r"^[^:]+:|\s*\([^()]*\)$|,.*$", "", title)
        return label or title

    def _template(self, template: Template) -> str:
        rule = find_rule(self.render(template.name))
        if rule is None:
            return ""
        positional: list[str] = []
        named: dict[str, str] = {}
        for parameter in template.params:
            key, value = str(parameter.name).strip(), self.render(parameter.value).strip()
            if not parameter.showkey or key == str(len(positional) + 1):
                positional.append(value)
            else:
                named[key] = value
        return rule(Arguments(positional=positional, named=named))

    def _tag(self, tag: Tag) -> str:
        name = str(tag.tag).strip().lower()
        if tag.wiki_markup in LIST_MARKS:
            return str(tag.wiki_markup)
        if name in DROPPED_TAGS or any(HIDDEN.search(str(a)) for a in tag.attributes):
            return ""
        if name == "br":
            return LINE_BREAK
        if name in FORMULA_TAGS:
            return self._formula(str(tag.contents or ""), is_chemistry=name != "math")
        if name == "nowiki":
            return str(tag.contents or "")
        text = self.render(tag.contents)
        if name == "sup":
            return _superscript(text)
        if name == "rt":
            return f"({text})"
        if name == "li":
            return f"\n* {text.strip()}"
        if name in VERBATIM_TAGS:
            return "\n\n" + text.strip().replace("\n", LINE_BREAK) + "\n\n"
        if name in PARAGRAPH_TAGS:
            return f"\n\n{text}\n\n"
        return f"\n{text}\n" if name in BLOCK_TAGS else text

    def _formula(self, latex: str, *, is_chemistry: bool) -> str:
        latex = " ".join(html.unescape(latex).split())
        if not latex:
            return ""
        self.formulas.append(_unlike_wikitext(rf"\ce{{{latex}}}" if is_chemistry else latex))
        return f"{FORMULA_START}{len(self.formulas) - 1}{FORMULA_END}"


def _drop_quotes(quotes: re.Match[str]) -> str:
    """Marks of italic (2), bold (3) and both (5) go; the apostrophes left over stay."""
    num = len(quotes[0])
    return "'" if num == 4 else "'" * max(0, num - 5)


def _superscript(text: str) -> str:
    """`10<sup>6</sup>` must not become 106; letters (`5<sup>th</sup>`) stay as they are."""
    shown = text.strip().translate(SUPERSCRIPTS)
    is_number = any(character in "⁰¹²³⁴⁵⁶⁷⁸⁹ⁿ" for character in shown)
    return shown if is_number and not any(c.isalpha() and c != "ⁿ" for c in shown) else text


def _unlike_wikitext(latex: str) -> str:
    """`{{a}}` -> `{ {a} }`, `a<b` -> `a< b`: the same formula, never mistaken for wikitext."""
    latex = re.sub("'{2,}", lambda primes: "^{" + r"\prime" * len(primes[0]) + "}", latex)
    return re.sub(r"([{}\[\]])(?=\1)|<(?=[A-Za-z/])|\|(?=thumb)", r"\g<0> ", latex)
