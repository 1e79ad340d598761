"""The account of a pair file as a small table, for a screen."""

from collections.abc import Mapping
from pathlib import Path

from megatron_crossic.manifest import Manifest, manifest_path

SIDES = ("source", "target")


def summary_lines(manifest: Manifest, output: Path) -> list[str]:
    """What was paired, what was dropped and why, and what was damaged."""
    counts = {side: manifest.counts[side] for side in SIDES}
    reasons = dict.fromkeys(reason.partition(".")[2] for reason in manifest.drops)
    dropped = {
        reason: {side: manifest.drops.get(f"{side}.{reason}", 0) for side in SIDES}
        for reason in reasons
    }
    found = {kind: {side: counts[side].get(kind, 0) for side in SIDES} for kind in counts["source"]}
    lines = [
        str(output),
        f"  {'pairs':36}{manifest.counts['pairs']:>14,}",
        f"  {'':36}{'source':>14}{'target':>14}",
        *(_row(kind.replace("_", " "), values) for kind, values in found.items()),
        *(_row(f"dropped: {reason}", values) for reason, values in dropped.items()),
    ]
    for damage in manifest.details.get("damage", ()):
        places = len(damage["streams_at"]) + len(damage["pages_at"])
        lines.append(f"warning: {damage['file']} is damaged, left out at {places} of its places")
    for table, malformed in manifest.details.get("malformed_rows", {}).items():
        lines.append(f"warning: malformed rows left out of {table}: {malformed['rows']}")
    return [*lines, f"account of every page: {manifest_path(output)}"]


def _row(label: str, values: Mapping[str, int]) -> str:
    return f"  {label:36}" + "".join(f"{values[side]:>14,}" for side in SIDES)
