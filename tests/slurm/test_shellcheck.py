"""The shell files have none of the mistakes that are known by heart, and their settings agree."""

import re
import shutil
import subprocess

import pytest
from slurm_jobs import PROJECT

SCRIPTS = sorted(
    path for path in (PROJECT / "slurm").iterdir() if path.suffix in (".sh", ".sbatch")
)
OURS = [path for path in SCRIPTS if path.name != "site.sh"]


def test_shellcheck_has_nothing_to_say() -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed (Debian: shellcheck)")
    files = [*OURS, PROJECT / ".ci" / "run"]
    assert len(files) > 8
    command = ["shellcheck", "--external-sources", *map(str, files)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# Set by the scripts for the processes they start, or by the user for one job; not a site's.
INTERNAL = {
    "CROSSIC_ROOT",
    "CROSSIC_SITE",
    "CROSSIC_ATTEMPT",
    "CROSSIC_OUTCOME",
    "CROSSIC_NODE_LOGS",
    "CROSSIC_PROCESSES",
}


def test_every_setting_is_explained_and_used() -> None:
    settings = (PROJECT / "slurm" / "env.sh").read_text(encoding="utf-8")
    # A comment, then one line with the default: : "${CROSSIC_NAME:=…}"
    explained = set(re.findall(r'^#.*\n(?:.*; then )?: "\$\{(CROSSIC_\w+):=', settings, re.M))
    assert len(explained) > 15
    used = {
        name
        for path in (*OURS, *(PROJECT / "slurm").glob("*.py"))
        for name in re.findall(r"\bCROSSIC_[A-Z_]+\b", _without_defaults(path.read_text("utf-8")))
    }
    assert used - INTERNAL == explained


def _without_defaults(script: str) -> str:
    """What a script does: no comments, and of `: "${NAME:=VALUE}"` only VALUE."""
    lines = (line for line in script.splitlines() if not line.lstrip().startswith("#"))
    return re.sub(r': "\$\{CROSSIC_\w+:=', "", "\n".join(lines))
