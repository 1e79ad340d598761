"""Addresses in wikitext: `[https://example.org label]` shows its label, a bare address nothing."""

import re

from megatron_crossic.data.wikipedia.cleaning.characters import shield

SCHEMES = "https?|ftps?|sftp|git|gopher|ircs?|mms|nntp|redis|ssh|svn|telnet|worldwind"
WITHOUT_BRACKETS = r"[^\[\]\n]*"
# `[[links]]` in a label are fine, other brackets are not.
LABEL = rf"[ ]({WITHOUT_BRACKETS}(?:\[\[{WITHOUT_BRACKETS}\]\]{WITHOUT_BRACKETS})*)"
BRACKETED = re.compile(
    rf"\[(?:(?:(?:{SCHEMES}):)?//|mailto:)[^\s\[\]<>\"{{}}|]+(?:{LABEL})?\]", re.IGNORECASE
)
# An address takes brackets it opened itself, and no punctuation at its end.
BARE = re.compile(
    rf"\b(?:{SCHEMES})://(?:[^\s\[\]<>\"{{}}|()]|\([^\s\[\]<>\"{{}}|()]*\))*(?<![.,;:!?、。，）」])",
    re.IGNORECASE,
)
# What is left must be no address for the parser, which knows some without slashes as well. The
# colon stands first in the pattern: it is rare, and searching for one character is fast.
LIKE_ADDRESS = re.compile(
    ":(?:(?=//)|(?<=bitcoin:)|(?<=geo:)|(?<=magnet:)|(?<=mailto:)|(?<=news:)|(?<=sip:)|(?<=sips:)"
    "|(?<=sms:)|(?<=tel:)|(?<=urn:)|(?<=xmpp:))",
    re.IGNORECASE,
)


def drop_addresses(wikitext: str) -> str:
    """Take out addresses and leave their labels."""
    if "//" in wikitext or "[mailto:" in wikitext:
        wikitext = BARE.sub("", BRACKETED.sub(_label, wikitext))
    return LIKE_ADDRESS.sub(shield(":"), wikitext).replace("[//", shield("[") + "//")


def _label(found: re.Match[str]) -> str:
    return (found[1] or "").strip()
