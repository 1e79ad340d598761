"""What templates show, as functions from their arguments to text."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Arguments:
    """The parameters of one template, already rendered to text and stripped."""

    positional: Sequence[str]
    named: Mapping[str, str]
    language: str
    """Of the article: dates are written its way."""

    def first(self, *keys: int | str) -> str:
        """The first of these parameters that is not empty; positions count from 1."""
        for key in keys:
            if isinstance(key, str):
                value = self.named.get(key, "")
            else:
                value = self.positional[key - 1] if key <= len(self.positional) else ""
            if value:
                return value
        return ""


Rule = Callable[[Arguments], str]


def text_of(*keys: int | str) -> Rule:
    """Show the first of these parameters that is not empty."""
    return lambda arguments: arguments.first(*keys)


def literal(text: str) -> Rule:
    """Show the same text always."""
    return lambda _arguments: text


def last_positional(arguments: Arguments) -> str:
    """`{{transl|ar|ALA|qahwa}}` -> `qahwa`; `{{sname||Anthophila}}` -> `Anthophila`."""
    return next((value for value in reversed(arguments.positional) if value), "")


def joined(separator: str) -> Rule:
    """Show all positional parameters with `separator` between them."""
    return lambda arguments: separator.join(value for value in arguments.positional if value)


def block(*keys: int | str) -> Rule:
    """Show a parameter as a paragraph of its own, quotations for example."""
    return lambda arguments: f"\n\n{arguments.first(*keys)}\n\n"


def columns(arguments: Arguments) -> str:
    """Show the content as a paragraph; `{{columns-list|2|…}}` says how many columns before it."""
    content = [value for value in arguments.positional if not value.isdecimal()]
    return f"\n\n{arguments.first('content', 'text') or ''.join(content[:1])}\n\n"


def lines(arguments: Arguments) -> str:
    """Show every positional parameter as a list item."""
    return "".join(f"\n* {value}" for value in arguments.positional if value) + "\n"


def with_reading(opening: str, closing: str) -> Rule:
    """`{{読み仮名|花蜂|はなばち}}` -> `花蜂（はなばち）`."""

    def rule(arguments: Arguments) -> str:
        text, reading = arguments.first(1), arguments.first(2)
        return f"{text}{opening}{reading}{closing}" if reading else text

    return rule


def nihongo(arguments: Arguments) -> str:
    """`{{nihongo|Tokyo|東京|Tōkyō}}` -> `Tokyo (東京, Tōkyō)`."""
    english, original, romaji = (arguments.first(position) for position in (1, 2, 3))
    shown = ", ".join(value for value in (original, romaji, arguments.first("extra", 4)) if value)
    if not english:
        return shown
    return f"{english} ({shown})" if shown else english


def between(before: str, after: str, *keys: int | str) -> Rule:
    """Show the first of these parameters between two texts; nothing where there is none."""

    def rule(arguments: Arguments) -> str:
        text = arguments.first(*(keys or (1,)))
        return f"{before}{text}{after}" if text else ""

    return rule


ERAS = {"a": " a. C.", "d": " d. C."}


def siglo(arguments: Arguments) -> str:
    """`{{siglo|V|a|s}}` -> `siglo V a. C.`, `{{siglo|XIX}}` -> `XIX`."""
    word = {"s": "siglo ", "S": "Siglo "}.get(arguments.first(3), "")
    return f"{word}{arguments.first(1)}{ERAS.get(arguments.first(2), '')}"


def before_word(word: str) -> Rule:
    """Show the first parameter, if there is one, and a word after it: `{{AC|44}}` -> `44 a.C.`"""
    return lambda arguments: f"{arguments.first(1)} {word}".strip()


def ship(prefix: str) -> Rule:
    """`{{USS|Enterprise|CV-6}}` -> `USS Enterprise (CV-6)`; `|2` at the end shows the name only."""

    def rule(arguments: Arguments) -> str:
        shift = 0 if prefix else 1
        kind = prefix or arguments.first(1)
        name, hull, look = (arguments.first(shift + position) for position in (1, 2, 3))
        shown = name if look in {"2", "3"} else f"{kind} {name}".strip()
        return f"{shown} ({hull})" if hull and look in {"", "3", "4"} else shown

    return rule


def nihongo3(arguments: Arguments) -> str:
    """`{{nihongo3|Tokyo|東京|Tōkyō}}` -> `Tōkyō (東京, Tokyo)`."""
    english, original, romaji = (arguments.first(position) for position in (1, 2, 3))
    shown = ", ".join(value for value in (original, english) if value)
    return f"{romaji} ({shown})" if romaji and shown else romaji or shown


def numbered_lines(arguments: Arguments) -> str:
    """Show every positional parameter as a numbered list item."""
    return "".join(f"\n# {value}" for value in arguments.positional if value) + "\n"


NOTES = {"flat": "♭", "b": "♭", "sharp": "♯", "#": "♯", "natural": "♮", "n": "♮"}


def music(arguments: Arguments) -> str:
    """`{{music|flat}}` -> `♭`; `{{music|time|3|4}}` -> `3/4`."""
    if arguments.first(1) == "time":
        return f"{arguments.first(2)}/{arguments.first(3)}"
    return NOTES.get(arguments.first(1), "")
