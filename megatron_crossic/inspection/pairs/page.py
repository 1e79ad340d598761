"""The report as one HTML file: no script at all, no outside resource, every text escaped.

Its Content-Security-Policy allows the one style that is in it, by its hash, and nothing else.
"""

from html import escape
from string import Template

from megatron_crossic.inspection.charts import chart_html
from megatron_crossic.inspection.documents import ShownDocument, document_html, is_https, link_html
from megatron_crossic.inspection.marks import visible_line
from megatron_crossic.inspection.markup import assets, content_policy, section_html
from megatron_crossic.inspection.pairs.account import breakdowns, manifest_sections
from megatron_crossic.inspection.pairs.charts import length_charts, ratio_charts
from megatron_crossic.inspection.pairs.report import PairReport
from megatron_crossic.inspection.pairs.sample import ShownPair
from megatron_crossic.inspection.pairs.tables import (
    breakdown_html,
    confusion_table,
    language_table,
    script_table,
    sides_table,
    strangers_table,
)

_STYLES = ("base.css", "pairs.css")


def page_html(report: PairReport) -> str:
    """The page as one string."""
    style = assets(*_STYLES)
    statistics = report.statistics
    charts = [*length_charts(statistics), *ratio_charts(statistics)]
    return Template(assets("pairs.html")).substitute(
        policy=content_policy(style=style),
        style=style,
        name=escape(visible_line(report.path.name)),
        lead=escape(_lead(report)),
        tables=language_table(statistics) + sides_table(statistics) + script_table(statistics),
        kept=_kept(report),
        charts="".join(map(chart_html, charts)),
        detected=_detected(report),
        sample="".join(_pair_html(number, pair) for number, pair in report.sample),
        sample_note=escape(_sample_note(report)),
        account=_account(report),
    )


def _lead(report: PairReport) -> str:
    statistics = report.statistics
    origins = [f"{n:,} {origin}" for origin, n in statistics.origins.most_common()]
    return " · ".join(
        [
            f"{statistics.num_pairs:,} pairs ({', '.join(origins) or 'none'})",
            " ".join(statistics.languages),
            f"{report.num_bytes / 1e6:,.1f} MB",
            f"{statistics.pairs.count():,} repeated",
        ]
    )


def _kept(report: PairReport) -> str:
    """What the manifest says as tables with bars."""
    if report.manifest is None:
        return (
            "<p class=facts>There is no manifest beside the file, so nothing is known about what "
            "was left out of it.</p>"
        )
    found = breakdowns(report.manifest)
    if not found:
        return "<p class=facts>The manifest says nothing about what was left out.</p>"
    return f"<div class=charts>{''.join(map(breakdown_html, found))}</div>"


def _detected(report: PairReport) -> str:
    if report.confusion is None:
        return (
            "<p class=facts>Not looked for. <code>--detect-languages</code> tells the language of "
            "some documents by chance and compares it with the one claimed.</p>"
        )
    return confusion_table(report.confusion) + strangers_table(report.confusion)


def _account(report: PairReport) -> str:
    if report.manifest is None:
        return "<p class=facts>Not known: there is no manifest beside the file.</p>"
    sections = "".join(map(section_html, manifest_sections(report.manifest)))
    return f"<div class=account>{sections}</div>"


def _sample_note(report: PairReport) -> str:
    shown, total = len(report.sample), report.statistics.num_pairs
    if shown == total:
        return f"All {total:,} pairs; of each text the beginning."
    return f"{shown:,} of {total:,} by chance, seed {report.seed}; of each text the beginning."


def _pair_html(number: int, pair: ShownPair) -> str:
    columns = min(len(pair.documents), 4)
    source, *targets = pair.documents
    ratios = [
        f"{t.num_characters / source.num_characters:.2f}" for t in targets if source.num_characters
    ]
    facts = [
        f"<bdi>{escape(pair.id)}</bdi>",
        *([f"target/source {', '.join(ratios)}"] if ratios else []),
        *([f"<bdi>{escape(pair.licence)}</bdi>"] if pair.licence else []),
    ]
    documents = "".join(
        document_html(found, series=i, label=_label(found, is_target=i > 0))
        for i, found in enumerate(pair.documents)
    )
    return (
        f'<article class="pair columns-{columns}" aria-labelledby="pair-{number}">'
        f'<header><h3 id="pair-{number}">Pair {number:,}</h3>'
        f"<p class=facts>{' · '.join(facts)}</p></header>"
        f"<div class=texts>{documents}</div>{_facts_html(pair)}</article>"
    )


def _label(document: ShownDocument, *, is_target: bool) -> str:
    shown, total = len(document.paragraphs), document.num_paragraphs
    part = f"{total:,}" if shown == total else f"{shown} of {total:,}"
    part += " paragraph" if total == 1 else " paragraphs"
    return (
        f"{'target' if is_target else 'source'} · {document.num_characters:,} characters · {part}"
    )


def _facts_html(pair: ShownPair) -> str:
    rows = []
    for fact in pair.facts:
        value = f"<bdi>{escape(fact.value)}</bdi>"
        if is_https(fact):
            value = link_html(fact.value, value)
        rows.append(f"<dt><bdi>{escape(fact.name)}</bdi></dt><dd>{value}</dd>")
    return (
        "<details class=sources><summary>Where it came from</summary>"
        f"<dl>{''.join(rows)}</dl></details>"
    )
