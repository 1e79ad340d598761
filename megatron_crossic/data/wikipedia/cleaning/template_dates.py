"""Dates that templates show, written as the wiki of the language writes them."""

from megatron_crossic.data.wikipedia.cleaning.template_rules import Arguments, Rule

MONTHS = {
    "en": "January February March April May June July August September October November December",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre "
    "diciembre",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro "
    "dezembro",
    "ar": "يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر",
    "th": "มกราคม กุมภาพันธ์ มีนาคม เมษายน พฤษภาคม มิถุนายน กรกฎาคม สิงหาคม กันยายน ตุลาคม พฤศจิกายน ธันวาคม",
}
BUDDHIST_ERA = 543


def show_date(year: str, month: str, day: str, *, language: str, is_day_first: bool) -> str:
    """`1980`, `5`, `1` -> `May 1, 1980`, `1 de mayo de 1980`, `1980年5月1日`, …

    Later parts may be missing; a month that is no number is kept as it is. Thai articles count
    years by the Buddhist era: 1980 is พ.ศ. 2523.
    """
    if language in {"ja", "ko"}:
        units, blank = ("年月日", "") if language == "ja" else ("년월일", " ")
        parts = zip((year, month.lstrip("0"), day.lstrip("0")), units, strict=True)
        return blank.join(part + unit for part, unit in parts if part)
    names = MONTHS.get(language, MONTHS["en"]).split()
    if month.isdecimal() and 1 <= int(month) <= 12:
        month = names[int(month) - 1]
    if language == "th" and year.isdecimal():
        year = f"พ.ศ. {int(year) + BUDDHIST_ERA}"
    day = day.lstrip("0")
    if language in {"es", "pt"}:
        return " de ".join(part for part in (day, month, year) if part)
    if language in {"ar", "th"} or is_day_first:
        return " ".join(part for part in (day, month, year) if part)
    return f"{month} {day}, {year}" if day else " ".join(part for part in (month, year) if part)


def date_of(order: str = "ymd", *, start: int = 1) -> Rule:
    """Show the date whose parts stand in `order` from parameter `start` on."""

    def rule(arguments: Arguments) -> str:
        values = arguments.positional[start - 1 : start + 2]
        parts = dict(zip(order, values, strict=False))
        if not parts.get("y", "").isdecimal():  # written out: `{{death date|1 May 1980}}`
            return " ".join(value for value in values if value)
        day = parts.get("d", "")
        return show_date(
            parts["y"],
            parts.get("m", ""),
            day if day.isdecimal() else "",
            language=arguments.language,
            is_day_first=bool(arguments.first("df")),
        )

    return rule


def as_of(arguments: Arguments) -> str:
    """`{{as of|2018|5}}` -> `As of May 2018`; with `lc=y` in lower case, `since=y` for `Since`."""
    if alternative := arguments.first("alt"):
        return alternative
    word = "Since" if arguments.first("since") else "As of"
    word = word.lower() if arguments.first("lc") else word
    year, month, day = (arguments.first(position) for position in (1, 2, 3))
    is_us = arguments.first("df").lower() == "us"
    date = show_date(year, month, day, language="en", is_day_first=not is_us)
    return f"{word} {date}"


def circa(word: str) -> Rule:
    """`{{circa|1500|1510}}` -> `c. 1500 – c. 1510`."""

    def rule(arguments: Arguments) -> str:
        years = [f"{word} {value}" for value in arguments.positional[:2] if value]
        return " – ".join(years) or word

    return rule


def years(word: str) -> Rule:
    """`{{reign|1500|1510}}` -> `r. 1500–1510`."""
    return lambda arguments: f"{word} " + "–".join(v for v in arguments.positional[:2] if v)
