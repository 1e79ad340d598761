"""What templates show, as functions from their arguments to text."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from megatron_crossic.data.wikipedia.characters import GAP, SUPERSCRIPTS


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


UNITS = {
    "C": "°C", "F": "°F", "K": "K", "sqmi": "sq mi", "sqft": "sq ft", "sqkm": "km²", "km2": "km²",
    "m2": "m²", "cm2": "cm²", "mi2": "sq mi", "ft2": "sq ft", "m3": "m³", "km3": "km³",
    "cm3": "cm³", "ft3": "cu ft", "cuft": "cu ft", "cumi": "cu mi", "kph": "km/h", "kg/m3": "kg/m³",
    "/km2": "/km²", "PD/sqkm": "inhabitants/km²",
}  # fmt: skip
JOINERS = {
    "to": " to ", "-": "–", "–": "–", "to(-)": " to ", "and": " and ", "or": " or ", "x": " × ",
    "×": " × ", "by": " by ", "+/-": " ± ", "±": " ± ",
}  # fmt: skip
NUMBER = re.compile(rf"[-−+]?[\d.,/+⁄{GAP}]+(?:[eE]-?\d+)?")
PLUS = re.compile(r"(?<=\d)\+(?=\d)")


def plain_number(value: str) -> str:
    """`5+1/2` -> `5 1/2`, `3//8` -> `3/8`: how the wiki writes fractions into templates."""
    return PLUS.sub(" ", value.replace("//", "/"))


def convert(arguments: Arguments) -> str:
    """The value as it was given, without the conversion: `{{convert|2|to|4|m|ft}}` -> `2 to 4 m`.

    The converted value depends on rounding rules of the wiki; the given one is the source's.
    """
    values = list(arguments.positional)
    shown = ""
    while values and NUMBER.fullmatch(values[0]):
        shown += plain_number(values.pop(0))
        if len(values) > 1 and values[0] in JOINERS and NUMBER.fullmatch(values[1]):
            shown += JOINERS[values.pop(0)]
        elif values:
            unit = values.pop(0)
            shown += " " + UNITS.get(unit, unit)
            # `3|ft|6|in|m`: a second value with its unit belongs to the first.
            if len(values) > 1 and NUMBER.fullmatch(values[0]) and values[1].isalpha():
                shown += " "
            else:
                break
    return shown


def fraction(arguments: Arguments) -> str:
    """`{{frac|1|2}}` -> `1/2`; `{{frac|3|1|2}}` -> `3 1/2`; `{{frac|4}}` -> `1/4`."""
    values = [value for value in arguments.positional if value]
    whole = f"{values[0]} " if len(values) == 3 else GAP
    return whole + "/".join(values[-2:] if len(values) > 1 else ["1", *values])


SIGNS = {
    "USD": "US$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹", "KRW": "₩", "CNY": "CN¥",
    "BRL": "R$", "AUD": "A$", "CAD": "C$", "THB": "฿", "RUB": "₽", "CHF": "CHF ",
}  # fmt: skip


def power_of_ten(exponent: str) -> str:
    """`6` -> `10⁶`."""
    return f"10{exponent.translate(SUPERSCRIPTS)}" if exponent else ""


def measured(arguments: Arguments) -> str:
    """`{{val|5.3|0.1|e=6|u=km|up=s}}` -> `5.3 ± 0.1 × 10⁶ km/s`."""
    shown = " ± ".join(value for value in arguments.positional[:2] if value)
    if exponent := arguments.first("e"):
        shown = " × ".join(part for part in (shown, power_of_ten(exponent)) if part)
    unit, per = arguments.first("u", "ul"), arguments.first("up", "upl")
    unit = UNITS.get(unit, unit) + (f"/{UNITS.get(per, per)}" if per else "")
    return f"{shown} {unit}".strip()


def number_with_unit(arguments: Arguments) -> str:
    """`{{unidad|5,3|km}}` -> `5,3 km`."""
    unit = arguments.first(2)
    return f"{arguments.first(1)} {UNITS.get(unit, unit)}".strip()


def height(arguments: Arguments) -> str:
    """`{{height|ft=5|in=6}}` -> `5 ft 6 in`."""
    units = ("m", "cm", "ft", "in")
    return " ".join(f"{arguments.first(unit)} {unit}" for unit in units if arguments.first(unit))


def money(sign: str) -> Rule:
    """Show an amount with the sign of its currency before it."""
    return lambda arguments: f"{sign}{arguments.first(1)}"


def currency(arguments: Arguments) -> str:
    """`{{currency|13 billion|USD}}` -> `US$13 billion`."""
    code = arguments.first(2) or "USD"
    return f"{SIGNS.get(code.upper(), code + ' ')}{arguments.first(1)}"


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


def ordinal(arguments: Arguments) -> str:
    """`{{ordinal|22}}` -> `22nd`."""
    number = arguments.first(1)
    is_teen = number[-2:-1] == "1"
    ending = {"1": "st", "2": "nd", "3": "rd"}.get(number[-1:], "th")
    return number + ("th" if is_teen else ending) if number.isdigit() else number


def numbered_lines(arguments: Arguments) -> str:
    """Show every positional parameter as a numbered list item."""
    return "".join(f"\n# {value}" for value in arguments.positional if value) + "\n"


NOTES = {"flat": "♭", "b": "♭", "sharp": "♯", "#": "♯", "natural": "♮", "n": "♮"}


def music(arguments: Arguments) -> str:
    """`{{music|flat}}` -> `♭`; `{{music|time|3|4}}` -> `3/4`."""
    if arguments.first(1) == "time":
        return f"{arguments.first(2)}/{arguments.first(3)}"
    return NOTES.get(arguments.first(1), "")
