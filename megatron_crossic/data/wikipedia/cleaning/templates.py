"""Finds what a template or a parser function shows.

A template without a rule (boxes, navigation, hatnotes, citations, maintenance marks, flags) shows
nothing, and neither do magic words that depend on the page or the day.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from megatron_crossic.data.wikipedia.cleaning.template_rules import Rule, literal, text_of
from megatron_crossic.data.wikipedia.cleaning.template_table import RULES

# `{{lang-es|Berlín}}`, `{{lang-en-short|bee}}`, `{{ภาษาอังกฤษ|…}}`.
LANGUAGE_TEMPLATE = re.compile(r"lang-[a-z-]+|ภาษา\S+")
# Parser functions that show their text: `{{formatnum:1234}}`, `{{lc:ABC}}`.
FUNCTIONS: Mapping[str, Callable[[str], str]] = {
    "formatnum": str.strip,
    "lc": str.lower,
    "uc": str.upper,
    "lcfirst": lambda text: text[:1].lower() + text[1:],
    "ucfirst": lambda text: text[:1].upper() + text[1:],
}


@lru_cache(maxsize=4096)
def find_rule(name: str) -> Rule | None:
    """The rule for a template name as written in the wikitext; None where it shows nothing."""
    name = " ".join(name.replace("_", " ").split())
    key = name.casefold()
    rule = RULES.get(key)
    if rule is None and LANGUAGE_TEMPLATE.fullmatch(key):
        return text_of(1, "text")
    if rule is None and ":" in name:
        function, _, value = name.partition(":")
        if function.casefold() in FUNCTIONS:
            return literal(FUNCTIONS[function.casefold()](value))
    return rule
