"""Wikitext that never ends, made from a few real pages of a language.

A page is cut at its headings and blank lines, never inside a template, table or note: the blocks
are what a new page is put together from. In each block the places where a number or a word of
running text stands are known; every copy fills them anew. Words come from the real pages as often
as they occur there, in part from a chain of letters trained on them, and the first word of each
block is made up for that copy alone: so compressors and caches meet about as much that is new as
in a real wiki. A sample of one page is changed in every place, one of 6 MB in a tenth.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from random import Random

from megatron_crossic.errors import DataError

POOL_BITS = 16
"""Words and numbers to choose from: 2 ** POOL_BITS of each kind, so that a choice is one call."""
SAMPLE_CHANGED_EVERYWHERE = 300_000
"""Characters of real text below which every word is replaced; ten times as many: a tenth."""
LEAST_SHARE_OF_WORDS = 0.1
CHAIN_LETTERS = 2
LARGEST_BLOCK = 60_000
"""Characters; a block that is not balanced by then is taken as it is: real pages have such."""

BREAK = re.compile(r"\n\n+|\n(?===)")
SECTION = re.compile(r"==[^=\n]")
PAIRS_OF_MARKS = tuple(
    (re.compile(opening, re.MULTILINE), re.compile(closing, re.MULTILINE))
    for opening, closing in (
        (r"\{\{", r"\}\}"),
        (r"^\s*\{\|", r"^\s*\|\}(?!\})"),
        (r"\[\[", r"\]\]"),
        (r"<!--", r"-->"),
        (
            r"<(?:ref|math|div|gallery|table|blockquote|poem)\b[^<>/]*>",
            r"</(?:ref|math|div|gallery|table|blockquote|poem)\s*>",
        ),
    )
)
# What is never touched; a number; the title in a link; a word among words.
FIXED = r"\{\{[^|{}\n]*|<[^<>]*>|\|\s*[\w -]+=|&[#\w]+;|\[\[[^\[\]|:\n]*:[^\[\]|\n]*"
NUMBER = r"(?<![\w#&.%-])\d{2,6}(?![\w=%])"
LINKED = r"(?<=\[\[)[^\[\]|:#/\n\"&<>]{3,60}(?=[\]|])"
WORD = r"[^\s<>&{}\[\]|='*#:;!\"/\\\d]{3,120}"
AMONG_WORDS = (
    rf"(?<=[^\s|=*#:;]\ ){WORD}(?=\ [^\s|=]|[.,]?[<\[\n])|(?<=\]\]|[\w\"/]>){WORD}(?=[\ \[<])"
)
PLACES = re.compile(rf"(?:{FIXED})|(?P<number>{NUMBER})|(?P<word>{LINKED}|{AMONG_WORDS})")
PROSE = re.compile(r"[^\W\d_][^\n|]{80,}")
CATEGORY = re.compile(r"^\[\[[^\[\]|:]+:[^\[\]]*\]\]\s*$", re.MULTILINE)


def escape(text: str) -> bytes:
    """Text as it stands in an XML dump."""
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(character, entity)
    return text.encode("utf-8", "replace")


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """A balanced piece of wikitext, escaped, with the places that change."""

    pieces: tuple[bytes, ...]
    """Fixed, changing, fixed, …, fixed."""
    pools: tuple[Sequence[bytes], ...]
    """Of each changing piece: what may stand there, 2 ** POOL_BITS of it."""
    first_word: int
    """Index in `pieces` of the place for a word made up for this copy; 0 where there is none."""
    num_bytes: int
    """As written here, escaped."""
    num_bytes_of_escapes: int
    """What escaping added."""

    def filled(self, random: Random, made_up: str) -> bytes:
        pieces = list(self.pieces)
        bits = random.getrandbits
        pieces[1::2] = [pool[bits(POOL_BITS)] for pool in self.pools]
        if self.first_word:
            pieces[self.first_word] = made_up.encode()
        return b"".join(pieces)


@dataclass(frozen=True, kw_only=True, slots=True)
class Letters:
    """Pairs of letters of one script, to spell numbers as words: no two numbers alike."""

    pairs: tuple[str, ...]

    def word(self, number: int, *, num_pairs: int = 5) -> str:
        """The word of `number`, below len(pairs) ** num_pairs; neighbours look unlike."""
        base = len(self.pairs)
        number = (number * 7_368_787 + 1) % base**num_pairs  # a prime, so no two collide
        letters = []
        for _ in range(num_pairs):
            number, digit = divmod(number, base)
            letters.append(self.pairs[digit])
        return "".join(letters)


@dataclass(frozen=True, kw_only=True, slots=True)
class Texts:
    """The blocks of one language's real pages."""

    leads: tuple[tuple[Block, ...], ...]
    sections: tuple[tuple[Block, ...], ...]
    """Without their page's last one."""
    tails: tuple[Block, ...]
    """Last blocks of pages, mostly categories."""
    prose: tuple[Block, ...]
    """Blocks that are certainly text."""
    words: Sequence[bytes]
    letters: Letters

    def article(self, random: Random, *, title: str, num_bytes: int, serial: int) -> "Wikitext":
        """A page of about `num_bytes`, whose first paragraph is text; `serial` is its own."""
        made = Wikitext(random, self.letters, serial=serial)
        lead = random.choice(self.leads)
        made.add_all(lead[:1], num_bytes // 2)
        made.add_raw(escape(f"'''{title}''' "), num_escaped=0)
        made.add(random.choice(self.prose))
        made.add_all(lead[1:], num_bytes)
        misses = 0
        while made.num_bytes < num_bytes and misses < 4:
            before = made.num_bytes
            made.add_all(random.choice(self.sections), num_bytes)
            misses += made.num_bytes == before
        made.add_all((random.choice(self.tails),), num_bytes + num_bytes // 5)
        return made


class Wikitext:
    """A page in the making."""

    def __init__(self, random: Random, letters: Letters, *, serial: int) -> None:
        self._random, self._letters = random, letters
        self._serial = serial * 64
        self._parts: list[bytes] = []
        self._num_escaped = 0
        self.num_bytes = 0

    def add(self, block: Block) -> None:
        self._serial += 1
        made_up = self._letters.word(self._serial % len(self._letters.pairs) ** 5)
        self.add_raw(block.filled(self._random, made_up), num_escaped=block.num_bytes_of_escapes)
        self.add_raw(b"\n\n", num_escaped=0)

    def add_all(self, blocks: Sequence[Block], limit: int) -> None:
        """Blocks in order, those left out that would pass the limit."""
        for block in blocks:
            if self.num_bytes + block.num_bytes <= limit:
                self.add(block)

    def add_raw(self, escaped: bytes, *, num_escaped: int) -> None:
        self._parts.append(escaped)
        self.num_bytes += len(escaped)
        self._num_escaped += num_escaped

    def escaped(self) -> bytes:
        return b"".join(self._parts).rstrip()

    def num_bytes_unescaped(self) -> int:
        return self.num_bytes - self._num_escaped


def texts_from_pages(pages: Sequence[str], *, language: str, seed: int) -> Texts:
    """Cut real pages into blocks. Raises `DataError` where they hold too little text."""
    cut = [list(blocks_of(page)) for page in pages]
    places = [found["word"] for page in pages for found in PLACES.finditer(page) if found["word"]]
    if len(places) < 20 or not any(len(blocks) > 3 for blocks in cut):
        raise DataError(
            f"pages of {language} must hold articles, got {len(places)} words in {len(pages)} "
            f"pages. Give a dump with at least one long article with --pages {language}=FILE."
        )
    num_characters = sum(map(len, pages))
    share = max(LEAST_SHARE_OF_WORDS, min(1.0, SAMPLE_CHANGED_EVERYWHERE / num_characters))
    maker = _BlockMaker(Random(f"{seed}/{language}"), places, share=share)
    made = [[maker.block(text) for text in blocks] for blocks in cut]
    parts = [_sections(texts, blocks) for texts, blocks in zip(cut, made, strict=True)]
    prose = [
        block
        for text, block in zip(chain(*cut), chain(*made), strict=True)
        if PROSE.match(text) and not re.search(r"\{\{|<|\[\[", text[:40]) and len(text) < 1500
    ]
    return Texts(
        leads=tuple(part[0] for part in parts if part[0]),
        sections=tuple(section for part in parts for section in part[1:-1]) or (tuple(made[0]),),
        tails=tuple(part[-1][-1] for part in parts if part[-1]),
        prose=tuple(prose) or (maker.block(" ".join(places[:9]) + "."),),
        words=maker.words,
        letters=letters_of(places),
    )


def blocks_of(page: str) -> Iterator[str]:
    """The page cut at blank lines and headings where nothing is open."""
    block = ""
    for part in BREAK.split(page.strip()):
        block = f"{block}\n\n{part}" if block else part
        if len(block) > LARGEST_BLOCK or _is_balanced(block):
            yield block
            block = ""
    if block:
        yield block


def _is_balanced(text: str) -> bool:
    return all(len(a.findall(text)) == len(b.findall(text)) for a, b in PAIRS_OF_MARKS)


def _sections(texts: Sequence[str], blocks: Sequence[Block]) -> list[tuple[Block, ...]]:
    """The blocks by `== heading ==`; the first are the lead's."""
    starts = [i for i, text in enumerate(texts) if i and SECTION.match(text)]
    edges = [0, *starts, len(blocks)]
    return [tuple(blocks[a:b]) for a, b in pairwise(edges)]


def letters_of(words: Sequence[str]) -> Letters:
    """The 64 most frequent pairs of letters of the language's own script."""
    words = [word.lower() for word in words[:20_000]]
    letters = [letter for word in words for letter in word if is_plain(letter)]
    is_latin = 2 * sum(map(str.isascii, letters)) > len(letters)
    counts = Counter(a + b for word in words for a, b in pairwise(word) if is_plain(a + b))
    pairs = tuple(pair for pair, _ in counts.most_common() if pair.isascii() == is_latin)[:64]
    if len(pairs) < 16:
        raise DataError(
            f"pages must be written in letters, got {len(pairs)} pairs of them. Give real articles."
        )
    return Letters(pairs=pairs)


def is_plain(letters: str) -> bool:
    """Whether they are letters that come back from a change of case."""
    return letters.isalpha() and letters.upper().lower() == letters


class _BlockMaker:
    """Turns text into blocks whose places draw on shared pools."""

    def __init__(self, random: Random, words: Sequence[str], *, share: float) -> None:
        self._random, self._share = random, share
        size = 1 << POOL_BITS
        made_up = chained_words(words, random, count=int(size * (0.2 + 0.7 * share)))
        real = [random.choice(words) for _ in range(size - len(made_up))]
        self.words = [word.encode() for word in random.sample(made_up + real, size)]
        self._numbers = {
            digits: [b"%d" % random.randrange(10 ** (digits - 1), 10**digits) for _ in range(size)]
            for digits in range(2, 7)
        }
        self._numbers[4] = [
            b"%d" % (2025 - int(random.expovariate(1 / 60)) % 1500) for _ in range(size)
        ]

    def block(self, text: str) -> Block:
        pieces: list[bytes] = []
        pools: list[Sequence[bytes]] = []
        end = first_word = num_fixed = 0
        for found in PLACES.finditer(text):
            if not found.lastgroup or (found["word"] and self._random.random() >= self._share):
                continue
            fixed = text[end : found.start()]
            pieces += [escape(fixed), escape(found[0])]
            end = found.end()
            if found["word"] and not first_word:
                first_word = len(pieces) - 1
            pools.append(self._numbers[len(found[0])] if found["number"] else self.words)
        pieces.append(escape(text[end:]))
        num_bytes = sum(map(len, pieces))
        num_fixed = len(text.encode("utf-8", "replace"))
        return Block(
            pieces=tuple(pieces),
            pools=tuple(pools),
            first_word=first_word,
            num_bytes=num_bytes,
            num_bytes_of_escapes=num_bytes - num_fixed,
        )


def chained_words(words: Sequence[str], random: Random, *, count: int) -> list[str]:
    """Words in which each letter follows two others as somewhere in `words`."""
    following: dict[str, list[str]] = defaultdict(list)
    for word in words[:100_000]:
        padded = " " * CHAIN_LETTERS + word + "\n"
        for i in range(CHAIN_LETTERS, len(padded)):
            following[padded[i - CHAIN_LETTERS : i]].append(padded[i])
    made: list[str] = []
    while len(made) < count:
        word = " " * CHAIN_LETTERS
        while word[-1] != "\n" and len(word) < 120:
            word += random.choice(following[word[-CHAIN_LETTERS:]])
        made.append(word.strip() or words[0])
    return made
