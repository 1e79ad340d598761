"""What was mined, in a few lines."""

from pathlib import Path

from megatron_crossic.manifest import Manifest, manifest_path


def summary_lines(manifest: Manifest, output: Path) -> list[str]:
    """What was mined, and what became of the documents."""
    counts = manifest.counts
    rows = [
        ("passages of the corpus", counts["corpus_passages"]),
        ("documents looked for", counts["documents"]),
        ("pairs", counts["pairs"]),
        *((f"  without: {reason}", n) for reason, n in manifest.drops.items()),
        ("candidates", counts["candidates"]),
        *((f"  rejected: {reason}", n) for reason, n in counts["candidates_rejected"].items()),
    ]
    table = [f"  {label:42}{n:>16,}" for label, n in rows]
    return [str(output), *table, f"account: {manifest_path(output)}"]
