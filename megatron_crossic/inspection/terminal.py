"""Windows and accounts as text: coloured and wrapped on a screen, plain and whole in a pipe.

Nothing depends on colour: each segment says its language. Nothing is cut off: what is too long for
a line is wrapped on a screen and left alone in a pipe.
"""

import os
from collections.abc import Iterator, Sequence
from typing import TextIO

from rich.console import Console
from rich.text import Text

from megatron_crossic.data.spans import Role
from megatron_crossic.inspection.account import Section
from megatron_crossic.inspection.marks import visible_line
from megatron_crossic.inspection.view import Segment, Source, WindowView

LANGUAGE_STYLES = ("cyan", "yellow", "green", "magenta", "blue", "red")
"""Style of each language by its place in the data set; the seventh has the first one's again."""

MAP_WIDTH = 48
PIPE_WIDTH = 1 << 20
"""A pipe has no edge at which to wrap."""


def open_console(file: TextIO) -> Console:
    """A console for a screen, or for a pipe without colour and without an edge."""
    is_screen = file.isatty()
    return Console(
        file=file,
        width=None if is_screen else PIPE_WIDTH,
        no_color=None if is_screen and not os.environ.get("NO_COLOR") else True,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=False,
    )


def account_lines(sections: Sequence[Section]) -> Iterator[Text]:
    """The account as one table after the other."""
    for section in sections:
        yield Text(section.title, style="bold")
        labels = max(len(label) for label, _ in section.rows)
        values = max(len(value) for _, value in section.rows) if section.is_numeric else 0
        for label, value in section.rows:
            yield _join(("  " + label.ljust(labels + 2), "dim"), (value.rjust(values), ""))
        yield Text("")


def window_lines(
    view: WindowView, sources: Sequence[Source], languages: Sequence[str]
) -> Iterator[Text]:
    """A window from its header to its padding, then where its pairs came from."""
    names = [visible_line(name) for name in languages]
    yield from _header(view, names)
    titles = {source.pair: source.documents for source in sources}
    chunk = None
    for segment in view.segments:
        if segment.chunk is not None and segment.chunk != chunk:
            chunk = segment.chunk
            yield _chunk_line(view, segment, titles)
        yield from _segment_lines(segment, names)
    yield Text("")
    for source in sources:
        yield from _source_lines(source)


def _header(view: WindowView, languages: Sequence[str]) -> Iterator[Text]:
    yield _join((f"━━━ Window {view.number} ", "bold"), ("━" * 30, "dim"))
    yield Text(
        f"{view.num_tokens:,} tokens · {view.fill_rate:.2%} filled · "
        f"{_many(view.num_chunks, 'chunk')} · {_many(len(view.pairs), 'pair')} · "
        f"{view.num_with_loss:,} tokens with loss"
    )
    yield _map(view)
    legend = Text()
    for index in sorted({s.language for s in view.segments if s.language is not None}):
        tokens = sum(s.length for s in view.segments if s.language == index)
        legend.append("■ ", style=_style(index))
        legend.append(f"{_name(languages, index)} {tokens:,}   ")
    yield legend.append("│ [SPLIT]   ░ BOS, PAD", style="dim")


def _map(view: WindowView) -> Text:
    """The window's tokens from left to right on one line."""
    line = Text()
    for column in range(MAP_WIDTH):
        first, last = (view.num_tokens * c // MAP_WIDTH for c in (column, column + 1))
        inside = [s for s in view.segments if s.start < max(last, first + 1) and _end(s) > first]
        if any(segment.role == Role.SPLIT for segment in inside):
            line.append("│", style="dim")
        elif inside[0].language is None:
            line.append("░", style="dim")
        else:
            line.append("█", style=_style(inside[0].language))
    return line


def _chunk_line(
    view: WindowView, first: Segment, titles: dict[int, tuple[tuple[str, str], ...]]
) -> Text:
    inside = [s for s in view.segments if s.chunk == first.chunk]
    tokens = sum(s.length for s in inside if s.language is not None)
    names = " ↔ ".join(title for _, title in titles.get(first.pair or 0, ()) if title)
    return _join(
        ("\n┏━ ", "dim"),
        (f"chunk {first.chunk}", "bold"),
        (f" · pair {first.pair} · {tokens:,} tokens", ""),
        ("\n┃  " if names else "", "dim"),
        (names, ""),
    )


def _segment_lines(segment: Segment, languages: Sequence[str]) -> Iterator[Text]:
    loss = _loss(segment)
    if segment.role == Role.SPLIT:
        yield Text(f"┗━ [SPLIT] {segment.text} · {loss}".replace("  ", " "), style="dim")
    elif segment.role == Role.PAD:
        yield Text(f"\n… {segment.length:,} × PAD {segment.text} · {loss}", style="dim")
    elif segment.role == Role.BOS:
        yield Text(f"\nBOS {segment.text} · {loss}", style="dim")
    else:
        style = _style(segment.language)
        label = f"{_name(languages, segment.language)} · {segment.role.name.lower()}"
        numbers = f" · {_many(segment.length, 'token')} from {segment.start:,} · {loss}"
        yield _join(("┣━ ", "dim"), (label, f"bold {style}"), (numbers, ""))
        yield Text(segment.text.rstrip("\n"), style=style, overflow="fold")


def _loss(segment: Segment) -> str:
    if segment.num_with_loss == segment.length:
        return "loss"
    return "loss but for the first token" if segment.num_with_loss else "no loss"


def _source_lines(source: Source) -> Iterator[Text]:
    yield _join((f"pair {source.pair}", "bold"), (f"  {source.id}", ""))
    rows = [*source.documents, *((fact.name, fact.value) for fact in source.facts)]
    width = max((len(label) for label, _ in rows), default=0)
    for label, value in rows:
        yield _join(("  " + label.ljust(width + 2), "dim"), (value, ""))


def _join(*parts: tuple[str, str]) -> Text:
    """A line of pieces, each with its style."""
    line = Text()
    for text, style in parts:
        line.append(text, style=style or None)
    return line


def _end(segment: Segment) -> int:
    return segment.start + segment.length


def _style(language: int | None) -> str:
    return LANGUAGE_STYLES[(language or 0) % len(LANGUAGE_STYLES)]


def _name(languages: Sequence[str], index: int | None) -> str:
    return languages[index] if index is not None and index < len(languages) else "?"


def _many(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
