"""Look at what preprocessing made: windows as text with their languages, borders and sources.

python tools/inspect_windows.py data/en-es                       # the account, one window
python tools/inspect_windows.py data/en-es --sample 500 --html en-es.html
"""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from megatron_crossic.commandline import ArgumentParser, run
from megatron_crossic.data.store import WindowStore, open_windows
from megatron_crossic.data.tokenizer import Tokenizer
from megatron_crossic.inspection.account import account_sections
from megatron_crossic.inspection.opening import choose_windows, open_tokenizer
from megatron_crossic.inspection.page import refuse_output, write_page
from megatron_crossic.inspection.terminal import account_lines, open_console, window_lines
from megatron_crossic.inspection.view import read_source, view_window

HTML_SAMPLE = 200


def main() -> None:
    arguments = parse()
    store = open_windows(arguments.prefix)
    if arguments.html is not None:
        refuse_output(store, arguments.html, overwrite=arguments.overwrite)
    default_sample = HTML_SAMPLE if arguments.html is not None else 1
    numbers = choose_windows(
        len(store),
        window=arguments.window,
        sample=default_sample if arguments.sample is None else arguments.sample,
        seed=arguments.seed,
    )
    tokenizer = open_tokenizer(store, arguments.tokenizer)
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    console = open_console(sys.stdout)
    if arguments.html is not None:
        size = write_page(
            arguments.html, store, tokenizer, numbers, split_loss=arguments.split_loss
        )
        console.print(f"{len(numbers):,} windows, {size / 1e6:.1f} MB: {arguments.html}")
        return
    if arguments.window is None and arguments.sample is None:
        show(console, account_lines(account_sections(store.manifest)))
    for number in numbers:
        show_window(console, store, tokenizer, number, split_loss=arguments.split_loss)


def parse() -> argparse.Namespace:
    parser = ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("prefix", type=Path, metavar="PREFIX", help="the data set: PREFIX.bin, PREFIX.idx, …")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--window", type=int, metavar="N", help="this window, counted from 0")
    which.add_argument("--sample", type=int, metavar="K", help="so many windows by chance")
    add("--seed", type=int, default=0, help="of the sample; default %(default)s")
    add("--tokenizer", type=Path, help="where it is now, if not where it was")
    add("--no-split-loss", dest="split_loss", action="store_false", help="as data.split_loss false")
    add("--html", type=Path, metavar="FILE", help="write a page instead of text")
    add("--overwrite", action="store_true", help="replace FILE if it exists")
    return parser.parse_args()


def show_window(
    console: Console, store: WindowStore, tokenizer: Tokenizer, number: int, *, split_loss: bool
) -> None:
    view = view_window(store, tokenizer, number, split_loss=split_loss)
    sources = [read_source(store, pair) for pair in view.pairs]
    show(console, window_lines(view, sources, store.languages))


def show(console: Console, lines: Iterable[Text]) -> None:
    for line in lines:
        console.print(line)


if __name__ == "__main__":
    run(main)
