"""A place in an SQL dump: blocks are joined as far as a pattern needs them, errors name it."""

import re
from collections.abc import Iterator
from pathlib import Path

from megatron_crossic.data.wikipedia.tables.sql_rows import STRING
from megatron_crossic.errors import DataError
from megatron_crossic.jsonl import preview

# No row or single token of a MediaWiki link table comes near this; whatever does is malformed.
MAX_TOKEN_BYTES = 1 << 20

GAP = re.compile(rb"(?:\s|/\*.*?\*/|(?:--(?:[ \t]|(?=[\r\n])|\Z)|#)[^\n]*(?:\n|\Z))*+", re.DOTALL)
# A piece of a statement; quoted and commented semicolons do not end it.
PIECE = re.compile(
    rb"[^;'\"`/\-#]+|" + STRING + rb'|"(?:[^"\\]++|\\.|"")*+"|`[^`]*`'
    rb"|/\*.*?\*/|--[ \t][^\n]*\n|#[^\n]*\n|/(?!\*)|-(?!-[ \t])|;",
    re.DOTALL,
)
LONGEST_MARK = 64
"""Bytes kept while a mark is searched for: it may end in the next block."""


class Scanner:
    """A window over the decompressed dump that grows while a pattern may still match."""

    def __init__(self, path: Path, blocks: Iterator[bytes]) -> None:
        self._path = path
        self._blocks = blocks
        self._buffer = b""
        self._position = 0
        self._num_bytes_dropped = 0
        self._num_lines_dropped = 0

    @property
    def byte(self) -> int:
        """Where the scanner stands in the decompressed dump."""
        return self._num_bytes_dropped + self._position

    def match(self, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
        """Match here and move behind the match; None where the text cannot match."""
        while True:
            found = pattern.match(self._buffer, self._position)
            # A match that touches the end of the buffer might go on in the next block.
            if found and found.end() < len(self._buffer):
                break
            if len(self._buffer) - self._position > MAX_TOKEN_BYTES or not self._read():
                break
        if found:
            self._position = found.end()
        return found

    def find_all(self, pattern: re.Pattern[bytes]) -> list[tuple[bytes, ...]]:
        """All that `fast_rows` finds from here on in what is read of the statement; move behind it.

        The statement ends at a semicolon before a line end. One inside a string ends it too early,
        which costs a call and nothing else.
        """
        end = self._buffer.find(b";\n", self._position)
        end = len(self._buffer) if end < 0 else end
        found = pattern.findall(self._buffer, self._position, end)
        rest = found.pop()[-1] if found and found[-1][-1] else b""
        self._position = end - len(rest)
        return found

    def skip_gap(self) -> bool:
        """Skip blanks and comments; False at the end of the file."""
        self.match(GAP)
        # What begins like a comment may end in a later block.
        while self._buffer[self._position : self._position + 1] in (b"-", b"#", b"/"):
            if not self._read():
                break
            self.match(GAP)
        return self._position < len(self._buffer)

    def skip_to(self, mark: re.Pattern[bytes]) -> re.Match[bytes] | None:
        """Move behind the next `mark`, not before the next byte; None where the file ends first."""
        start = self._position + 1
        while not (found := mark.search(self._buffer, start)):
            self._position = min(max(start, len(self._buffer) - LONGEST_MARK), len(self._buffer))
            start = 0
            if not self._read():
                return None
        self._position = found.end()
        return found

    def statement(self, *, keep: bool) -> bytes:
        """Move behind the statement here and return it, or nothing unless it is to be kept."""
        kept = []
        while piece := self.match(PIECE):
            if keep:
                kept.append(piece[0])
            if piece[0] == b";":
                return b"".join(kept)
        raise self.malformed("statement must end with a semicolon")

    def malformed(self, rule: str, got: str | None = None) -> DataError:
        """The error for the place the scanner stands at."""
        rest = self._buffer[self._position : self._position + 100]
        if got is None:
            got = preview(rest) if rest else "the end of the file"
        line = 1 + self._num_lines_dropped + self._buffer.count(b"\n", 0, self._position)
        return DataError(
            f"SQL dump: {rule}, got {got} in {self._path}, line {line}, byte {self.byte}. "
            "The file is damaged or was cut off: download it again."
        )

    def _read(self) -> bool:
        """Drop what is behind the position and append a block; False at the end of the file."""
        block = next(self._blocks, None)
        if block is None:
            return False
        self._num_bytes_dropped += self._position
        self._num_lines_dropped += self._buffer.count(b"\n", 0, self._position)
        self._buffer = self._buffer[self._position :] + block
        self._position = 0
        return True
