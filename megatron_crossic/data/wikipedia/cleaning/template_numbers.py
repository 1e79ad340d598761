"""Numbers, units and money that templates show."""

import re

from megatron_crossic.data.wikipedia.cleaning.characters import GAP, SUPERSCRIPTS
from megatron_crossic.data.wikipedia.cleaning.template_rules import Arguments, Rule

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


def ordinal(arguments: Arguments) -> str:
    """`{{ordinal|22}}` -> `22nd`."""
    number = arguments.first(1)
    is_teen = number[-2:-1] == "1"
    ending = {"1": "st", "2": "nd", "3": "rd"}.get(number[-1:], "th")
    return number + ("th" if is_teen else ending) if number.isdigit() else number
