"""The account of a pair file in a few lines, for a screen."""

from pathlib import Path

from megatron_crossic.manifest import Manifest, manifest_path


def summary_lines(manifest: Manifest, output: Path) -> list[str]:
    """What was paired, what was dropped and why, and what was damaged."""
    lines = [f"{manifest.counts['pairs']} pairs in {output}"]
    for side in ("source", "target"):
        kinds = ", ".join(f"{n} {kind}" for kind, n in manifest.counts[side].items() if n)
        reasons = [
            f"{n} {reason.removeprefix(side + '.')}"
            for reason, n in manifest.drops.items()
            if reason.startswith(side + ".")
        ]
        lines.append(f"{side}: {kinds}")
        lines.append(f"{side} articles dropped: {', '.join(reasons) or 'none'}")
    for damage in manifest.details.get("damage", ()):
        places = len(damage["streams_at"]) + len(damage["pages_at"])
        lines.append(f"warning: {damage['file']} is damaged in {places} places, left out")
    for table, malformed in manifest.details.get("malformed_rows", {}).items():
        lines.append(f"warning: {malformed['rows']} malformed rows of {table} left out")
    return [*lines, f"account of every page: {manifest_path(output)}"]
