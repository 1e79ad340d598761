"""The report as one HTML file: no script at all, no outside resource, every text escaped."""

from html import escape
from string import Template

from megatron_crossic.inspection.account import table_section
from megatron_crossic.inspection.charts import chart_html
from megatron_crossic.inspection.documents import ShownDocument, document_html
from megatron_crossic.inspection.markup import assets, content_policy, section_html
from megatron_crossic.inspection.mining.charts import (
    Kept,
    kept_at_thresholds,
    outcome_breakdowns,
    score_chart,
)
from megatron_crossic.inspection.mining.record import MiningRecord, ShownCandidate
from megatron_crossic.inspection.pairs.tables import breakdown_html

_STYLES = ("base.css", "pairs.css", "mining.css")


def page_html(record: MiningRecord, *, name: str) -> str:
    """The page as one string; `name` is what it is about, safe to show."""
    style = assets(*_STYLES)
    return Template(assets("mining.html")).substitute(
        policy=content_policy(style=style),
        style=style,
        name=escape(name),
        lead=escape(_lead(record)),
        figures="".join(_figure_html(*figure) for figure in _figures(record)),
        chart=chart_html(score_chart(record)),
        thresholds=_thresholds_html(record),
        outcomes="".join(map(breakdown_html, outcome_breakdowns(record))),
        sample=_sample_html(record),
        sample_note=escape(_sample_note(record)),
        options=section_html(table_section("Options", record.options)),
        counts=section_html(table_section("Counts", record.counts, is_numeric=True)),
    )


def _share(number: int, total: int) -> str:
    return f"{number / total:.1%}" if total else "–"


def _lead(record: MiningRecord) -> str:
    return (
        f"{record.num_pairs:,} pairs of {record.num_documents:,} documents · "
        f"{record.score_name} of at least {record.threshold:g}"
    )


def _figures(record: MiningRecord) -> list[tuple[str, str, str]]:
    """Number, what it is, and a remark."""
    total = record.num_documents
    passages = int(record.counts["passages_chosen"])
    return [
        (f"{total:,}", "documents", f"{int(record.counts['candidates']):,} candidates"),
        (
            _share(record.num_above, total),
            "reach the threshold",
            f"{record.num_above:,} documents by their best candidate",
        ),
        (_share(record.num_pairs, total), "are in pairs", f"{record.num_pairs:,} pairs"),
        (f"{passages:,}", "passages used", "each counted once"),
    ]


def _figure_html(number: str, what: str, remark: str) -> str:
    return (
        f"<div><dt>{escape(what)}</dt><dd><b>{escape(number)}</b>"
        f"<span>{escape(remark)}</span></dd></div>"
    )


def _thresholds_html(record: MiningRecord) -> str:
    rows = "".join(
        _threshold_row(kept, record.num_documents) for kept in kept_at_thresholds(record)
    )
    return (
        "<section class=table><h3>Other thresholds</h3><p class=facts>Documents whose best "
        "candidate reaches a threshold, and pairs. What a lower one would add is known once it "
        "is selected with: a best candidate may yet be rejected for its text or be another's.</p>"
        '<table class="numbers kept"><thead><tr><th scope=col>threshold</th>'
        "<th scope=col>documents reach it</th><th scope=col>pairs</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></section>"
    )


def _threshold_row(kept: Kept, total: int) -> str:
    pairs = (
        "<td class=none>not selected</td>"
        if kept.num_pairs is None
        else _number_cell(kept.num_pairs, total)
    )
    threshold = f"{kept.threshold:g} (now)" if kept.is_current else f"{kept.threshold:.2f}"
    return (
        f"<tr{' class=current' if kept.is_current else ''}><th scope=row>{threshold}</th>"
        f"{_number_cell(kept.num_reaching, total)}{pairs}</tr>"
    )


def _number_cell(number: int, total: int) -> str:
    return f"<td>{number:,} <span>{_share(number, total)}</span></td>"


def _sample_note(record: MiningRecord) -> str:
    above = sum(candidate.value >= _threshold(record) for candidate in record.sample)
    return (
        f"{above:,} above the threshold and {len(record.sample) - above:,} below, by chance from "
        f"those nearest to it (seed {record.options.get('seed')}), the best first: each with its "
        "document's best passage. Where texts stop being about the same thing, the threshold "
        "belongs."
    )


def _threshold(record: MiningRecord) -> float:
    """As scores are written, with six digits."""
    return round(record.threshold, 6)


def _sample_html(record: MiningRecord) -> str:
    """The candidates, and a line where the threshold is passed."""
    found, is_above = [], True
    for number, candidate in enumerate(record.sample, start=1):
        if is_above and candidate.value < _threshold(record):
            is_above = False
            found.append(
                f"<p class=line>Threshold {record.threshold:g}: what follows is below it.</p>"
            )
        found.append(_candidate_html(number, candidate))
    return "".join(found) or "<p class=facts>No document has a candidate.</p>"


def _candidate_html(number: int, candidate: ShownCandidate) -> str:
    scores = " · ".join(f"{escape(name)} {value:.3f}" for name, value in candidate.scores)
    outcome = "chosen" if candidate.is_chosen else "rejected"
    ids = " ↔ ".join(
        f"<bdi>{escape(i)}</bdi>" for i in (candidate.passage_id, candidate.target_id) if i
    )
    return (
        f'<article class="pair columns-2" aria-labelledby="candidate-{number}"><header>'
        f'<h3 id="candidate-{number}">{candidate.value:.4f}</h3>'
        f"<span class={outcome}>{escape(candidate.outcome.replace('_', ' '))}</span>"
        f"<p class=facts>{scores}</p><p class=facts>{ids}</p></header><div class=texts>"
        f"{document_html(candidate.passage, series=0, label=_label('passage', candidate.passage))}"
        f"{document_html(candidate.target, series=1, label=_label('document', candidate.target))}"
        "</div></article>"
    )


def _label(what: str, document: ShownDocument) -> str:
    return f"{what} · {document.num_characters:,} characters"
