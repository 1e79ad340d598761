"""The report of a selection as a file, whole or not at all."""

from pathlib import Path

from megatron_crossic.files import refuse_existing, refuse_inputs, write_text_atomically
from megatron_crossic.inspection.marks import visible_line
from megatron_crossic.inspection.mining.page import page_html
from megatron_crossic.inspection.mining.record import read_mining_record


def write_report(path: Path, mining: Path, *, name: str = "", overwrite: bool = False) -> None:
    """Make the page at `path` out of the `mining.json` that a selection wrote.

    `name` is what was mined, for the title; without it the record's file name.
    """
    refuse_inputs([path], inputs=[mining])
    refuse_existing(path, overwrite=overwrite)
    record = read_mining_record(mining)
    write_text_atomically(path, page_html(record, name=visible_line(name or mining.name)))
