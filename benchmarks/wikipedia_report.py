"""What the benchmark of the wikipedia route reports: speeds, memory, ratios, and their table."""

from collections.abc import Mapping, Sequence
from typing import Any

from watched_command import Watched
from wikipedia_files import WikiSize


def figures(
    runs: Mapping[str, Sequence[Watched]],
    sizes: Mapping[str, WikiSize],
    paired: set[tuple[str, int]],
    *,
    source: str,
) -> dict[str, Any]:
    """Medians, speeds and ratios."""
    cleaned = sum(sizes[code].article_bytes[page_id] for code, page_id in paired)
    every_xml = sum(size.xml_bytes for size in sizes.values())
    every_article = sum(sizes[source].article_bytes.values())
    found: dict[str, Any] = {
        "xml_bytes": every_xml,
        "source_xml_bytes": sizes[source].xml_bytes,
        "pairs": len(paired) // 2,
        "wikitext_bytes_in_pairs": cleaned,
        "wikitext_bytes_in_source": every_article,
        "runs": {},
    }
    for name, watched in runs.items():
        is_ours = name.startswith("ours")
        median = sorted(watched, key=lambda run: run.wall_seconds)[(len(watched) - 1) // 2]
        wikitext = cleaned if is_ours else every_article
        xml = every_xml if is_ours else sizes[source].xml_bytes
        found["runs"][name] = {
            "repeats": len(watched),
            **median.to_json(),
            "mb_wikitext_per_cpu_second": round(wikitext / 1e6 / median.cpu_seconds, 3),
            "mb_wikitext_per_second": round(wikitext / 1e6 / median.wall_seconds, 3),
            "mb_xml_per_second": round(xml / 1e6 / median.wall_seconds, 3),
        }
    found["speedups"] = speedups(found["runs"])
    return found


def speedups(runs: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Wall time of each tool's first number of workers over that of the others."""
    first: dict[str, float] = {}
    ratios = {}
    for name, found in runs.items():
        tool = name.partition(",")[0]
        if tool in first:
            ratios[name] = round(first[tool] / found["wall_seconds"], 3)
        first.setdefault(tool, found["wall_seconds"])
    return ratios


def table(report: Mapping[str, Any]) -> list[str]:
    """The figures for the screen."""
    lines = [f"{report['machine']['cores']} cores of {report['machine']['cpu']}"]
    for folder, found in report["wikis"].items():
        lines += [
            "",
            f"{folder}: {found['xml_bytes'] / 1e6:,.0f} MB of XML, {found['pairs']:,} pairs with "
            f"{found['wikitext_bytes_in_pairs'] / 1e6:,.0f} MB of wikitext",
            f"{'':28}{'wall s':>9}{'CPU s':>9}{'text/CPU s':>12}{'XML/s':>8}"
            f"{'largest':>9}{'all, MiB':>10}",
        ]
        for name, run in found["runs"].items():
            lines.append(
                f"{name:28}{run['wall_seconds']:>9,.1f}{run['cpu_seconds']:>9,.1f}"
                f"{run['mb_wikitext_per_cpu_second']:>12.2f}{run['mb_xml_per_second']:>8.2f}"
                f"{run['largest_process_mib']:>9,}{run['all_processes_mib']:>10,}"
            )
        lines += [f"{name}: {ratio:.2f} x as fast" for name, ratio in found["speedups"].items()]
    for language, found in report["cleaning"].items():
        ours, other = (found[name]["mb_per_second"] for name in ("ours", "strip_code"))
        lines.append(
            f"cleaning {found['pages']} pages of {language}, "
            f"{found['wikitext_bytes'] / 1e6:.1f} MB: {ours:.2f} MB/s, "
            f"strip_code {other:.2f} MB/s, {found['ratio']:.2f} x"
        )
    return lines
