"""One HTML file with some windows, all charts and the account of a data set.

The file is complete in itself. Its Content-Security-Policy allows the one style and the one script
that are in it, by their hashes, and nothing else: no request leaves the page and nothing that an
article contains could run. Texts lie in a block of JSON that the script turns into text nodes.
"""

import json
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from megatron_crossic.data.store import WindowStore
from megatron_crossic.data.tokenizer import Tokenizer
from megatron_crossic.data.writer import data_set_files
from megatron_crossic.files import atomic_output, refuse_existing, refuse_inputs
from megatron_crossic.inspection.account import account_sections
from megatron_crossic.inspection.languages import direction
from megatron_crossic.inspection.marks import visible_line
from megatron_crossic.inspection.markup import assets, content_policy, section_html
from megatron_crossic.inspection.statistics import count_windows
from megatron_crossic.inspection.view import Source, WindowView, read_source, view_window
from megatron_crossic.inspection.window_charts import charts_html
from megatron_crossic.manifest import manifest_path

_STYLES = ("base.css", "windows.css")
_SCRIPTS = ("search.js", "window.js", "keys.js")
"""Parts of the page's one script, in order."""

_UNSAFE = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}
"""Characters that could end a script element or a line of it; only strings of JSON have them."""


def refuse_output(store: WindowStore, path: Path, *, overwrite: bool) -> None:
    """Refuse a page that would replace something."""
    data = [*data_set_files(store.prefix).values(), manifest_path(store.prefix)]
    refuse_inputs([path], inputs=data)
    refuse_existing(path, overwrite=overwrite)


def write_page(
    path: Path,
    store: WindowStore,
    tokenizer: Tokenizer,
    numbers: Iterable[int],
    *,
    split_loss: bool = True,
) -> int:
    """Write the page with the windows of these numbers; returns its size in bytes."""
    views = [view_window(store, tokenizer, n, split_loss=split_loss) for n in numbers]
    pairs = dict.fromkeys(pair for view in views for pair in view.pairs)
    sources = [read_source(store, pair) for pair in pairs]
    content = page_html(store, views, sources).encode("utf-8")
    with atomic_output(path) as file:
        file.write(content)
    return len(content)


def page_html(store: WindowStore, views: Sequence[WindowView], sources: Sequence[Source]) -> str:
    """The page as one string."""
    style, script = (assets(*names) for names in (_STYLES, _SCRIPTS))
    name = visible_line(store.prefix.name)
    return Template(assets("windows.html")).substitute(
        policy=content_policy(style=style, script=script),
        style=style,
        script=script,
        name=escape(name),
        lead=escape(_lead(store, len(views))),
        charts=charts_html(count_windows(store), store.languages),
        account="".join(map(section_html, account_sections(store.manifest))),
        data=_json(_data(store, name, views, sources)),
    )


def _lead(store: WindowStore, num_shown: int) -> str:
    mode = store.manifest.options.get("mode")
    return " · ".join(
        [
            f"{len(store):,} windows of {store.seq_length:,} tokens",
            visible_line(", ".join(store.languages)),
            *([visible_line(str(mode))] if mode else []),
            f"{num_shown:,} on this page",
        ]
    )


def _data(
    store: WindowStore, name: str, views: Sequence[WindowView], sources: Sequence[Source]
) -> dict[str, Any]:
    """What the script reads; windows and pairs as lists, for there are many of them."""
    return {
        "name": name,
        "seqLength": store.seq_length,
        "languages": [[visible_line(code), direction(code)] for code in store.languages],
        "windows": [_window_data(view) for view in views],
        "pairs": {source.pair: _source_data(source) for source in sources},
    }


def _window_data(view: WindowView) -> dict[str, Any]:
    return {
        "number": view.number,
        "fill": view.fill_rate,
        "loss": view.num_with_loss,
        "spans": [
            {
                "role": segment.role.name,
                "language": segment.language,
                "start": segment.start,
                "length": segment.length,
                "chunk": segment.chunk,
                "pair": segment.pair,
                "loss": segment.num_with_loss,
                "text": segment.text,
            }
            for segment in view.segments
        ],
    }


def _source_data(source: Source) -> dict[str, Any]:
    return {
        "id": source.id,
        "documents": [
            [language, direction(language), title] for language, title in source.documents
        ],
        "facts": [[fact.name, fact.value, fact.link] for fact in source.facts],
    }


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.translate(_UNSAFE)
