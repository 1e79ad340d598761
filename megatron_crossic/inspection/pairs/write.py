"""The files of a report: each whole or not at all."""

from pathlib import Path

from megatron_crossic.errors import ConfigError
from megatron_crossic.files import atomic_output, refuse_existing, refuse_inputs
from megatron_crossic.inspection.pairs.figure import figure_png
from megatron_crossic.inspection.pairs.page import page_html
from megatron_crossic.inspection.pairs.report import PairReport
from megatron_crossic.manifest import manifest_path


def refuse_outputs(pairs: Path, *, html: Path | None, png: Path | None, overwrite: bool) -> None:
    """Refuse outputs that would replace something, before the pair file is read."""
    outputs = [path for path in (html, png) if path is not None]
    refuse_inputs(outputs, inputs=[pairs, manifest_path(pairs)])
    refuse_existing(*outputs, overwrite=overwrite)
    if html is not None and png is not None and html.resolve() == png.resolve():
        raise ConfigError(f"--html and --png must differ, got {html} for both. Name two files.")


def write_report(report: PairReport, *, html: Path | None, png: Path | None) -> list[Path]:
    """Write the page, the picture or both; returns what was written."""
    # Both are made before either is written.
    contents = [
        *([] if html is None else [(html, page_html(report).encode("utf-8"))]),
        *([] if png is None else [(png, figure_png(report))]),
    ]
    for path, content in contents:
        with atomic_output(path) as file:
            file.write(content)
    return [path for path, _ in contents]
