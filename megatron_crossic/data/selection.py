"""Which pairs go on, and how much of them; what stays behind is entered in the account."""

import hashlib
import operator
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Literal

from megatron_crossic.data.account import Account
from megatron_crossic.data.records import LINKED, Pair
from megatron_crossic.data.sides import EncodedPair, Side

LengthRatioRule = Literal["truncate", "drop", "keep"]


def is_held_out(pair: Pair, *, fraction: float) -> bool:
    """Whether a pair belongs to validation.

    Decided by the source document alone, by its title or, without one, its text: the same English
    article paired with Spanish and with Japanese is on the same side of the line, so no source of
    validation is seen in training. A retrieved pair is on the side of the article that its target
    is linked to, where there is one: else a target held out as that article's partner would be
    trained on beside the passage. A target that several sources share can be on both sides.
    """
    source = pair.source
    language, title, text = source.language, source.title, source.text
    linked = pair.provenance.get(LINKED)
    if pair.origin == "retrieval" and isinstance(linked, Mapping):
        language, title, text = (str(linked.get(name, "")) for name in ("lang", "title", "text"))
    key = f"{language}\0{title.strip() or text}".encode()
    digest = hashlib.blake2b(key, digest_size=8).digest()
    return int.from_bytes(digest, "big") < fraction * 2**64


def drop_empty(pairs: Iterable[EncodedPair], account: Account) -> Iterator[EncodedPair]:
    """Leave out pairs of which a side has no text; a title alone is no text.

    They are left out in every mode, so that all modes see the same pairs.
    """
    for pair in pairs:
        account.pairs_read += 1
        account.tokens_read += pair.num_tokens
        if not pair.pair.source.text.strip():
            account.drop_pair("empty_source", num_tokens=pair.num_tokens)
        elif not all(document.text.strip() for document in pair.pair.targets):
            account.drop_pair("empty_target", num_tokens=pair.num_tokens)
        else:
            yield pair


def limit_length_ratio(
    pairs: Iterable[EncodedPair], account: Account, *, ratio: float, rule: LengthRatioRule
) -> Iterator[EncodedPair]:
    """Apply `rule` to pairs of which a side has more than `ratio` times another's tokens.

    `truncate`: longer sides keep their leading paragraphs up to that length, their title and the
    first one always. `drop`: the pair is left out. `keep`: nothing is done.
    """
    for pair in pairs:
        lengths = [side.num_tokens for side in pair.sides]
        limit = int(ratio * min(lengths))
        if rule == "keep" or max(lengths) <= limit:
            yield pair
        elif rule == "drop":
            account.drop_pair("length_ratio", num_tokens=pair.num_tokens)
        else:
            sides = tuple(_leading_paragraphs(side, limit=limit) for side in pair.sides)
            account.pairs_truncated += any(map(operator.is_not, sides, pair.sides))
            kept = replace(pair, sides=sides)
            account.drop_tokens("length_ratio_truncated", pair.num_tokens - kept.num_tokens)
            yield kept


def _leading_paragraphs(side: Side, *, limit: int) -> Side:
    if side.num_tokens <= limit:
        return side
    fewest = 2 if side.has_title else 1
    num_paragraphs = max(fewest, int((side.paragraph_ends <= limit).sum()))
    return side if num_paragraphs >= len(side.paragraph_ends) else side.leading(num_paragraphs)
