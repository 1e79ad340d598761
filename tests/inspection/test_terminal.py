"""Text for a screen and for a pipe."""

import io
import re
from pathlib import Path

import pytest
from inspected_windows import ARABIC, hostile_data_set, record, write_data_set
from rich.console import Console

from megatron_crossic.data.spans import Role
from megatron_crossic.data.store import WindowStore
from megatron_crossic.data.tokenizer import Tokenizer
from megatron_crossic.inspection.account import account_sections
from megatron_crossic.inspection.terminal import account_lines, open_console, window_lines
from megatron_crossic.inspection.view import read_source, view_window

SOURCE, TARGET = Role.SOURCE, Role.TARGET


def show(
    store: WindowStore, tokenizer: Tokenizer, number: int, console: Console | None = None
) -> str:
    """Both the account and a window; as a pipe gets it unless a console is given."""
    console = console or open_console(io.StringIO())
    view = view_window(store, tokenizer, number)
    sources = [read_source(store, pair) for pair in view.pairs]
    for line in account_lines(account_sections(store.manifest)):
        console.print(line)
    for line in window_lines(view, sources, store.languages):
        console.print(line)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_window_in_a_pipe(tmp_path: Path) -> None:
    text = show(*hostile_data_set(tmp_path), 0)
    lines = text.splitlines()
    assert "━━━ Window 0" in text
    assert "1 chunk · 1 pair" in text
    assert lines[lines.index("Berlin is a city.") - 1] == (
        "┣━ en · source · 19 tokens from 0 · loss but for the first token"
    )
    assert ARABIC.strip() in lines
    assert "┗━ [SPLIT] <|endoftext|> · loss" in lines
    assert re.search(r"^… \d+ × PAD <\|padding\|> · no loss$", text, re.M)
    assert "┃  Berlin ↔ برلين" in lines
    assert "  origin  langlink" in lines
    assert re.search(r"^  dropped: empty source +2$", text, re.M)


def test_nothing_steers_the_terminal(tmp_path: Path) -> None:
    text = show(*hostile_data_set(tmp_path), 1)
    assert not set("\x1b\x07\x9b\u202e\u2028\ud800") & set(text)
    assert "⟨U+001B⟩]0;title⟨U+0007⟩" in text
    assert "[/bold]" not in text


def test_no_text_is_cut_off_in_a_pipe(tmp_path: Path) -> None:
    long = "word " * 700
    windows = [[(0, [(SOURCE, "en", long)])]]
    store, tokenizer = write_data_set(
        tmp_path / "x", windows, [record("i" * 900, en="t" * 900)], seq_length=3600
    )
    lines = show(store, tokenizer, 0).splitlines()
    assert long in lines
    assert f"┃  {'t' * 900}" in lines
    assert f"pair 0  {'i' * 900}" in lines


@pytest.mark.parametrize("width", [20, 60])
def test_narrow_screens_wrap_and_lose_nothing(tmp_path: Path, width: int) -> None:
    file = io.StringIO()
    console = Console(
        file=file, width=width, force_terminal=True, color_system="truecolor", highlight=False,
        markup=False, emoji=False,
    )  # fmt: skip
    text = show(*hostile_data_set(tmp_path), 1, console)
    assert "\x1b[" in text  # colours
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert not set("\x1b\x07\x9b\u202e") & set(plain)
    assert max(map(len, plain.splitlines())) <= width
    piped = show(*hostile_data_set(tmp_path), 1)
    assert re.sub(r"\s", "", plain) == re.sub(r"\s", "", piped)


def test_markup_in_a_text_is_text(tmp_path: Path) -> None:
    windows = [[(0, [(SOURCE, "en", "[bold]x[/bold] :smile: [link=y]z")])]]
    store, tokenizer = write_data_set(tmp_path / "x", windows, [record("a")], seq_length=40)
    assert "[bold]x[/bold] :smile: [link=y]z" in show(store, tokenizer, 0).splitlines()
