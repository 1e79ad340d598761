"""Templates that carry words of the sentence they stand in, as a table: name -> what shows.

A template not listed here (boxes, navigation, hatnotes, citations, maintenance marks, flags)
shows nothing. Names are compared without case, with blanks for underscores.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Arguments:
    """The parameters of one template, already rendered to text and stripped."""

    positional: Sequence[str]
    named: Mapping[str, str]

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
NUMBER = re.compile(r"[-−+]?[\d.,/+⁄]+(?:[eE]-?\d+)?")


def convert(arguments: Arguments) -> str:
    """The value as it was given, without the conversion: `{{convert|2|to|4|m|ft}}` -> `2 to 4 m`.

    The converted value depends on rounding rules of the wiki; the given one is the source's.
    """
    values = list(arguments.positional)
    shown = ""
    while values and NUMBER.fullmatch(values[0]):
        shown += values.pop(0)
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
    whole = f"{values[0]} " if len(values) == 3 else ""
    return whole + "/".join(values[-2:] if len(values) > 1 else ["1", *values])


def number_with_unit(arguments: Arguments) -> str:
    """`{{val|5.3|u=km}}` and `{{unidad|5,3|km}}` -> `5.3 km`."""
    unit = arguments.first("u", "ul", 2)
    return f"{arguments.first(1)} {UNITS.get(unit, unit)}".strip()


def as_of(arguments: Arguments) -> str:
    """`{{as of|2018|5}}` -> `As of 2018`; with `lc=y` in lower case."""
    return f"{'as' if arguments.first('lc') else 'As'} of {arguments.first(1)}"


ERAS = {"a": " a. C.", "d": " d. C."}


def siglo(arguments: Arguments) -> str:
    """`{{siglo|V|a|s}}` -> `siglo V a. C.`, `{{siglo|XIX}}` -> `XIX`."""
    word = {"s": "siglo ", "S": "Siglo "}.get(arguments.first(3), "")
    return f"{word}{arguments.first(1)}{ERAS.get(arguments.first(2), '')}"


# Names -> rule; names are separated by blanks, a blank inside a name is written `_`.
TABLE: Mapping[str, Rule] = {
    # words in another language
    "lang lenguaje لغة idioma langue 언어 langx": text_of(2, "text"),
    "llang": text_of(2, 1),
    "transliteration transl tlit translit rtgs sname snamei": last_positional,
    "ill link-interwiki interlanguage_link 仮リンク enlace_interlingüe": text_of("lt", "label", 1),
    "linktext": joined(""),
    "zh": text_of("c", "t", "s", "p", 1),
    "korean": text_of("hangul", 1),
    "nihongo nihongo_core nihongo_krt": nihongo,
    "読み仮名 読み仮名_ruby不使用 ふりがな ruby ルビ ruby-ja": with_reading("（", "）"),
    # words with a look
    "nowrap nobr small smaller big bigger em strong bold italic mono monospace code kbd var nobold "
    "noitalic smallcaps sc strikethrough underline abbr abbrlink tooltip vanchor visible_anchor q "
    "math mvar unicode polytonic script sup sub resize versalita": text_of(1, "text"),
    "要出典範囲 要追加記述範囲 cp932フォント jis2004フォント 補助漢字フォント نص_عربي": text_of(1),
    "color colour font_color fontcolor fg 색": text_of(2, "text", 1),
    "angbr": lambda arguments: f"⟨{arguments.first(1)}⟩",
    # names beside flags
    "flag flagu flagcountry flagg country bandera2 국기나라 국기 ธง ธงชาติ": text_of("name", 1),
    # numbers, units, dates
    "convert cvt convertir converter แปลงหน่วย 단위_변환 تحويل": convert,
    "val num unidad unité unit dunit": number_with_unit,
    "formatnum fmtn formatar_número nts ntsh": text_of(1),
    "frac fraction sfrac fracción fração 分数": fraction,
    "circa c. ca hacia": lambda arguments: f"c. {arguments.first(1)}".rstrip(),
    "as_of": as_of,
    "siglo": siglo,
    "séc século": lambda arguments: f"século {arguments.first(1)}",
    "us$ usd": lambda arguments: f"US${arguments.first(1)}",
    "chem chem2 ce": joined(""),
    # punctuation
    "!": literal("|"),
    "ndash en_dash –": literal("–"),
    "mdash em_dash —": literal("—"),
    "snd spnd spaced_ndash spaced_en_dash": literal(" – "),
    "℃": literal("℃"),
    "nbsp space spaces thinsp thin_space esd 0": literal(" "),
    "dot · • bull middot": literal(" · "),
    # blocks
    "quote blockquote quotation cquote rquote bquote quote_box cita cita2 citação 引用 "
    "인용문 اقتباس คำพูด": block("text", "quote", "texto", "نص", 1),
    "poem poemquote verse": block("text", 1),
    "plainlist flatlist plain_list div_col": block("content", 1),
    "ubl unbulleted_list bulleted_list bulletedlist ublist": lines,
    "hlist": joined(", "),
}

RULES: Mapping[str, Rule] = {
    name.replace("_", " ").casefold(): rule
    for names, rule in TABLE.items()
    for name in names.split()
} | {"=": literal("=")}

# `{{lang-es|Berlín}}`, `{{lang-en-short|bee}}`, `{{ภาษาอังกฤษ|…}}`.
LANGUAGE_TEMPLATE = re.compile(r"lang-[a-z-]+|ภาษา\w+")
# Parser functions that show their text: `{{formatnum:1234}}`, `{{lc:ABC}}`.
FUNCTIONS: Mapping[str, Callable[[str], str]] = {
    "formatnum": str.strip,
    "lc": str.lower,
    "uc": str.upper,
    "lcfirst": lambda text: text[:1].lower() + text[1:],
    "ucfirst": lambda text: text[:1].upper() + text[1:],
}


def find_rule(name: str) -> Rule | None:
    """The rule for a template name as written in the wikitext; None where it shows nothing."""
    name = " ".join(name.replace("_", " ").split()).casefold()
    rule = RULES.get(name)
    if rule is None and LANGUAGE_TEMPLATE.fullmatch(name):
        return text_of(1, "text")
    if rule is None and ":" in name:
        function, _, value = name.partition(":")
        if function in FUNCTIONS:
            return literal(FUNCTIONS[function](value))
    return rule
