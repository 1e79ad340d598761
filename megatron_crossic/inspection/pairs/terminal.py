"""The report in a few lines for the terminal."""

from collections.abc import Iterator

from megatron_crossic.inspection.marks import visible_line
from megatron_crossic.inspection.pairs.account import breakdowns
from megatron_crossic.inspection.pairs.charts import quantiles_in_words
from megatron_crossic.inspection.pairs.report import PairReport


def summary_lines(report: PairReport) -> Iterator[str]:
    """What is most likely to be wrong with a pair file, as text without controls."""
    statistics = report.statistics
    yield (
        f"{visible_line(str(report.path))}: {statistics.num_pairs:,} pairs, "
        f"{statistics.pairs.count():,} repeated"
    )
    for found in [] if report.manifest is None else breakdowns(report.manifest):
        yield f"{found.title}: " + ", ".join(f"{n:,} {label}" for label, n in found.rows)
    for code, language in statistics.languages.items():
        scripts = ", ".join(f"{n:,} {name}" for name, n in language.scripts.most_common())
        size = f"{language.num_documents:,} documents, {language.num_characters:,} characters"
        yield f"{code}: {size}"
        yield f"  length    {quantiles_in_words(language.lengths, '{:,.0f}')}"
        yield (
            f"  texts     {language.num_short:,} under {statistics.short_characters:,} characters, "
            f"{language.num_empty:,} empty, {language.texts.count():,} repeated"
        )
        yield f"  script    {scripts}"
    for (source, target), sides in statistics.sides.items():
        yield f"{source} -> {target}: {sides.num_pairs:,} pairs"
        yield f"  ratio     {quantiles_in_words(sides.ratios, '{:.2f}')}"
        yield (
            f"  the same  {sides.num_same_title:,} titles, {sides.num_same_text:,} texts, "
            f"{sides.num_same_script:,} scripts"
        )
    if report.confusion is not None:
        yield (
            f"languages detected in {report.confusion.num_looked_at:,} documents by chance: "
            f"{report.confusion.num_strangers:,} are of another language than claimed"
        )
